"""Guests of together three times the host's memory that write all of theirs, half with what all have in common: they
work while they fit after sharing; then one waits, and goes on when another ends.

The scanner's interval is so long that it works under pressure or not at all: what is shared here was found in a
hurry."""
import re
import time

import pytest

from harness import fill
from harness.machine import Machine, guest

HOST = 256          # MiB
SIZE = 48           # MiB of each guest
GUESTS = HOST * 3 // SIZE
NAMES = [f"g{n}" for n in range(1, GUESTS + 1)]
SETTLED = 4         # passes by which all is merged that is quiet, ...
GIVEN = 4           # ... and seconds after which a guest that went on before has taken its part, or lost it
THREES = [1] + [pytest.param(n, marks=pytest.mark.long) for n in range(2, 11)]  # 30 rounds in all


@pytest.fixture(scope="module")
def machine():
    text = "".join(guest(name, "fill.elf", memory=f"{SIZE}M", cmdline=f"seed={n}", autostart="no")
                   for n, name in enumerate(NAMES, 1))
    with Machine("overcommit-shared", text, memory=HOST) as m:
        m.wait_prompt(90)
        m.ok("ksm set interval 3600000")
        yield m


def ksm(machine, key):
    return int(re.search(rf"^{key}\s+(\d+)$", "\n".join(machine.ok("ksm show")), re.M).group(1))


def waits_for_good(machine, name):
    """Does the guest not get what it lacks, however much is merged?  False: it filled its memory."""
    while fill.wait_full_or_starved(machine, name):
        last, until = ksm(machine, "full_scans") + SETTLED, time.monotonic() + GIVEN
        ended = machine.poll(lambda: (machine.states()[name] != "starved",
                                      ksm(machine, "full_scans") >= last and time.monotonic() > until), any, 90,
                             f"{name} to go on, or {SETTLED} passes without that")
        if not ended[0]:
            return True
    return False


def fill_host(machine):
    """Lets one guest after the other fill its memory until one waits for good; (those that filled theirs, that one)."""
    for i, name in enumerate(NAMES):
        fill.begin(machine, name)
        if waits_for_good(machine, name):
            return NAMES[:i], name
    raise AssertionError("more was given than there is")


def one_round(machine):
    free = machine.free()
    for name in NAMES:
        machine.ok(f"start {name}")
    passes = ksm(machine, "full_scans")
    filled, starved = fill_host(machine)
    assert len(filled) * SIZE > HOST, "they run while they fit after sharing"
    assert ksm(machine, "full_scans") > passes + SETTLED, "the scanner hurries"
    text = "\n".join(machine.ok("dmesg")).rsplit(f"{NAMES[-1]}: started", 1)[-1]
    order = [text.find(words) for words in ("pressure soft: balloons", "pressure hard: balloons and merging",
                                            "pressure low: guests that ask", f"{starved}: waits for memory")]
    assert order == sorted(order) and order[0] >= 0, text
    # (it may go on for a moment, with a page that came back; the others may wait for a moment, for one that was merged)
    machine.poll(machine.states, lambda states: states[starved] == "starved", 60, f"{starved} to wait")
    machine.poll(machine.states, lambda states: all(states[name] == "running" for name in filled), 60,
                 "the others to run")
    fill.goes_on(machine, filled[0])
    fill.goes_on(machine, filled[-1])
    machine.destroy(filled[-1])
    machine.poll(lambda: fill.filled(machine, starved), bool, 90, f"{starved} to go on")
    assert any(f"{starved}: goes on" in line for line in machine.ok("dmesg"))
    for name in filled[:-1] + [starved]:
        fill.goes_on(machine, name)
    fill.none_ended(machine, NAMES, filled[-1])
    fill.end_round(machine, NAMES, free)


@pytest.mark.deadline(900)
@pytest.mark.parametrize("three", THREES)
def test_rounds(machine, three):
    for _ in range(3):
        one_round(machine)
