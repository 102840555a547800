"""Pages of 2 MiB for guests: they come when all of a block is written, go when memory is short, and come back."""
import re

import pytest

from harness import fill
from harness.machine import Machine, guest

MIB = 1 << 20
HOST = 192          # MiB
SIZE = 24           # MiB of each guest that is looked at
WHOLE = SIZE - 2    # MiB that can be large: the first block has a PC's hole
NAMES = ["alone", "quiet"]
PRESS = ["press1", "press2"]  # the second does not fit

pytestmark = pytest.mark.on("bochs-vmx", long=True)


@pytest.fixture(scope="module")
def machine():
    text = guest("alone", "fill.elf", memory=f"{SIZE}M", cmdline="own", share_group="none", autostart="no")
    text += guest("quiet", "fill.elf", memory=f"{SIZE}M", cmdline="own still seed=7", autostart="no")
    text += guest("twin", "fill.elf", memory=f"{SIZE}M", cmdline="own still seed=7", autostart="no")
    for name in PRESS:
        text += guest(name, "fill.elf", memory=f"{HOST // 2}M", cmdline="own still", share_group="none", autostart="no")
    with Machine("large", text, memory=HOST, host="serial = com1\nlarge-pages = on\n") as m:
        m.wait_prompt(90)
        m.ok("ksm set interval 500")
        yield m


def large(machine, name):
    """MiB."""
    return int(re.search(r"^large\s+(\d+) KiB", "\n".join(machine.ok(f"dommemstat {name}")), re.M).group(1)) / 1024


def wait_large(machine, name, good, what):
    return machine.poll(lambda: large(machine, name), good, 120, f"{name} to have {what}")


def made(machine):
    """(pages of 2 MiB that were made, of them without a copy, that were split)"""
    text = "\n".join(machine.ok("nodeinfo"))
    return tuple(int(n) for n in re.search(r"made\s+(\d+), of them (\d+) .*\n\s+split\s+(\d+)", text).groups())


def start(machine, name):
    machine.ok(f"start {name}")
    fill.begin(machine, name)
    machine.poll(lambda: fill.filled(machine, name), bool, 90, f"{name} to fill its memory")


@pytest.mark.deadline(600)
def test_large_pages(machine):
    """A guest that writes all of its memory, and one in which all pages are known to be unique."""
    start(machine, "alone")
    wait_large(machine, "alone", lambda now: now >= WHOLE, "large pages")
    fill.goes_on(machine, "alone")
    assert made(machine)[0] >= WHOLE // 2
    start(machine, "quiet")
    wait_large(machine, "quiet", lambda now: now >= WHOLE, "large pages")
    machine.verify_memory()


@pytest.mark.deadline(600)
def test_pressure_splits(machine):
    """What is short of memory takes none of it, and gets its pages back, each where it is."""
    before = made(machine)
    start(machine, PRESS[0])
    machine.ok(f"start {PRESS[1]}")
    fill.begin(machine, PRESS[1])
    assert fill.wait_full_or_starved(machine, PRESS[1])
    for name in NAMES:
        wait_large(machine, name, lambda now: not now, "none")
    fill.goes_on(machine, "alone")
    machine.verify_memory()
    fill.destroy_all(machine, PRESS)
    for name in NAMES:
        wait_large(machine, name, lambda now: now >= WHOLE, "large pages again")
    fill.goes_on(machine, "alone")
    after = made(machine)
    assert after[1] - before[1] >= WHOLE, "without a copy"
    assert after[2] - before[2] >= WHOLE


@pytest.mark.deadline(600)
def test_a_twin_splits(machine):
    """Pages of a known block are found by the merger as before."""
    rss = machine.freecell()["quiet RAM"]
    start(machine, "twin")
    machine.poll(lambda: machine.freecell()["quiet RAM"], lambda now: now < rss / 8, 120, "their pages to be merged")
    assert large(machine, "quiet") < WHOLE / 4
    machine.verify_memory()
    machine.destroy("twin")
    machine.destroy("quiet")
