"""Fairness, the latency of wake-ups, and what an idle guest costs."""
from harness.bochs import BochsVmx
from harness.machine import Machine, guest, linux

from .table import OPTIONS, row, title

QUIET = "tsc=nowatchdog sysctl.vm.compaction_proactiveness=0"  # four of its six timers a second
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


def switch_cost(m, names):
    """What it takes out of the time of two guests that burn when the other's turn comes, in instructions."""
    part = over(m, names, 4)
    lost = sum(n["cpu"] - n["vcpu.0.guest"] for n in part.values())
    return lost / sum(n["vcpu.0.exits"] for n in part.values())


def bench_idle(m, name, what):
    over(m, [name], 5)  # what its boot left to do
    idle = over(m, [name], 20)[name]
    row(f"{what}: exits a second", round(idle["vcpu.0.exits"] * 1e9 / idle["clock"], 1), 10)
    row("    wake-ups a second", round(idle["vcpu.0.wakeups"] * 1e9 / idle["clock"], 1), None)
    row("    its part of a CPU, %", round(100 * idle["cpu"] / idle["clock"], 3), 0.1)


def row_of_shares(m):
    """Of the guests w64 to w1024, which burn."""
    ran = {w: n["cpu"] / n["clock"] for w, n in zip(WEIGHTS, over(m, [f"w{w}" for w in WEIGHTS], 10).values())}
    worst = max(abs(ran[w] * sum(WEIGHTS) / w / sum(ran.values()) - 1) for w in WEIGHTS)
    row("eight of weight 64 to 1024, 10 s: worst off its share, %", round(100 * worst, 2), 1)


def bench_invariant():
    """On QEMU the TSC is not said to be invariant, as every processor's of today is, and Linux watches it."""
    with Machine("bench-idle", linux("alpha"), emulator=BochsVmx, cpus=1) as m:
        m.wait_prompt(120)
        m.wait_ready("alpha", deadline=120)
        bench_idle(m, "alpha", "an idle Debian guest, invariant TSC (VMX)")


def bench_sched():
    """On one CPU: with two, icount runs them in turns and a machine takes minutes."""
    text = "".join(guest(f"w{w}", "busy.elf", memory="16M", autostart="no", cmdline="-", weight=w) for w in WEIGHTS)
    text += "".join(guest(f"b{i}", "busy.elf", memory="16M", autostart="no", cmdline="-") for i in range(4))
    text += linux("alpha") + linux("quiet", autostart="no", arguments=QUIET)
    with Machine("bench-sched", text, **OPTIONS) as m:
        m.wait_prompt(600)
        m.wait_ready("alpha", deadline=900)
        title("Scheduling, one CPU")
        bench_idle(m, "alpha", "an idle Debian guest")
        m.ok("start quiet")
        m.wait_ready("quiet", deadline=900)
        bench_idle(m, "quiet", "one without kcompactd's timer and TSC watchdog")
        m.destroy("quiet")
        for i in range(4):
            m.ok(f"start b{i}")
        before = stats(m, "alpha")
        m.run_shell("alpha", "i=0; while [ $i -lt 500 ]; do usleep 5000; i=$((i+1)); done", deadline=600)
        after = stats(m, "alpha")
        waited = {int(key.split(".")[-1]): n - before.get(key, 0) for key, n in after.items() if ".waited." in key}
        for part in (0.5, 0.99):
            row(f"wake-ups beside four that burn, {100 * part:g} % within, us",
                round(percentile(waited, part) * 1e6 / after["tsc-hz"], 1), 1000 if part > 0.9 else None)
        for name in ("alpha", "b2", "b3"):
            m.destroy(name)
        row("timer's interrupt and a switch to another guest", round(switch_cost(m, ["b0", "b1"])), None)
        for name in ("b0", "b1"):
            m.destroy(name)
        for w in WEIGHTS:
            m.ok(f"start w{w}")
        row_of_shares(m)
    bench_invariant()
