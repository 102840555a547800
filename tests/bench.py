#!/usr/bin/python3
"""Prints what Quire costs beside the goals of the issue; it never fails for a figure.

Time is emulated: with -icount shift=0 the machine runs one instruction a nanosecond and the TSC counts them,
so cycles are path lengths in software and repeat within a few counts.
"""
import contextlib
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from harness import optimum, parse  # noqa: E402
from harness.bochs import BochsVmx  # noqa: E402
from harness.emulator import QemuSvm  # noqa: E402
from harness.machine import Machine, guest, linux  # noqa: E402

# bench.elf's name, what it is, our goal; Linux's KVM beside it is bench_peers.py's
EXITS = [
    ("cpuid", "CPUID", 300),
    ("rdmsr-intercepted", "RDMSR, intercepted", 300),
    ("hypercall", "hypercall", None),
    ("x2apic-tpr-read", "x2APIC MSR read", 300),
    ("x2apic-tpr-write", "x2APIC MSR write", 300),
    ("x2apic-eoi", "x2APIC EOI", 300),
    ("x2apic-self-ipi-to-handler", "x2APIC self-IPI to handler", None),
    ("xapic-eoi", "local APIC EOI by MMIO", 600),
    ("xapic-tpr-read", "local APIC read by MMIO", 600),
    ("port-21h", "port read, PIC mask (21h)", 600),
    ("port-61h", "port read, PIT gate (61h)", 600),
    ("port-80h-write", "port write without a device", 600),
    ("pm-timer", "PM timer read", 600),
    ("uart-lsr", "UART status read", 600),
    ("mmio-hpet", "MMIO read, HPET", 1000),
    ("mmio-ioapic", "MMIO read, IOAPIC", 1000),
    ("tsc-deadline-past", "TSC deadline to handler, past", 1200),
    ("tsc-deadline", "TSC deadline to handler, spinning", 1200),
    ("tsc-deadline-halted", "TSC deadline to handler, halted", None),
    ("cr0-wp", "CR0.WP toggled twice", None),
    ("cr4-pge", "CR4.PGE toggled twice", None),
    ("first-touch", "first touch of RAM, a page of 4 KiB", None),
    ("cr3-load", "CR3 load", None),
    ("invlpg", "INVLPG", None),
]
OPTIONS = dict(cpus=1, icount=True)


def row(what, got, goal, unit=""):
    shown = f"{got:g}{unit}" if got is not None else "-"
    mark = "" if goal is None or got is None else ("ok" if got <= goal else "OVER")
    print(f"{what:<44}{shown:>14}{'-' if goal is None else f'{goal:g}{unit}':>12}  {mark}", flush=True)


def title(text):
    print(f"\n{text:<44}{'Quire':>14}{'goal':>12}")


def exit_figures(emulator=QemuSvm, **options):
    """bench.elf's figures by name; none where the machine cannot be had."""
    text = guest("bench", "bench.elf", memory="32M", autostart="yes")
    try:
        with Machine("bench-exits", text, emulator=emulator, **(options or OPTIONS)) as m:
            m.wait_prompt(600)
            with m.attach("bench") as console:
                console.wait_for(r"\nEND", 180)
            return {key: int(value) for key, value in re.findall(r"BENCH (\S+) (\d+)", m.text())}
    except Exception as e:
        print(f"{emulator.name}: {e}")
        return {}


def bench_exits():
    """Bochs with one processor counts an instruction as a cycle, too."""
    svm, vmx = exit_figures(), exit_figures(BochsVmx, cpus=1)
    print(f"\n{'Exits, instructions for each operation':<44}{'SVM (QEMU)':>12}{'VMX (Bochs)':>12}{'goal':>8}")
    for key, what, goal in EXITS:
        shown = [f"{value}" if value is not None else "-" for value in (svm.get(key), vmx.get(key), goal)]
        over = [name for name, got in (("SVM", svm.get(key)), ("VMX", vmx.get(key))) if goal and got and got > goal]
        verdict = "" if goal is None else f"OVER: {' '.join(over)}" if over else "ok"
        print(f"{what:<44}{shown[0]:>12}{shown[1]:>12}{shown[2]:>8}  {verdict}", flush=True)


@contextlib.contextmanager
def two_debians():
    """A machine with the Debian guest alpha suspended, and beta, which was started later, at its shell."""
    text = linux("alpha", autostart="yes") + linux("beta", autostart="no")
    with Machine("bench-linux", text, **OPTIONS) as m:
        m.wait_prompt(600)
        m.wait_ready("alpha", deadline=900)
        m.ok("suspend alpha")
        m.ok("start beta")
        m.wait_ready("beta", deadline=900)
        yield m


def bench_boot(m):
    title("Boot, ms of emulated time")
    host, guests = parse.boot_report(m.ok("boot-report"))
    alpha, beta = guests.get("alpha", {}), guests.get("beta", {})
    firmware = host.get("in firmware I/O", 0)
    for what, got in host.items():
        row(what, round(got, 3), None)
    if "instruction" in alpha:
        took = host.get("firmware left", 0) - firmware + alpha["instruction"]
        row("efi_main to the first guest instruction*", round(took, 3), 50)
    if "instruction" in beta:
        first = beta["instruction"] - beta["start"]
        row("a further guest to its first instruction", round(first, 3), 1)
    print("* without firmware I/O")
    return beta


def bench_linux():
    with two_debians() as m:
        outside = parse.share_outside(m.ok("vmexit beta"))
        exits = m.vmexit("beta")
        beta = bench_boot(m)
        title("Debian's cloud kernel, one vCPU, 128 MiB, console=ttyS0 quiet")
        # quiet: READY, which init prints before it starts the shell, is the guest's first output
        row("first instruction to its shell, s", seconds(beta, "output"), 1.1)
        row("outside of the guest while not idle, %", round(outside, 2), 5)
        for reason, (count, cycles, mean) in sorted(exits.items(), key=lambda item: -item[1][1]):
            print(f"    {reason:<16}{count:>10} exits {cycles:>14} cycles {mean:>10} each")
        bench_memory(m)


