"""Two processors: IPIs between them, fairness across them, and spinlocks in guests that share them.

Bochs runs its processors in turns of 16 instructions, so theirs is one time: a cycle of the TSC is an instruction
of each.  (QEMU's icount takes turns of milliseconds, and its threads have a time of their own each.)
"""
import re
import time

from harness.bochs import BochsSvm, BochsVmx
from harness.machine import Machine, guest

from .sched import WEIGHTS, over, row_of_shares, stats
from .table import OPTIONS, row, title

LOCKS = [f"lock{i}" for i in range(4)]


def ipi_figures(m, cpus, words=""):
    """bench.elf's figures of IPIs; cpus: the host's for each of its two vCPUs.  m has the guest ipi`words`."""
    name = f"ipi{words}"
    m.ok(f"start {name}")
    with m.attach(name) as console:
        console.wait_for("GO\\?", 60)
    for vcpu, cpu in enumerate(cpus):
        m.ok(f"vcpupin {name} {vcpu} {cpu}")
    with m.attach(name) as console:
        console.send("g")
        console.wait_for(r"\nEND", 120)
    m.destroy(name)
    return {key: int(value) for key, value in re.findall(r"BENCH (ipi-\S+) (\d+)", m.text())}


def ipi_guest(words=""):
    return guest(f"ipi{words}", "bench.elf", memory="16M", vcpus=2, autostart="no", cmdline=f"ipi {words}")


def bench_ipi():
    with Machine("bench-ipi", ipi_guest(), **OPTIONS) as m:
        m.wait_prompt(600)
        title("IPIs, instructions")
        row("to a halted vCPU on the same CPU, SVM", ipi_figures(m, [0, 0])["ipi-halted"], None)
    with Machine("bench-ipi", ipi_guest() + ipi_guest("spinning"), emulator=BochsVmx) as m:
        m.wait_prompt(120)
        row("to a halted vCPU on the same CPU, VMX", ipi_figures(m, [0, 0])["ipi-halted"], None)
        figures = ipi_figures(m, [0, 1], "spinning")
        row("to a halted vCPU on another CPU, VMX", figures["ipi-halted"], None)
        row("to a computing vCPU's handler, another CPU", figures["ipi-spinning"], None)


def word(m, name, address):
    """A guest's 8 bytes at a physical address."""
    line = next(line for line in m.ok(f"dumpmem {name} 0x{address} 8") if re.match("[0-9a-f]{12}  ", line))
    return int.from_bytes(bytes.fromhex("".join(line.split()[1:9])), "little")


def rounds(m, names, seconds):
    """Rounds of all these guests' locks in a second of the host's clock, and what their PAUSE loops did."""
    at = {}
    for name in names:
        m.ok(f"start {name}")
        with m.attach(name) as console:
            at[name] = console.wait_for(r"COUNT AT ([0-9a-f]+)\r?\n", 60).group(1)
    time.sleep(1)
    before = {name: (word(m, name, at[name]), stats(m, name)) for name in names}
    m.poll(lambda: stats(m, names[0])["clock"], lambda now: now > before[names[0]][1]["clock"] + seconds * 1e9, 20,
           "time")
    rate = pauses = directed = 0
    for name, (count, old) in before.items():
        now, new = word(m, name, at[name]), stats(m, name)
        rate += (now - count) * 1e9 / (new["clock"] - old["clock"])
        for i in range(2):
            pauses += new[f"vcpu.{i}.pauses"] - old[f"vcpu.{i}.pauses"]
            directed += new[f"vcpu.{i}.directed"] - old[f"vcpu.{i}.directed"]
    return rate, pauses, directed


def bench_locks(m):
    alone, pauses, directed = rounds(m, LOCKS[:1], 1)
    print(f"    alone: {alone:.0f} rounds/s, {pauses} pause exits, {directed} directed yields")
    m.destroy(LOCKS[0])
    together, pauses, directed = rounds(m, LOCKS, 2)
    print(f"    four: {together:.0f} rounds/s, {pauses} pause exits, {directed} directed yields")
    row("spinlocks: four of two vCPUs, % of one alone", round(100 * together / alone, 1), 85, least=True)
    for name in LOCKS:
        m.destroy(name)


def bench_fair(m):
    for w in WEIGHTS:
        m.ok(f"start w{w}")
    over(m, ["w64"], 1)
    row_of_shares(m)
    for w in WEIGHTS:
        m.destroy(f"w{w}")


def bench_smp():
    text = "".join(guest(f"w{w}", "busy.elf", memory="16M", autostart="no", cmdline="-", weight=w) for w in WEIGHTS)
    locks = "".join(guest(name, "spinlock.elf", memory="16M", vcpus=2, autostart="no") for name in LOCKS)
    with Machine("bench-smp", text + locks, emulator=BochsVmx) as m:
        m.wait_prompt(120)
        title("Two CPUs, VMX: PAUSE-loop exiting")
        bench_locks(m)
        bench_fair(m)
    with Machine("bench-smp", locks, emulator=BochsSvm) as m:
        m.wait_prompt(120)
        title("Two CPUs, SVM: the pause filter")
        bench_locks(m)
