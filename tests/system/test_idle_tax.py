"""Who gives memory under pressure: of two like Debian guests the one that lets its lie idle, by its working set."""
import re

import pytest

from harness import fill
from harness.machine import Machine, guest, linux

FILE = 24  # MiB that one guest reads all the time


@pytest.fixture(scope="module")
def machine():
    # the first one never waits; merging would end the pressure
    text = "".join(linux(name, memory="96M", share_group="none") for name in ("active", "idle"))
    text += guest("press", "fill.elf", memory="64M", cmdline="own still", share_group="none", autostart="no")
    with Machine("idle-tax", text, memory=256) as m:
        m.wait_prompt(90)
        m.wait_ready("idle", "active")
        yield m


def stat(machine, name):
    """`dommemstat`: name -> KiB or count."""
    return {key: int(value) for key, value in re.findall(r"^(\w+)\s+(\d+)", "\n".join(machine.ok(f"dommemstat {name}")),
                                                         re.M)}


def test_idle_memory_is_taken_first(machine):
    for name in ("idle", "active"):
        machine.poll(lambda: "\n".join(machine.ok(f"dominfo {name}")), lambda text: "at work" in text, 60, "the driver")
        assert "working_set" not in stat(machine, name), "nobody looks while there is memory"
    machine.run_shell("active", f"mkdir /t && mount -t tmpfs none /t && dd if=/dev/urandom of=/t/f bs=1M count={FILE}",
                      120)
    machine.run_shell("active", "(while :; do cat /t/f > /dev/null; done) & true")
    machine.ok("start press")
    fill.begin(machine, "press")
    machine.poll(lambda: (stat(machine, "idle"), stat(machine, "active")), taxed, 120, "targets by working sets")
    machine.destroy("press")
    machine.poll(lambda: stat(machine, "idle"), lambda s: s["target"] == 96 * 1024 and "working_set" not in s, 60,
                 "the pressure's end")
    assert "run" in machine.states()["active"]


def taxed(stats):
    idle, active = stats
    return "working_set" in idle and "working_set" in active and idle["target"] < active["target"] and \
        idle["working_set"] < active["working_set"] / 2
