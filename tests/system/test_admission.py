"""Who comes in, and on what terms, when sizes must add up: overcommit = none and sharing, memory-reserve, memtune,
setmaxmem."""
import re

import pytest

from harness.machine import Machine, guest

HOST = 192  # MiB
RESERVE = 1
SIZES = (r"overcommit = {}: guests can need [\d.]+ MiB more memory, its 10[\d.]+ MiB among it, and of [\d.]+ MiB free "
         r".* reserve")


def memory_of_its_own(name, **keys):
    return guest(name, "fill.elf", autostart="no", share_group="none", **keys)


@pytest.fixture(scope="module", params=["none", "sharing"])
def machine(request):
    text = memory_of_its_own("small", memory="104M", memory_max="16M") + memory_of_its_own("big", memory="100M")
    text += memory_of_its_own("many", memory="2M", vcpus_max=64)
    host = f"serial = com1\novercommit = {request.param}\nmemory-reserve = {RESERVE}M\n"
    with Machine(f"admission-{request.param}", text, host=host, memory=HOST) as m:
        m.setting = request.param
        m.wait_prompt(90)
        yield m


def test_memory_reserve_is_shown(machine):
    assert machine.freecell()["ledger: reserve"] == RESERVE << 20
    assert f"Overcommit        {machine.setting}" in machine.ok("nodeinfo")


def test_sizes_add_up(machine):
    """What start refuses memtune refuses, too; and both say the arithmetic."""
    sizes = SIZES.format(machine.setting)
    machine.ok("start small")
    machine.ok("start big")
    assert re.search(sizes, machine.error("memtune small max=104M"))
    machine.ok("memtune small max=20M")
    machine.destroy("big")
    machine.ok("memtune small max=104M")
    assert re.search(sizes, machine.error("start big"))
    machine.ok("memtune small max=16M")
    machine.ok("start big")
    for name in ("small", "big"):
        machine.destroy(name)


def test_setmaxmem_bounds_setmem(machine):
    machine.error("setmem big 110M")
    machine.ok("setmaxmem big 120M")
    machine.ok("setmem big 110M")
    machine.ok("start big")
    assert re.search(r"Memory +120 MiB", "\n".join(machine.ok("memtune big")))
    machine.error("setmaxmem big 100M")
    machine.destroy("big")
    machine.ok("setmaxmem big 100M")
    machine.ok("setmem big 100M")


def test_a_start_leaves_promises_alone(machine):
    """64 vCPUs are more than what is left of the reserve once all else is promised."""
    size = machine.free() // 4096 * 4
    refused = True
    while refused:
        size -= 512
        machine.ok(f"define promised kernel=fill.elf memory={size}K memory-min={size}K share-group=none")
        text = "\n".join(machine.monitor("start promised"))
        refused = "error" in text
        if refused:
            machine.ok("undefine promised")
    assert re.search("its processors and its machine process take 2.* MiB, and of .* free .* reserve and .* promised",
                     machine.error("start many"))
    machine.destroy("promised")
    machine.ok("start many")
    machine.destroy("many")
