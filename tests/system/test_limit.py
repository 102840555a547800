"""A guest with a memory-max below its memory makes room for itself: its own pages are compressed, however much is
free, and it goes on."""
import re
import time

import pytest

from harness import fill
from harness.machine import Machine, guest, linux

SIZE = 64   # MiB of the test guest
MIB = 1 << 20


@pytest.fixture(scope="module")
def machine():
    text = guest("capped", "fill.elf", memory=f"{SIZE}M", memory_max=f"{SIZE // 2}M", cmdline="own thin still",
                 share_group="none", autostart="no")
    text += guest("dense", "fill.elf", memory=f"{SIZE}M", memory_max=f"{SIZE // 2}M", cmdline="own still",
                  share_group="none", autostart="no")
    text += linux("debian", memory="128M", memory_max="64M", autostart="no")
    with Machine("limit", text, memory=512, host="serial = com1\nlarge-pages = on\n") as m:
        m.wait_prompt(90)
        yield m


def stat(machine, name, key):
    """Of `dommemstat`, in bytes or pages."""
    count, unit = re.search(rf"^{key}\s+(\d+) (KiB|pages)", "\n".join(machine.ok(f"dommemstat {name}")), re.M).groups()
    return int(count) * (1024 if unit == "KiB" else 1)


def test_alone_with_twice_its_limit(machine):
    free = machine.free()
    machine.ok("start capped")
    fill.begin(machine, "capped")
    machine.poll(lambda: fill.filled(machine, "capped"), bool, 90, "capped to fill its memory")
    machine.poll(lambda: stat(machine, "capped", "large"), lambda size: size, 60, "large pages to be made of it")
    with machine.attach("capped") as console:
        console.send("g")  # it verifies each word
    machine.poll(lambda: fill.rounds(machine, "capped"), lambda n: n == 1, 90, "capped to look at its memory")
    assert stat(machine, "capped", "rss") < SIZE // 2 * MIB * 1.03  # tables are not in memory-max
    assert stat(machine, "capped", "decompressions") > SIZE // 4 * MIB / 4096
    assert any("waits for memory: it has all that it may have" in line for line in machine.ok("dmesg"))
    fill.end_round(machine, ["capped"], free)


def test_alone_with_nothing_that_shrinks(machine):
    """It waits, with the reason, and goes on when the operator lets it have more; nobody else is in its way."""
    free = machine.free()
    machine.ok("start dense")
    fill.begin(machine, "dense")
    machine.wait_state("dense", "starved", 60)
    time.sleep(1)  # some looks in vain
    assert machine.states()["dense"] == "starved"
    assert machine.free() > SIZE * MIB
    assert any("dense: waits for memory: it has all that it may have" in line for line in machine.ok("dmesg"))
    machine.ok(f"memtune dense max={SIZE}M")
    machine.poll(lambda: fill.filled(machine, "dense"), bool, 90, "dense to fill its memory")
    fill.end_round(machine, ["dense"], free)


def test_debian_boots_in_less_than_it_touches(machine):
    machine.ok("start debian")
    machine.wait_ready("debian")
    digest = machine.run_shell("debian", "dd if=/dev/urandom of=/f bs=64k count=64 2>/dev/null; md5sum /f").split()[-2:]
    assert stat(machine, "debian", "rss") < 64 * MIB * 1.03
    assert stat(machine, "debian", "compressions") > 0
    assert machine.run_shell("debian", "cat /dev/zero | head -c 30M | md5sum; md5sum /f", 60).split()[-2:] == digest
