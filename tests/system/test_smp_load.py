"""Two Debian guests of 4 vCPUs each on two CPUs: they work side by side, their kernels complain of nothing, and their
clocks keep the host's time across pauses."""
import time

import pytest

from harness.machine import Machine, linux

NAMES = ("alpha", "beta")
PAUSES = 20
JOBS = 8
# Forks, pipes and computing, as a make -j does it.
WORK = ("end=$(($(cut -d. -f1 /proc/uptime) + {seconds})); for j in $(seq {jobs}); do (n=0; "
        "while [ $(cut -d. -f1 /proc/uptime) -lt $end ]; do "
        "dd if=/dev/zero bs=64k count=20 2>/dev/null | gzip | md5sum >/dev/null; n=$((n+1)); done; "
        "echo $n rounds >>/work) & done; wait; echo finished >>/work")
COMPLAINTS = "stall|lockup|hung|blocked for more|unstable|skew|jumped|BUG:|WARNING:|Call Trace"
TOLD = "TSCs unsynchronized"  # what Linux concludes from a processor without an invariant TSC, as QEMU's is


@pytest.fixture(scope="module")
def machine(emulator):
    with Machine("smp-load", "".join(linux(name, vcpus=4) for name in NAMES)) as m:
        m.wait_prompt(120)
        for name in NAMES:
            m.wait_ready(name, deadline=180)
        yield m


def host_clock(machine):
    return next(int(line[6:]) for line in machine.ok("domstats alpha") if line.startswith("clock=")) / 1e9


def clocks(machine, name):
    """The guest's clock, and the host's before and after it was read: of several readings the one most quickly done."""
    readings = []
    for _ in range(8):
        first = host_clock(machine)
        now = machine.run_shell(name, "awk '/^now at/ { print $3; exit }' /proc/timer_list", deadline=60)
        readings.append((int(now) / 1e9, first, host_clock(machine)))
    return min(readings, key=lambda r: r[2] - r[1])


def finished(machine, name):
    return "finished" in machine.run_shell(name, "cat /work 2>/dev/null; true", deadline=60)


def load(machine, seconds):
    before = {name: clocks(machine, name) for name in NAMES}
    for name in NAMES:
        machine.run_shell(name, f"rm -f /work; ({WORK.format(seconds=seconds, jobs=JOBS)}) >/dev/null 2>&1 & true")
    for _ in range(PAUSES):
        time.sleep(seconds / PAUSES / 2)
        machine.ok("suspend alpha")
        time.sleep(0.3)
        machine.ok("resume alpha")
    for name in NAMES:
        machine.poll(lambda: finished(machine, name), bool, 3 * seconds + 60, f"the end of {name}'s work")
        rounds = machine.run_shell(name, "cat /work").split("\n")
        assert len(rounds) == JOBS + 1 and all(int(line.split()[0]) > 0 for line in rounds[:-1]), rounds
        print(f"\n{name}: rounds", [int(line.split()[0]) for line in rounds[:-1]])
    for name in NAMES:
        check_clock(name, before[name], clocks(machine, name))
        log = machine.run_shell(name, f"dmesg | grep -E '{COMPLAINTS}' | grep -v '{TOLD}'; true")
        assert not log, log
        stolen = int(machine.run_shell(name, "head -1 /proc/stat").split()[8])
        assert stolen > seconds * 100 / 4, stolen  # eight vCPUs on two CPUs


def check_clock(name, before, after):
    """Less than 100 ppm, as far as it can be told from outside."""
    passed, least, most = after[0] - before[0], after[1] - before[2], after[2] - before[1]
    print(f"{name}: {passed:.4f} s in the guest, {least:.4f} to {most:.4f} s by the host's clock")
    allowed = 1e-4 * most
    assert least - allowed < passed < most + allowed, (passed, least, most)


@pytest.mark.deadline(400)
def test_a_minute_of_work(machine):
    load(machine, 45)


@pytest.mark.long
@pytest.mark.deadline(1500)
def test_five_minutes_of_work(machine):
    load(machine, 300)
