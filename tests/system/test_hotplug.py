"""vCPUs that come and go: `setvcpus` by ACPI in a Debian guest, and Linux's own offline and online."""
import re

import pytest

from harness.machine import Machine, linux

COMPLAINTS = "stall|lockup|hung|blocked for more|BUG:|WARNING:|Call Trace|[Ff]ailed|unable|not responding|[Ee]rror"
CPU = "/sys/devices/system/cpu"
LOAD = "for i in $(seq {count}); do yes >/dev/null & done; true"


@pytest.fixture(scope="module")
def machine(emulator):
    with Machine("hotplug", linux("alpha", vcpus_max=4) + linux("beta", vcpus=2)) as m:
        m.wait_prompt(120)
        m.wait_ready("alpha", "beta", deadline=180)
        yield m


def vcpus(machine, name):
    """vcpuinfo's states, by number."""
    rows = (line.split() for line in machine.ok(f"vcpuinfo {name}"))
    return [row[1] for row in rows if row and row[0].isdigit()]


def present(machine, name):
    return [state != "absent" for state in vcpus(machine, name)].count(True)


def number(machine, name, what):
    """A figure of domstats."""
    return next(int(line.partition("=")[2]) for line in machine.ok(f"domstats {name}") if line.startswith(f"{what}="))


def online(machine, name, count):
    """The guest sees the new vCPUs and takes them into use; then it has so many."""
    wanted = " ".join(f"{CPU}/cpu{i}/online" for i in range(1, count))
    machine.poll(lambda: machine.run_shell(name, f"ls {wanted} 2>/dev/null | wc -l"), lambda n: n == str(count - 1), 30,
                 f"{name} to see {count} vCPUs")
    machine.run_shell(name, f"for f in {wanted}; do [ $(cat $f) = 1 ] || echo 1 >$f; done")
    assert machine.run_shell(name, "nproc") == str(count)


def log_is_clean(machine, name):
    log = machine.run_shell(name, f"dmesg | grep -E '{COMPLAINTS}'; true")
    assert not log, log


def flip(machine, name, cpu, times):
    """Off and on again, under load."""
    file = f"{CPU}/cpu{cpu}/online"
    machine.run_shell(name, f"for i in $(seq {times}); do echo 0 >{file} && echo 1 >{file} || exit 1; done", 120)


@pytest.mark.on("bochs-vmx", long=True)
def test_vcpus_come_and_go(machine):
    assert machine.run_shell("alpha", f"nproc; cat {CPU}/possible {CPU}/present").split() == ["1", "0-3", "0"]
    assert vcpus(machine, "alpha")[1:] == ["absent"] * 3
    machine.ok("setvcpus alpha 3")
    online(machine, "alpha", 3)
    assert present(machine, "alpha") == 3
    machine.run_shell("alpha", LOAD.format(count=3))
    machine.poll(lambda: vcpus(machine, "alpha"), lambda s: all(x in ("running", "ready") for x in s[:3]), 30, "load")
    flip(machine, "alpha", 1, 3)
    machine.ok("test-hook alpha replace")
    machine.ok("setvcpus alpha 2")
    machine.poll(lambda: present(machine, "alpha"), lambda n: n == 2, 60, "a vCPU to be given back")
    assert machine.run_shell("alpha", "nproc") == "2"
    machine.ok("setvcpus alpha 4")
    online(machine, "alpha", 4)
    machine.run_shell("alpha", "killall yes")
    log_is_clean(machine, "alpha")
    machine.ok("setvcpus alpha 2")
    machine.poll(lambda: present(machine, "alpha"), lambda n: n == 2, 60, "two vCPUs to be given back")
    machine.ok("setvcpus alpha 3")
    machine.ok("reset alpha")
    machine.poll(lambda: machine.starts("alpha"), lambda n: n == 2, 30, "the restart")
    machine.wait_ready("alpha", deadline=180)
    assert machine.run_shell("alpha", "nproc") == "3", "what was asked for last is kept"
    assert re.search(r"at most\s+4", "\n".join(machine.ok("dominfo alpha")))
    log_is_clean(machine, "alpha")


@pytest.mark.on("bochs-vmx", long=True)
def test_offline_and_online_in_linux(machine):
    machine.run_shell("beta", LOAD.format(count=2))
    flip(machine, "beta", 1, 20)
    machine.run_shell("beta", f"echo 0 >{CPU}/cpu1/online")
    machine.poll(lambda: vcpus(machine, "beta")[1], lambda s: s == "halted", 30, "vCPU 1 to halt")
    before = number(machine, "beta", "vcpu.1.run"), number(machine, "beta", "vcpu.1.exits")
    machine.run_shell("beta", "sleep 3", 60)
    assert (number(machine, "beta", "vcpu.1.run"), number(machine, "beta", "vcpu.1.exits")) == before
    machine.run_shell("beta", f"echo 1 >{CPU}/cpu1/online; killall yes")
    assert machine.run_shell("beta", "nproc") == "2"
    log_is_clean(machine, "beta")
