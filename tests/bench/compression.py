"""What a compressed page costs, on Debian's pages: going in by the compressor's own count of cycles, coming back by the
guest's stage-2 faults."""
import re

from harness import fill
from harness.machine import Machine, guest, linux

from .table import OPTIONS, row, title

HOST = 256  # MiB


def counts(m, name):
    """Figures of `freecell` and of a guest: label -> count."""
    lines = m.ok("freecell") + m.ok(f"dommemstat {name}")
    found = (re.match(r"\s*(\S.*?)\s{2,}(\d+) (?:pages|cycles|KiB)", line) for line in lines)
    got = {row.group(1): int(row.group(2)) for row in found if row}
    got["faults"], got["fault cycles"], _ = m.vmexit(name)["stage2"]
    return got


def bench_compression():
    text = "".join(linux(name, memory="96M", share_group="none") for name in ("first", "sleeper"))
    text += guest("press", "fill.elf", memory="128M", cmdline="own still", share_group="none", autostart="no")
    with Machine("bench-compression", text, memory=HOST, **OPTIONS) as m:
        m.wait_prompt(600)
        m.wait_ready("first", "sleeper", deadline=900)
        m.ok("pause sleeper")
        m.ok("start press")
        fill.begin(m, "press")
        m.poll(lambda: "compression ends" in "\n".join(m.ok("dmesg")), bool, 600, "compression to end")
        there = counts(m, "sleeper")
        m.destroy("press")
        m.ok("resume sleeper")
        m.run_shell("sleeper", "md5sum /bin/busybox; ls -lR /proc/sys /sys/kernel > /dev/null", 300)
        back = counts(m, "sleeper")
    tried = there["compressed so far"] + there["refused so far"]
    faults, cycles = (back[key] - there[key] for key in ("faults", "fault cycles"))
    title("Compression, instructions a page of Debian's")
    row("pages compressed", there["compressed so far"], None)
    row("pages that did not shrink", there["refused so far"], None)
    left = 100 * there["compressed_in"] / there["compressed"]
    row("what is left of those compressed", round(left, 1), None, unit=" %")
    row("a page, looks and flushes included", round(there["cycles so far"] / tried), None)
    row("a fault on a compressed page", round(cycles / faults), None)
    row("of the faults on compressed ones", round(100 * back["decompressions"] / faults, 1), None, unit=" %")
