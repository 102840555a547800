#!/usr/bin/python3
"""profile.py OPERATION: where the emulated instructions of one exit go, by function of Quire.

bench.elf does the operation for ever while QEMU logs each executed instruction for a moment; the log's
addresses are looked up in the image's symbols and divided by the number of rounds.
"""
import collections
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from harness.machine import ROOT, Machine, guest  # noqa: E402

USER = 0x400000000000


def symbols(path):
    rows = []
    for line in subprocess.run(["nm", "-n", path], capture_output=True, text=True).stdout.splitlines():
        address, kind, name = line.split()[:3]
        if kind in "tT":
            rows.append((int(address, 16), name))
    return rows


def find(rows, address):
    low, high = 0, len(rows)
    while low < high:
        middle = (low + high) // 2
        if rows[middle][0] <= address:
            low = middle + 1
        else:
            high = middle
    return rows[low - 1][1] if low else "?"


def trace(operation, log):
    text = guest("bench", "bench.elf", memory="32M", autostart="yes", cmdline=operation)
    with Machine("profile", text, cpus=1, icount=True, extra=["-D", log]) as m:
        m.wait_prompt(300)
        base = int(re.search(r"image at ([0-9a-f]+)", "\n".join(m.ok("dmesg", 120))).group(1), 16)
        with m.attach("bench") as console:
            console.wait_for("LOOP", 300)
        for command in ("stop", "singlestep on", "log exec,nochain", "cont"):
            m.emulator.command("human-monitor-command", **{"command-line": command})
        while os.path.getsize(log) < 60_000_000:
            m.emulator.command("query-status")
        m.emulator.command("human-monitor-command", **{"command-line": "log none"})
    return base


def main():
    operation = sys.argv[1]
    log = os.path.join(ROOT, "build", "profile.trace")
    if os.path.exists(log):
        os.unlink(log)
    open(log, "w").close()
    base = trace(operation, log)
    kernel = symbols(os.path.join(ROOT, "build", "quire.elf"))
    machine = symbols(os.path.join(ROOT, "build", "machine.elf"))
    counts, entries = collections.Counter(), 0
    for line in open(log, errors="replace"):
        match = re.search(r"\[[0-9a-f]+/([0-9a-f]+)/", line)
        if not match:
            continue
        pc = int(match.group(1), 16)
        if base <= pc < base + (1 << 24):
            name = find(kernel, pc - base)
            entries += pc - base == entry_of(kernel)
        elif pc >= USER:
            name = "ring 3: " + find(machine, pc)
        else:
            name = "guest"
        counts[name] += 1
    print(f"{operation}: {sum(counts.values()) / max(entries, 1):.1f} instructions an entry, {entries} entries")
    for name, count in counts.most_common(60):
        if count >= entries / 20:
            print(f"{count / max(entries, 1):9.1f}  {name}")


def entry_of(rows):
    return next(address for address, name in rows if name == "svm_enter")


if __name__ == "__main__":
    main()