WEIGHTS = [64, 128, 192, 256, 384, 512, 768, 1024]


def stats(m, name):
    rows = (line.split("=", 1) for line in m.ok(f"domstats {name}") if "=" in line)
    return {key: int(value) for key, value in rows if value.isdigit()}


def over(m, names, length):
    """domstats' growth of each while so many seconds of emulated time passed."""
    before = {name: stats(m, name) for name in names}
    m.poll(lambda: stats(m, names[0])["clock"] - before[names[0]]["clock"], lambda n: n > length * 1e9, 600, "time")
    after = {name: stats(m, name) for name in names}
    return {name: {key: n - before[name].get(key, 0) for key, n in after[name].items()} for name in names}


def percentile(waited, part):
    """The cycles under which this part of the wake-ups waited: the upper end of a bucket that doubles."""
    left = part * sum(waited.values())
    for cycles, n in sorted(waited.items()):
        left -= n
        if left <= 0:
            return 2 * cycles
    return None


def bench_sched():
    """On one CPU: with two, icount runs them in turns and a machine takes minutes."""
    text = "".join(guest(f"w{w}", "busy.elf", memory="16M", autostart="no", cmdline="-", weight=w) for w in WEIGHTS)
    text += "".join(guest(f"b{i}", "busy.elf", memory="16M", autostart="no", cmdline="-") for i in range(4))
    with Machine("bench-sched", text + linux("alpha"), **OPTIONS) as m:
        m.wait_prompt(600)
        m.wait_ready("alpha", deadline=900)
        title("Scheduling, one CPU")
        over(m, ["alpha"], 5)  # what its boot left to do
        idle = over(m, ["alpha"], 20)["alpha"]
        row("an idle Debian guest's exits a second", round(idle["vcpu.0.exits"] * 1e9 / idle["clock"], 1), 10, None)
        row("its part of a CPU, %", round(100 * idle["cpu"] / idle["clock"], 3), 0.1, None)
        for i in range(4):
            m.ok(f"start b{i}")
        before = stats(m, "alpha")
        m.run_shell("alpha", "i=0; while [ $i -lt 500 ]; do usleep 5000; i=$((i+1)); done", deadline=600)
        after = stats(m, "alpha")
        waited = {int(key.split(".")[-1]): n - before.get(key, 0) for key, n in after.items() if ".waited." in key}
        for part in (0.5, 0.99):
            row(f"wake-ups beside four that burn, {100 * part:g} % within, us",
                round(percentile(waited, part) * 1e6 / after["tsc-hz"], 1), 1000 if part > 0.9 else None, None)
        for name in ("alpha", "b0", "b1", "b2", "b3"):
            m.destroy(name)
        for w in WEIGHTS:
            m.ok(f"start w{w}")
        ran = {w: n["cpu"] / n["clock"] for w, n in zip(WEIGHTS, over(m, [f"w{w}" for w in WEIGHTS], 10).values())}
        worst = max(abs(ran[w] * sum(WEIGHTS) / w / sum(ran.values()) - 1) for w in WEIGHTS)
        row("eight of weight 64 to 1024, 10 s: worst off its share, %", round(100 * worst, 2), 1, None)


MERGED = 8  # guests


def bench_merging():
    """What the scanner saved, of what an offline count of equal pages says; of pages quiet for two intervals."""
    names = [f"g{n}" for n in range(MERGED)]
    text = "".join(linux(name, memory="96M") for name in names)
    with Machine("bench-merging", text, memory=1024) as m:
        m.wait_prompt(600)
        m.wait_ready(*names, deadline=900)
        roots = {name: int(parse.facts(m.ok(f"dominfo {name}"))["Stage 2"], 16) for name in names}
        scans = full_scans(m)
        before = optimum.Dump(m)
        m.poll(lambda: full_scans(m), lambda n: n >= scans + 3, 300, "three passes")
        after = optimum.Dump(m)
        quiet, frames, needed = optimum.compare(optimum.contents(before, roots), optimum.contents(after, roots))
        title(f"Merging, {MERGED} Debian guests of 96 MiB, KASLR on")
        row("pages that were quiet for two intervals", quiet, None, None)
        row("frames that hold them", frames, None, None)
        row("frames that would do (offline count)", needed, None, None)
        saved = 100 * (quiet - frames) / (quiet - needed)
        print(f"{'saved, % of the optimum (goal: 95 or more)':<44}{saved:>14.2f}{95:>12}{'-':>12}  "
              f"{'ok' if saved >= 95 else 'UNDER'}", flush=True)


def full_scans(m):
    return int(parse.facts(m.ok("ksm show"))["full_scans"])


def seconds(report, key):
    return round((report[key] - report["instruction"]) / 1000, 3) if key in report else None


def bench_memory(m):
    title("Memory, KiB")
    cells = {label: size // 1024 for label, size in m.freecell().items()}
    row("Quire itself, of 1 GiB", cells.get("kernel"), 16 * 1024)
    goal = 512 + 128 * 1024 * 0.008
    row("a running guest of 128 MiB beyond its RAM", cells.get("beta overhead"), goal)
    for label, kib in cells.items():
        print(f"    {label:<40}{kib:>12}")


def main():
    for part in (bench_exits, bench_linux, bench_sched, bench_merging):
        try:
            part()
        except Exception as e:  # a figure that cannot be had does not hide the others
            print(f"{part.__name__}: {e}")


if __name__ == "__main__":
    main()
