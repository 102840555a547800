"""What merging costs and saves: the scanner by its own count of cycles, writes to merged pages by a guest's, and what
is saved beside an offline count of equal pages."""
import re

from harness import optimum, parse
from harness.machine import Machine, guest, linux

from .table import OPTIONS, row, title

UNIQUE = 48     # MiB, the size of a guest whose pages have no equal
MERGED = 8      # Debian guests of 96 MiB


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


def bench_scanner(mode, goals):
    """The scanner's cycles, by its own count, over pages none of which has an equal."""
    text = guest("unique", "fill.elf", memory=f"{UNIQUE}M", cmdline="own still", share_mode=mode, autostart="yes")
    with Machine(f"bench-scanner-{mode}", text, **OPTIONS) as m:
        m.wait_prompt(600)
        m.ok("ksm stop")
        begin_typed(m, "unique", "FILLED")
        before = ksm(m)
        m.ok("ksm run")
        m.poll(lambda: ksm(m), lambda k: k["pages_unshared"] > UNIQUE * 240, 300, "all pages to be known")
        passes(m, 1)
        m.ok("ksm stop")
        known = ksm(m)
        m.ok("ksm run")
        passes(m, 4)
        m.ok("ksm stop")
        later = ksm(m)
    first, steady = ({key: b[key] - a[key] for key in b} for a, b in ((before, known), (known, later)))
    title(f"The scanner, share-mode {mode}, instructions a page, {first['pages_hashed']} unique pages")
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
    row("merged with another", got.get("write-merged"), goal)
    row("merged, nobody else uses it any more", got.get("write-merged-last"), goal)
    row("of zeroes that were given back", got.get("write-given-back"), goal)
    row("known to the scanner, without an equal", got.get("write-unmerged"), None)


def bench_saved():
    """What the scanner saved, of what an offline count of equal pages says; of pages quiet for two intervals."""
    names = [f"g{n}" for n in range(MERGED)]
    with Machine("bench-merging", "".join(linux(name, memory="96M") for name in names), memory=1024) as m:
        m.wait_prompt(600)
        m.wait_ready(*names, deadline=900)
        roots = optimum.tables(m, names)
        before = optimum.Dump(m)
        passes(m, 3)
        after = optimum.Dump(m)
        quiet, frames, needed = optimum.compare(optimum.contents(before, roots), optimum.contents(after, roots))
    title(f"Merging, {MERGED} Debian guests of 96 MiB, KASLR on")
    row("pages that were quiet for three passes", quiet, None)
    row("frames that hold them", frames, None)
    row("frames that would do (offline count)", needed, None)
    row("saved, of the optimum", round(100 * (quiet - frames) / (quiet - needed), 2), 95, unit=" %", least=True)


def bench_merging():
    bench_scanner("plain", (4000, 60))
    bench_writes("plain", 6000)
    bench_scanner("uniform", (None, None))
    bench_writes("uniform", None)
    bench_saved()
