"""Who gets the processors: shares by weight, caps, pins, wake-ups beside guests that burn, and the commands."""
import json
import re
import time

import pytest

import trace_json as trace
from harness.machine import Machine, guest, linux

WEIGHTS = [64, 128, 192, 256, 384, 512, 768, 1024]


def stats(machine, name):
    """`domstats`: key -> number, or word"""
    rows = (line.split("=", 1) for line in machine.ok(f"domstats {name}") if "=" in line)
    return {key: int(value) if value.isdigit() else value for key, value in rows}


@pytest.fixture(scope="module")
def machine():
    text = "".join(guest(f"w{w}", "busy.elf", memory="16M", autostart="no", cmdline="-", weight=w) for w in WEIGHTS)
    text += linux("alpha", weight=1024) + linux("three", vcpus=3, autostart="no")
    with Machine("sched", text) as m:
        m.wait_prompt(90)
        m.wait_ready("alpha")
        yield m


def grown(before, after, key):
    return after[key] - before[key]


@pytest.fixture(scope="module")
def even(emulator):
    """Emulated time, one instruction a nanosecond: what a busy test machine takes away is not seen."""
    text = "".join(guest(f"w{w}", "busy.elf", memory="16M", autostart="no", cmdline="-", weight=w) for w in WEIGHTS)
    text += guest("half", "busy.elf", memory="16M", autostart="no", cmdline="-", cap=50)
    with Machine("sched-even", text, cpus=1, icount=True, verify_during=False) as m:  # each instruction is counted
        m.wait_prompt(400)
        yield m


def used_over(machine, names, seconds):
    """What each of them ran, in seconds, while so much emulated time passed."""
    before = {name: stats(machine, name) for name in names}
    machine.poll(lambda: stats(machine, names[0])["clock"] - before[names[0]]["clock"],
                 lambda passed: passed > seconds * 1e9, 120, f"{seconds} s of emulated time")
    after = {name: stats(machine, name) for name in names}
    part = {name: grown(before[name], after[name], "cpu") / grown(before[name], after[name], "clock") for name in names}
    print("\nparts of the CPU:", {name: round(p, 4) for name, p in part.items()})
    return part


def test_shares_of_eight(even):
    """Each has its weight's part of what all eight ran; an operator changes it."""
    names = [f"w{w}" for w in WEIGHTS]
    for name in names:
        even.ok(f"start {name}")
    part = used_over(even, names, 2)
    whole = sum(part.values())
    off = {w: 2 * (part[f"w{w}"] - whole * w / sum(WEIGHTS)) for w in WEIGHTS}
    assert whole > 0.97
    assert all(abs(seconds) < 0.01 for seconds in off.values()), off
    even.ok("schedinfo w64 weight=1024")
    assert any(re.match(r"weight\s+1024$", line) for line in even.ok("schedinfo w64"))
    part = used_over(even, ["w64", "w1024"], 1)
    assert abs(part["w64"] - part["w1024"]) < 0.03, part
    for bad in ("weight=63", "weight=1025", "cap=6401", "cap=-1", "weight", "x=1"):
        even.error(f"schedinfo w64 {bad}")
    for name in names:
        even.destroy(name)


def test_cap(even):
    even.ok("start half")
    assert 0.45 < used_over(even, ["half"], 1)["half"] < 0.52
    assert stats(even, "half")["vcpu.0.capped"] > 4e8
    even.ok("schedinfo half cap=20")
    assert 0.18 < used_over(even, ["half"], 1)["half"] < 0.22
    even.ok("schedinfo half cap=0")
    capped = stats(even, "half")["vcpu.0.capped"]
    assert used_over(even, ["half"], 0.5)["half"] > 0.95
    assert stats(even, "half")["vcpu.0.capped"] < capped + 1e7
    even.destroy("half")


