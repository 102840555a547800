"""More guests than memory: they run while they fit, then those with the lowest claim wait; nothing is killed."""
import re

import pytest

from harness import fill
from harness.machine import Machine, guest

HOST = 256          # MiB
SIZE = 48           # MiB of each guest; together three times the host's memory
GUESTS = HOST * 3 // SIZE
THREES = [1] + [pytest.param(n, marks=pytest.mark.long) for n in range(2, 11)]  # 30 rounds in all


def names():
    return [f"g{n}" for n in range(1, GUESTS + 1)]


@pytest.fixture(scope="module")
def machine():
    # merging would give some of it back at any time, and who waits would go on
    text = "".join(guest(name, "fill.elf", memory=f"{SIZE}M", cmdline=f"seed={n}", autostart="no", share_group="none")
                   for n, name in enumerate(names(), 1))
    text += guest("giant", "fill.elf", memory=f"{HOST * 2}M", autostart="no")
    text += guest("claimer", "fill.elf", memory=f"{SIZE}M", memory_shares=1000, autostart="no")
    text += guest("promised", "fill.elf", memory=f"{SIZE}M", memory_min=f"{SIZE}M", autostart="no")
    with Machine("overcommit", text, memory=HOST) as m:
        m.wait_prompt(90)
        yield m


def dmesg(machine):
    return machine.ok("dmesg")


def told(machine, since, what):
    """Waits until the console, from that place of its text on, tells it.  (Nobody asks dmesg meanwhile.)"""
    machine.poll(lambda: machine.states() and machine.text()[since:], lambda text: re.search(what, text), 30,
                 f"{what!r} on the console")


def starve(machine, guests):
    """Lets one guest after the other fill its memory until one waits; returns (those that filled theirs, that one)."""
    filled = []
    for name in guests:
        fill.begin(machine, name)
        if fill.wait_full_or_starved(machine, name):
            return filled, name
        filled.append(name)
    raise AssertionError("more was given than there is")


def one_round(machine):
    free, since = machine.free(), len(machine.text())
    for name in names():
        machine.ok(f"start {name}")  # three times the memory that there is
    filled, starved = starve(machine, names())
    assert len(filled) * SIZE > HOST / 2, "they run while they fit"
    told(machine, since, rf"(?m)^\[.*{starved}: waits for memory: \d+ KiB free")
    text = "\n".join(dmesg(machine)[-60:])
    assert re.search(rf"{starved}: waits for memory: \d+ KiB free", text), text
    levels = re.findall(r"memory pressure (\w+):", text)
    order = [level for level in levels if level != "high"]
    assert order[-3:] == ["soft", "hard", "low"], levels
    for name in filled:
        assert machine.states()[name] == "running"
    fill.goes_on(machine, filled[0])
    fill.goes_on(machine, filled[-1])
    # whoever else asks for memory waits, too, and the one with the highest claim is the first to get what comes back
    rest = [name for name in names() if name not in filled + [starved]]
    for name in rest:
        fill.begin(machine, name)
    for name in rest:
        machine.wait_state(name, "starved", 60)
    fill.goes_on(machine, filled[0])
    since = len(machine.text())
    machine.destroy(filled[-1])
    machine.poll(lambda: fill.filled(machine, starved), bool, 90, f"{starved} to go on")
    assert machine.states()[starved] == "running"
    told(machine, since, rf"(?m)^\[.*{starved}: goes on")
    assert any(f"{starved}: goes on" in line for line in dmesg(machine))
    fill.goes_on(machine, starved)
    # nobody ended, nobody overtook: what is left over lets them run for a moment, and is not enough for any
    machine.poll(machine.states, lambda now: all(now[name] == "starved" for name in rest[1:]), 60, "all others to wait")
    assert not any(fill.filled(machine, name) for name in rest[1:])
    fill.none_ended(machine, names(), filled[-1])
    fill.end_round(machine, names(), free)


def test_admission(machine):
    assert re.search(r"can need .* of memory; .* are free", machine.error("start giant"))
    assert "2M" in machine.error("define small kernel=fill.elf memory=1M")
    assert "memory-min" in machine.error("define small kernel=fill.elf memory=4M memory-min=5M")


@pytest.mark.deadline(900)
@pytest.mark.parametrize("three", THREES)
def test_rounds(machine, three):
    for _ in range(3):
        one_round(machine)


def test_claims_and_promises(machine):
    """Who could not have its size at once is refused the highest claim; a promise is kept under pressure."""
    running = names()[:6] + ["promised"]
    for name in running:
        machine.ok(f"start {name}")
    starve(machine, names()[:6])
    assert "can need" in machine.error("start claimer")
    fill.begin(machine, "promised")
    machine.poll(lambda: fill.filled(machine, "promised"), bool, 60, "the promised memory")
    fill.goes_on(machine, "promised")
    for name in running:
        machine.destroy(name)
    machine.ok("start claimer")
    machine.destroy("claimer")
