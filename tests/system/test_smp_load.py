"""Two Debian guests of 4 vCPUs each on two CPUs: they work side by side, their kernels complain of nothing, and their
clocks keep the host's time across pauses."""
import time

import pytest

from harness.machine import Machine, linux

NAMES = ("alpha", "beta")
PAUSES = 20
READINGS = 40
ERROR = 0.003  # seconds, of the quickest of so many readings
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


def least_late(readings):
    """Our clock less the one that was read, of the reading that came here most quickly."""
    return min(here - there / 1e9 for there, here in readings)


def clocks(machine, name):
    """How far the guest's clock and the host's are behind ours: each is read READINGS times, and what the way here
    takes is nearly the same for the quickest each time."""
    mark = f"at{next(machine.numbers)}-"  # the console shows earlier readings again
    with machine.attach(name) as console:
        console.send(f"for i in $(seq {READINGS}); do awk '/^now at/ {{ print \"{mark}\" $3; exit }}' "
                     "/proc/timer_list; usleep 20000; done\r")
        guest = [(int(console.wait_for(rf"{mark}(\d+)\r?\n", 60).group(1)), time.monotonic())
                 for _ in range(READINGS)]
        console.wait_for(f"{name}# ")
    host = []
    for _ in range(READINGS // 4):
        machine.send("domstats alpha\r")
        host.append((int(machine.wait_for(r"\nclock=(\d+)\r?\n").group(1)), time.monotonic()))
        machine.wait_prompt()
    return least_late(guest), least_late(host), time.monotonic()


def numbers(machine, name, what):
    """domstats' figure of each vCPU."""
    return [int(line.partition("=")[2]) for line in machine.ok(f"domstats {name}")
            if line.startswith("vcpu.") and f".{what}=" in line]


def finished(machine, name):
    return "finished" in machine.run_shell(name, "cat /work 2>/dev/null; true", deadline=60)


def load(machine, seconds):
    before = {name: clocks(machine, name) for name in NAMES if machine.emulator_class.real_time}
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
    flushes = sum(count for name in NAMES for count in numbers(machine, name, "pv-flushes"))
    print("flushes that were left to preempted vCPUs:", flushes)
    if machine.emulator_class.real_time:  # (on Bochs none was seen)
        assert flushes > 0
    for name in NAMES:
        if machine.emulator_class.real_time:
            check_clock(name, before[name], clocks(machine, name))
        log = machine.run_shell(name, f"dmesg | grep -E '{COMPLAINTS}' | grep -v '{TOLD}'; true")
        assert not log, log
        stolen = int(machine.run_shell(name, "head -1 /proc/stat").split()[8])
        assert stolen > seconds * 100 / 4, stolen  # eight vCPUs on two CPUs


def check_clock(name, before, after):
    """Less than 100 ppm between the guest's clock and the host's, beside what the measurement may err."""
    guest, host, passed = (late - earlier for late, earlier in zip(after, before))
    print(f"{name}: in {passed:.1f} s the guest's clock lost {guest * 1e3:.2f} ms of ours, the host's "
          f"{host * 1e3:.2f} ms: {(guest - host) / passed * 1e6:.0f} ppm apart")
    assert abs(guest - host) < 1e-4 * passed + ERROR, (guest, host, passed)


@pytest.mark.on("bochs-vmx", long=True)
@pytest.mark.deadline(400)
def test_a_minute_of_work(machine):
    load(machine, 60)


@pytest.mark.long
@pytest.mark.deadline(1500)
def test_five_minutes_of_work(machine):
    load(machine, 300)
