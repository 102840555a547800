"""What compression costs: a page's way in by the compressor's own count of cycles, and back by a guest's faults.
Debian's pages lie between the two that are measured: one that shrinks to a fifth, and one that does not shrink."""
import re

from harness import fill
from harness.machine import Machine, guest

from .table import OPTIONS, row, title

HOST = 160      # MiB
SIZE = 24       # MiB of the guest whose pages are looked at
PAGES = SIZE * 240  # about: all of them


def counts(m):
    """Figures of `freecell` and of the guest: label -> count; and its stage-2 faults."""
    found = (re.match(r"\s*(\S.*?)\s{2,}(\d+) (?:pages|cycles|KiB)", line)
             for line in m.ok("freecell") + m.ok("dommemstat sleeper"))
    got = {row.group(1): int(row.group(2)) for row in found if row}
    got["faults"], got["fault cycles"], _ = m.vmexit("sleeper")["stage2"]
    got["tried"] = got["compressed so far"] + got["refused so far"]
    return got


def fill_all(m, name):
    fill.begin(m, name)
    m.poll(lambda: fill.filled(m, name), bool, 600, f"{name} to fill its memory")


def measure(content):
    """Figures when all of a paused guest's pages were tried, and when it looked at all of them again."""
    text = "".join(guest(name, "fill.elf", memory=f"{size}M", cmdline=f"own still {content}", autostart="no",
                         share_group="none") for name, size in (("first", 8), ("sleeper", SIZE), ("press", HOST - 40)))
    with Machine("bench-compression", text, memory=HOST, **OPTIONS) as m:
        m.wait_prompt(600)
        for name in ("first", "sleeper", "press"):
            m.ok(f"start {name}")
        for name in ("first", "sleeper"):
            fill_all(m, name)
        m.ok("suspend sleeper")
        fill.begin(m, "press")
        there = m.poll(lambda: counts(m), lambda c: c["tried"] >= PAGES, 600, "all pages to be tried")
        m.destroy("press")
        m.ok("resume sleeper")
        with m.attach("sleeper") as console:
            console.send("g")
            console.wait_for("ROUND 1", 300)
        return there, counts(m)


def bench_compression():
    there, back = measure("thin")
    faults, cycles = (back[key] - there[key] for key in ("faults", "fault cycles"))
    title("Compression, instructions a page")
    row("pages compressed, all of which shrink", there["compressed so far"], None)
    row("  to this part", round(100 * there["compressed_in"] / there["compressed"], 1), None, unit=" %")
    row("  looks and flushes included", round(there["cycles so far"] / there["tried"]), None)
    row("an access to one: fault, decompression", round(cycles / faults), None)
    row("  of the faults that were such", round(100 * back["decompressions"] / faults, 1), None, unit=" %")
    there, _ = measure("")
    row("a page that does not shrink", round(there["cycles so far"] / there["tried"]), None)
