"""What an exit costs, on SVM and on VMX: the figures of tests/guests/bench."""
import re

from harness.bochs import BochsVmx
from harness.emulator import QemuSvm
from harness.machine import Machine, guest

from .apicv import WITH
from .table import OPTIONS

# bench.elf's name, what it is, our goal; Linux's KVM beside it is peers.py's
EXITS = [
    ("cpuid", "CPUID", 300),
    ("cpuid-traced", "CPUID while a trace runs", None),
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


def exit_figures(emulator=QemuSvm, **options):
    """bench.elf's figures by name; none where the machine cannot be had."""
    text = guest("bench", "bench.elf", memory="32M", autostart="yes")
    try:
        with Machine("bench-exits", text, emulator=emulator, **(options or OPTIONS)) as m:
            m.wait_prompt(600)
            with m.attach("bench") as console:
                console.wait_for(r"\nEND", 180)
            return {key: int(value) for key, value in re.findall(r"BENCH (\S+) (\d+)", m.text())} | traced(m)
    except Exception as e:
        print(f"{emulator.name}: {e}")
        return {}


def traced(m):
    """The same CPUID while the trace runs."""
    m.destroy("bench")
    m.ok("trace start")
    m.ok("start bench")
    with m.attach("bench") as console:
        return {"cpuid-traced": int(console.wait_for(r"\*\*\* run 2 \*\*\*[^*]*BENCH cpuid (\d+)\r?\n", 180).group(1))}


def bench_exits():
    """Bochs with one processor counts an instruction as a cycle, too."""
    svm, vmx = exit_figures(), exit_figures(BochsVmx, cpus=1)
    live = exit_figures(BochsVmx, cpus=1, host=WITH)
    heads = "".join(f"{head:>12}" for head in ("SVM (QEMU)", "VMX (Bochs)", "with APICv"))
    print(f"\n{'Exits, instructions for each operation':<44}{heads}{'goal':>8}")
    for key, what, goal in EXITS:
        figures = svm.get(key), vmx.get(key), live.get(key), goal
        shown = [f"{value}" if value is not None else "-" for value in figures]
        over = [name for name, got in (("SVM", svm.get(key)), ("VMX", vmx.get(key))) if goal and got and got > goal]
        verdict = "" if goal is None else f"OVER: {' '.join(over)}" if over else "ok"
        print(f"{what:<44}{shown[0]:>12}{shown[1]:>12}{shown[2]:>12}{shown[3]:>8}  {verdict}", flush=True)
