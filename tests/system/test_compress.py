"""Cold pages are compressed when memory is short: guests have more than there is, and every byte of it is right."""
import re

import pytest

from harness import fill
from harness.machine import Machine, guest, linux

HOST = 256          # MiB
SIZE = 48           # MiB of each guest that fills its memory, once, with what shrinks to a fifth
NAMES = [f"g{n}" for n in range(1, 9)]
MIB = 1 << 20


@pytest.fixture(scope="module")
def machine():
    text = "".join(guest(name, "fill.elf", memory=f"{SIZE}M", cmdline=f"seed={n} own thin still", autostart="no",
                         share_group="none") for n, name in enumerate(NAMES, 1))
    text += linux("debian", memory="96M", share_group="none", autostart="no")
    with Machine("compress", text, memory=HOST) as m:
        m.wait_prompt(90)
        yield m


def stat(machine, name):
    """`dommemstat`: name -> bytes, or pages."""
    rows = (re.match(r"(\w+)\s+(\d+) (KiB|pages)", line) for line in machine.ok(f"dommemstat {name}"))
    return {row.group(1): int(row.group(2)) * (1024 if row.group(3) == "KiB" else 1) for row in rows if row}


def held(machine, name):
    """Bytes of a guest's memory that have a content of their own, resident or compressed."""
    now = stat(machine, name)
    return min(now["rss"] - now["compressed_in"] + now["compressed"], SIZE * MIB)


def fill_all(machine):
    for name in NAMES:
        fill.begin(machine, name)
        machine.poll(lambda: fill.filled(machine, name), bool, 90, f"{name} to fill its memory")


def verify_all(machine):
    """Every guest looks at each of its words; what it needs for that others have to give."""
    for name in NAMES:
        with machine.attach(name) as console:
            console.send("g")
        machine.poll(lambda: fill.rounds(machine, name), lambda n: n == 1, 90, f"{name} to look at its memory")


def check_figures(machine):
    cells = machine.freecell()
    assert cells["compressed pages of guests"] > HOST * MIB / 3, cells
    assert cells["take"] < cells["compressed pages of guests"] / 3, cells
    last = machine.poll(lambda: stat(machine, NAMES[-2]), lambda now: now["rss"] < SIZE * MIB / 2, 60,
                        "half of a guest's memory to be compressed")
    first = stat(machine, NAMES[0])
    assert not first["compressed"] and not first["compressions"], "its memory is kept for it in any case"
    assert last["compressed"] > last["compressed_in"] > 0


@pytest.mark.on("bochs-vmx", long=True)
@pytest.mark.deadline(600)
def test_more_than_there_is(machine):
    free = machine.free()
    machine.ok(f"start {NAMES[0]}")
    machine.ok("start debian")
    machine.wait_ready("debian")
    digest = machine.run_shell("debian", "dd if=/dev/urandom of=/f bs=64k count=64 2>/dev/null; md5sum /f").split()[-2:]
    for name in NAMES[1:]:
        machine.ok(f"start {name}")
    fill_all(machine)
    total, sizes = machine.freecell()["total"], {name: held(machine, name) for name in NAMES}
    assert HOST * MIB * 0.9 < total <= HOST * MIB and sum(sizes.values()) > total * 1.3, (total, sizes)
    text = "\n".join(machine.ok("dmesg"))
    order = [text.find(words) for words in ("pressure soft: balloons", "pressure hard: balloons and merging",
                                            "compression of cold pages begins")]
    assert order == sorted(order) and order[0] >= 0, text
    check_figures(machine)
    assert any(line.startswith("clean") for line in machine.ok("ksm verify", 120))
    assert stat(machine, "debian")["compressions"] > 0
    assert machine.run_shell("debian", "md5sum /f", 60).split()[-2:] == digest
    verify_all(machine)
    assert stat(machine, NAMES[-1])["decompressions"] > 0
    assert any(line.startswith("clean") for line in machine.ok("ksm verify", 120))
    fill.end_round(machine, NAMES + ["debian"], free)
    assert not machine.freecell()["compressed pages of guests"]