def test_a_prompt_beside_eight_that_burn(machine):
    """The monitor and its machine processes answer at once."""
    for w in WEIGHTS:
        machine.ok(f"start w{w}")
    assert machine.run_shell("alpha", "echo here") == "here"
    took = []
    for _ in range(10):
        start = time.monotonic()
        machine.ok("uptime")
        took.append(time.monotonic() - start)
    assert sorted(took)[5] < 1 * machine.slow, took


def test_wake_ups_beside_eight_that_burn(machine):
    """alpha sleeps and wakes; its wake-ups wait less than a millisecond, but for those that the emulator delays."""
    before = stats(machine, "alpha")
    machine.run_shell("alpha", "i=0; while [ $i -lt 50 ]; do usleep 200000; i=$((i+1)); done; echo done", deadline=60)
    after = stats(machine, "alpha")
    waited = {int(key.split(".")[-1]): n - before.get(key, 0) for key, n in after.items() if ".waited." in key}
    early = sum(n for cycles, n in waited.items() if 2 * cycles <= after["tsc-hz"] / 1000)
    print("\nwake-ups by cycles waited:", waited, "of", after["tsc-hz"], "Hz")
    # Most, where the bound is of the 99th percentile: that is asserted by the simulator and measured by make bench.
    assert sum(waited.values()) >= 50 and early >= sum(waited.values()) / 2, waited
    assert any(re.search(r"vCPU 0: 50 % \S+ [num]s, 99 % \S+ [num]s", line) for line in machine.ok("vcpuinfo alpha"))


def test_pins(machine):
    machine.ok("vcpupin w512 0 1")
    time.sleep(0.5)
    moves = stats(machine, "w512")["vcpu.0.moves"]
    for _ in range(5):
        time.sleep(0.3)
        now = stats(machine, "w512")
        assert now["vcpu.0.cpu"] == 1 and now["vcpu.0.moves"] == moves
    machine.ok("vcpupin w512 0 0")
    machine.poll(lambda: stats(machine, "w512")["vcpu.0.cpu"], lambda cpu: cpu == 0, 10, "vCPU 0 on CPU 0")
    assert any("may use CPUs 0" in line for line in machine.ok("vcpuinfo w512"))
    machine.ok("vcpupin w512 0 all")
    for bad in ("0 2", "0 x", "1 0", "0 1-0", "0 ,"):
        machine.error(f"vcpupin w512 {bad}")


def test_top(machine):
    machine.send("top\r")
    machine.wait_for(r"ID\s+NAME\s+STATE\s+VCPUS\s+CPU\s+READY\s+EXITS/S\s+MEMORY\r?\n")
    machine.wait_for(r"by cpu: [^\n]*q leaves")  # the next table
    machine.wait_for(r"w1024\s+running\s+1\s+[\d.]+ %\s+[\d.]+ %\s+\d+\s+[\d.]+ KiB")
    machine.send("m")
    machine.wait_for(r"by memory: ")
    machine.wait_for(r"alpha\s+running[^\n]* MiB[^\n]*\n[^\n]*w\d+\s+running")  # it has the most
    machine.send("q")
    machine.wait_prompt(10)


def test_clocks_run_on_while_paused(machine):
    """The guest's clock and the host's go the same way over ten pauses, and nothing is lost or complained of."""
    def clocks():
        """The guest's seconds, and the host's before and after they were read."""
        first = stats(machine, "alpha")["clock"] / 1e9
        guest_s = float(machine.run_shell("alpha", "cut -d' ' -f1 /proc/uptime"))
        return guest_s, first, stats(machine, "alpha")["clock"] / 1e9

    before = clocks()
    for _ in range(10):
        machine.ok("suspend alpha")
        time.sleep(0.5)
        machine.ok("resume alpha")
    after = clocks()
    passed, least, most = after[0] - before[0], after[1] - before[2], after[2] - before[1]
    print("\nguest's seconds:", passed, "host's:", least, "to", most)
    assert least > 5 and least - 0.02 < passed < most + 0.02
    assert machine.run_shell("alpha", "dmesg | grep -ciE 'stall|lockup|unstable'; true") == "0"


