"""Guests of two processors each that verify every byte of their RAM while it is merged, unmerged, paused and given to
the balloon, in a plain share group and in a uniform one: all processors write to the pages that the merger is at."""
import re
import time

import pytest

from harness import fill, parse
from harness.machine import Machine, guest

SIZE = 16           # MiB of each guest
NAMES = ["p1", "p2", "u1", "u2"]
COMMON = (SIZE - 2) * 256 // 4 * 2 * 7 // 8  # pages that both pairs save: a quarter of what is not image or balloon


pytestmark = pytest.mark.on("bochs-vmx")  # QEMU hides missed flushes, and its CPUs take turns on one of the host's


@pytest.fixture(scope="module")
def machine():
    text = "".join(guest(name, "pattern.elf", memory=f"{SIZE}M", vcpus=2, cmdline=f"cpus=2 seed={n}", autostart="no",
                         share_group=name[0], share_mode="uniform" if name[0] == "u" else "plain")
                   for n, name in enumerate(NAMES, 1))
    with Machine("pattern", text) as m:
        m.wait_prompt(90)
        m.ok("ksm set interval 100")
        yield m


def ksm(machine):
    return {key: int(value) for key, value in re.findall(r"^(\w+)\s+(\d+)$", "\n".join(machine.ok("ksm show")), re.M)}


def all_go_on(machine):
    for name in NAMES:
        fill.goes_on(machine, name)


def test_every_byte_stays(machine):
    free = machine.free()
    for name in NAMES:
        machine.ok(f"start {name}")
        fill.begin(machine, name)
    machine.poll(lambda: ksm(machine), lambda k: k["pages_sharing"] > COMMON * 3 // 4, 120, "pages to be shared")
    all_go_on(machine)
    for name in NAMES:  # quiet at last: all of it is merged that can be
        machine.ok(f"suspend {name}")
    last = ksm(machine)["full_scans"] + 3
    k = machine.poll(lambda: ksm(machine), lambda k: k["full_scans"] >= last, 60, "three passes over paused guests")
    assert k["pages_sharing"] > COMMON
    for name in NAMES:
        machine.ok(f"resume {name}")
    time.sleep(1)
    machine.ok("ksm unmerge")  # while they write
    machine.poll(lambda: ksm(machine), lambda k: k["pages_shared"] == 0, 60, "all is unmerged")
    all_go_on(machine)
    machine.ok("ksm run")
    all_go_on(machine)
    for name in NAMES:
        assert "GAVE" in fill.output(machine, name)
        given = parse.facts(machine.ok(f"dommemstat {name}"))["inflated"]
        assert int(given.removesuffix(" KiB")) >= SIZE * 1024 // 16, given
    assert ksm(machine)["pages_merged"] > 2 * COMMON
    machine.verify_memory()
    fill.end_round(machine, NAMES, free)
