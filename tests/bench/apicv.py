"""Why Debian leaves guest mode with its local APIC left to the processor, and without, on Bochs's VMX.

`nopv` on its command line makes it end interrupts at the local APIC, as a system does that does not know KVM's
paravirtual EOI.
"""
import re

from harness.bochs import BochsVmx
from harness.machine import Machine, linux

WITH = "serial = com1\nvmx.apicv = on\n"
REASONS = ["msr-write", "msr-read", "lapic", "eoi", "window", "interrupt", "hlt", "hypercall", "total"]
LOADS = [
    ("idle for 10 s", "sleep 10"),
    ("100 sleeps of 3 ms", "i=0; while [ $i -lt 100 ]; do usleep 3000; i=$((i+1)); done"),
    ("20 pipes of four", "i=0; while [ $i -lt 20 ]; do echo $i | cat | cat | cat >/dev/null; i=$((i+1)); done"),
]


def counts(m):
    lines = (re.match(r"([a-z0-9-]+) +(\d+) ", line) for line in m.ok("vmexit alpha"))
    return {line.group(1): int(line.group(2)) for line in lines if line}


def debian_counts(host, words=""):
    """Exits by reason of each part: the boot, then each load."""
    with Machine("bench-apicv", linux("alpha", vcpus=2, arguments=words), emulator=BochsVmx, host=host) as m:
        m.wait_prompt(200)
        m.wait_ready("alpha")
        seen = [{}, counts(m)]
        for _, command in LOADS:
            m.run_shell("alpha", command)
            seen.append(counts(m))
    return [{key: after[key] - before.get(key, 0) for key in after} for before, after in zip(seen, seen[1:])]


def bench_apicv():
    for words in ("", "nopv"):
        without, with_it = debian_counts("serial = com1\n", words), debian_counts(WITH, words)
        heads = " ".join(f"{reason:>11}" for reason in REASONS)
        print(f"\n{f'Exits of Debian {words}, 2 vCPUs, APICv':<50} {heads}")
        for n, what in enumerate(["boot"] + [what for what, _ in LOADS]):
            for label, figures in (("without", without[n]), ("with", with_it[n])):
                print(f"{what:<40}{label:<10}", " ".join(f"{figures.get(r, 0):>11}" for r in REASONS), flush=True)