def test_paravirtual_help(machine):
    """Debian's kernel finds the clock, steal time, lock kicks and IPIs, and what is stolen is shown."""
    for w in WEIGHTS:
        if stats(machine, f"w{w}")["state"] != "off":
            machine.destroy(f"w{w}")
    machine.ok("start three")
    machine.wait_ready("three")
    log = machine.run_shell("three", "dmesg | grep -iE 'kvm-guest'")
    for what in ("PV spinlocks enabled", "setup PV IPIs", "setup pv remote TLB flush"):
        assert what in log, log
    clock = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
    assert machine.run_shell("three", f"cat {clock}") == "kvm-clock"

    def stolen():
        line = machine.run_shell("three", "head -1 /proc/stat")
        return int(line.split()[8]) / 100

    before, there = stolen(), stats(machine, "three")
    machine.ok("schedinfo three cap=40")
    burn = "(i=0; while [ $i -lt 6000 ]; do i=$((i+1)); done)"
    machine.run_shell("three", f"for n in 1 2 3; do {burn} & done; wait", deadline=90)
    machine.ok("schedinfo three cap=0")
    after, here = stolen(), stats(machine, "three")
    ours = sum(grown(there, here, f"vcpu.{i}.{what}") for i in range(3) for what in ("ready", "capped")) / 1e9
    print("\nstolen:", after - before, "s as the guest sees it,", ours, "s as we count it")
    assert after - before > 0.2 and 0.5 < (after - before) / ours < 1.5
    assert machine.vmexit("three")["hypercall"][0] > 0
    ended = sum(grown(there, here, f"vcpu.{i}.pv-eois") for i in range(3))
    exits = sum(grown(there, here, f"vcpu.{i}.exits") for i in range(3))
    print("interrupts that Debian ended without an exit:", ended, "beside", exits, "exits")
    assert ended > 100
    assert "rcu" not in machine.run_shell("three", "dmesg | grep -iE 'stall|lockup' ; true")


def test_trace(machine):
    """A trace of two guests becomes a file that Chrome's trace viewer and Perfetto open."""
    if stats(machine, "w64")["state"] == "off":
        machine.ok("start w64")
    machine.ok("trace start")
    assert machine.run_shell("alpha", "echo traced") == "traced"
    machine.ok("trace stop")
    text = "\n".join(machine.ok("trace show 2048", deadline=60))
    hz, records = trace.parse(text)
    assert hz == stats(machine, "alpha")["tsc-hz"] and len(records) > 100
    made = json.loads(json.dumps(trace.chrome(hz, records)))
    check_chrome(made["traceEvents"])
    slices = [e for e in made["traceEvents"] if e["ph"] == "X"]
    assert {"run", "exit"} <= {e["cat"] for e in slices}
    assert {"w64/0", "alpha/0", "Quire"} <= {e["name"] for e in slices if e["cat"] == "run"}
    assert {"io", "hlt"} & {e["name"] for e in slices if e["cat"] == "exit"}
    assert any(e["ph"] == "i" and e["name"].startswith("0x") for e in made["traceEvents"])
    for cpu in (0, 1):  # one thing at a time on each CPU
        runs = sorted((e["ts"], e["dur"]) for e in slices if e["cat"] == "run" and e["tid"] == cpu)
        assert all(a[0] + a[1] <= b[0] + 0.001 for a, b in zip(runs, runs[1:]))
    machine.error("trace show 0")
    machine.error("trace sing")


def check_chrome(events):
    """The parts of the trace event format that viewers insist on."""
    for e in events:
        assert e["ph"] in "XiM" and isinstance(e["name"], str)
        assert isinstance(e["pid"], int) and isinstance(e["tid"], int)
        if e["ph"] == "M":
            assert e["name"] in ("process_name", "thread_name") and isinstance(e["args"]["name"], str)
            continue
        assert isinstance(e["ts"], (int, float)) and e["ts"] >= 0
        assert e["ph"] != "X" or e["dur"] >= 0
        assert e["ph"] != "i" or e["s"] in "tpg"
