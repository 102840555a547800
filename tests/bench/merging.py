"""What merging costs and saves: the scanner by its own count of cycles, writes to merged pages by a guest's, and what
is saved beside an offline count of equal pages."""
import re

import time

from harness import fill, optimum, parse
from harness.machine import Machine, guest, linux

from .table import OPTIONS, row, title

GUESTS = 8      # of ...
SIZE = 96       # MiB each, in a host of ...
HOST = 1024     # MiB
PAGES = GUESTS * SIZE * 240  # of guests that fill their memory, about: nearly all


def ksm(m):
    rows = parse.facts(m.ok("ksm show"))
    return {key: int(value) for key, value in rows.items() if re.match(r"-?\d+$", value)}


def passes(m, count, deadline=600):
    """So many passes more, each begun after the last one's end."""
    last = ksm(m)["full_scans"] + count
    m.poll(lambda: ksm(m), lambda k: k["full_scans"] >= last, deadline, f"{count} passes")


def begin_typed(m, name, mark):
    with m.attach(name) as console:
        console.wait_for("WAITING", 120)
        console.send("g")
        console.wait_for(mark, 300)


def equals(m, names):
    """(pages that these guests map, those of them that have an equal, zeroes included), counted offline."""
    dump = optimum.Dump(m)
    digests = [digest for _, digest in optimum.contents(dump, optimum.tables(m, names)).values()]
    dump.close()
    return len(digests), len(digests) - len(set(digests))


def scan_unique(mode):
    """The scanner's figures while its guests' pages become known, and over later passes; and equals()."""
    names = [f"u{n}" for n in range(GUESTS)]
    text = "".join(guest(name, "fill.elf", memory=f"{SIZE}M", cmdline=f"seed={n} own still", share_mode=mode,
                         autostart="yes") for n, name in enumerate(names, 1))
    with Machine(f"bench-scanner-{mode}", text, memory=HOST, **OPTIONS) as m:
        m.wait_prompt(600)
        m.ok("ksm stop")
        for name in names:
            fill.begin(m, name)
        for name in names:
            m.poll(lambda: fill.filled(m, name), bool, 900, f"{name} to fill its memory")
        alike = equals(m, names)
        before = ksm(m)
        m.ok("ksm run")
        m.poll(lambda: ksm(m), lambda k: k["pages_unshared"] > PAGES, 900, "all pages to be known")
        passes(m, 1)
        m.ok("ksm stop")
        known = ksm(m)
        m.ok("ksm run")
        passes(m, 4)
        m.ok("ksm stop")
        later = ksm(m)
    first, steady = ({key: b[key] - a[key] for key in b} for a, b in ((before, known), (known, later)))
    return first, steady, alike


def bench_scanner(mode, goals):
    """The scanner's cycles, by its own count, over pages none of which has an equal."""
    first, steady, (pages, alike) = scan_unique(mode)
    title(f"Scanner, {mode}, {GUESTS} x {SIZE} MiB, instructions a page")
    row("pages of the guests", pages, None)
    row("of them with an equal (offline count)", alike, None)
    row("pages hashed until all are known", first["pages_hashed"], None)
    row("until a page is known: two looks and a hash", round(first["cpu_cycles"] / first["pages_hashed"]), goals[0])
    row("a later pass over unchanged memory", round(steady["cpu_cycles"] / steady["pages_scanned"], 1), goals[1])
    row("pages hashed again meanwhile", steady["pages_hashed"], None)


def write_figures(mode):
    """What bench.elf says of writes to merged pages."""
    text = guest("bench", "bench.elf", memory="32M", cmdline="writes", share_mode=mode, autostart="yes")
    with Machine(f"bench-writes-{mode}", text, **OPTIONS) as m:
        m.wait_prompt(600)
        m.ok("ksm set interval 20")
        for wanted, last in (("pages_shared", "write-unmerged"), ("ksm_zero_pages", "write-given-back")):
            m.poll(lambda: ksm(m), lambda k: k[wanted] >= 256, 300, wanted)
            passes(m, 2)
            m.ok("ksm stop")
            begin_typed(m, "bench", rf"BENCH {last} \d+")
            m.ok("ksm run")
        return {key: int(value) for key, value in re.findall(r"BENCH (\S+) (\d+)", m.text())}


def bench_writes(mode, goal):
    got = write_figures(mode)
    title(f"A write to a page, share-mode {mode}, instructions")
    for key, what, limit in (("write-merged", "merged with another", goal),
                             ("write-merged-last", "merged, nobody else uses it any more", goal),
                             ("write-given-back", "of zeroes that were given back", goal),
                             ("write-unmerged", "known to the scanner, without an equal", None)):
        row(what, got.get(key), limit)
        row("  the mean, with whatever falls into it", got.get(f"{key}-mean"), None)


def bench_saved():
    """What the scanner saved in its first three passes, of what an offline count of equal pages says, of the pages
    that were quiet in the last two.  In real time: a pass that is late, since the host is, counts as an interval."""
    names = [f"g{n}" for n in range(GUESTS)]
    text = "".join(linux(name, memory=f"{SIZE}M", autostart="no") for name in names)
    with Machine("bench-merging", text, memory=HOST) as m:
        m.wait_prompt(600)
        m.ok("ksm stop")
        for name in names:
            m.ok(f"start {name}")
        m.wait_ready(*names, deadline=900)
        roots = optimum.tables(m, names)
        first, began = ksm(m)["full_scans"], time.monotonic()
        m.ok("ksm run")
        passes(m, 1)
        before = optimum.Dump(m)
        m.poll(lambda: ksm(m), lambda k: k["full_scans"] >= first + 3, 600, "three passes")
        took, after = time.monotonic() - began, optimum.Dump(m)
        m.ok("ksm stop")
        last = ksm(m)
        quiet, frames, needed = optimum.compare(optimum.contents(before, roots), optimum.contents(after, roots))
    title(f"Merging, {GUESTS} Debian guests of {SIZE} MiB, KASLR on")
    row("passes since the scanner began", last["full_scans"] - first, None)
    row("  seconds of the host", round(took, 1), None)
    row("pages that were quiet for two of three passes", quiet, None)
    row("frames that hold them", frames, None)
    row("frames that would do (offline count)", needed, None)
    row("saved, of the optimum", round(100 * (quiet - frames) / (quiet - needed), 2), 95, unit=" %", least=True)


def bench_merging():
    bench_scanner("plain", (4000, 60))
    bench_writes("plain", 6000)
    bench_scanner("uniform", (None, None))
    bench_writes("uniform", None)
    bench_saved()
