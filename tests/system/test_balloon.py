"""The memory balloon in a Debian guest: it shrinks and grows, reports free pages, and goes on after everything."""
import hashlib
import re

import pytest

from harness.machine import Machine, guest, linux

MIB = 1 << 20
ALL = 192 * MIB


@pytest.fixture(scope="module")
def machine():
    text = linux("alpha", vcpus=2, memory="192M") + linux("line", memory="192M", arguments="pci=nomsi", autostart="no")
    text += linux("none", balloon="no", autostart="no") + guest("busy", "busy.elf", memory="32M", autostart="no")
    with Machine("balloon", text) as m:
        m.wait_prompt(90)
        m.wait_ready("alpha")
        prepare(m, "alpha")
        yield m


def prepare(machine, name):
    """A file system for files that are larger than the root's share of memory."""
    wait_driver(machine, name)
    machine.run_shell(name, "mount -t tmpfs -o size=100% none /tmp")


def fill(machine, name, size, source="urandom"):
    machine.run_shell(name, f"dd if=/dev/{source} of=/tmp/fill bs=1M count={size // MIB} 2>/dev/null", 120)


def unfill(machine, name):
    machine.run_shell(name, "rm -f /tmp/fill")


def stat(machine, name):
    """`dommemstat`: name -> bytes or count."""
    rows = (re.match(r"(\w+)\s+(\d+)( KiB)?", line) for line in machine.ok(f"dommemstat {name}"))
    return {row.group(1): int(row.group(2)) * (1024 if row.group(3) else 1) for row in rows if row}


def wait_driver(machine, name):
    machine.poll(lambda: "\n".join(machine.ok(f"dominfo {name}")), lambda text: "free pages are reported" in text, 90,
                 "the balloon driver")


def wait_actual(machine, name, size):
    return machine.poll(lambda: stat(machine, name), lambda s: s["actual"] == size, 90, f"{name} to have {size}")


def available(machine, name):
    text = machine.run_shell(name, "cat /proc/meminfo")
    return int(re.search(r"MemAvailable:\s+(\d+) kB", text).group(1)) * 1024


def ram(machine, name):
    """The host memory that the guest's RAM holds."""
    return machine.freecell()[f"{name} RAM"]


def set_memory(machine, name, size):
    machine.ok(f"setmem {name} {size // MIB}M")
    wait_actual(machine, name, size)


def shrink_and_grow(machine, name):
    before = available(machine, name)
    set_memory(machine, name, ALL - 64 * MIB)
    after = available(machine, name)
    assert 54 * MIB < before - after < 74 * MIB, (before, after)
    assert stat(machine, name)["inflated"] >= 64 * MIB
    set_memory(machine, name, ALL)
    assert available(machine, name) > before - 8 * MIB


def test_shrinks_and_grows(machine):
    shrink_and_grow(machine, "alpha")


def test_host_gets_the_memory(machine):
    """The guest has touched its memory, and gives it up for the balloon."""
    fill(machine, "alpha", 96 * MIB)
    full, free = ram(machine, "alpha"), machine.free()
    unfill(machine, "alpha")
    set_memory(machine, "alpha", 96 * MIB)
    assert ram(machine, "alpha") < full - 80 * MIB
    assert machine.free() > free + 78 * MIB
    set_memory(machine, "alpha", ALL)


def test_free_pages_are_reported(machine):
    fill(machine, "alpha", 96 * MIB)
    full, free = ram(machine, "alpha"), machine.free()
    before = stat(machine, "alpha")["reported"]
    unfill(machine, "alpha")
    machine.poll(lambda: stat(machine, "alpha")["reported"], lambda now: now > before + 64 * MIB, 60, "reported pages")
    machine.poll(lambda: ram(machine, "alpha"), lambda now: now < full - 64 * MIB, 60, "its memory to be less")
    assert machine.free() > free + 62 * MIB
    fill(machine, "alpha", 96 * MIB, "zero")
    text = machine.run_shell("alpha", "md5sum /tmp/fill", 60)
    unfill(machine, "alpha")
    assert text.split()[0] == hashlib.md5(bytes(96 * MIB)).hexdigest()


def test_statistics_are_the_guests(machine):
    machine.poll(lambda: stat(machine, "alpha"), lambda s: "unused" in s, 60, "statistics")
    text = machine.run_shell("alpha", "cat /proc/meminfo")
    now = stat(machine, "alpha")
    assert now["available"] == int(re.search(r"MemTotal:\s+(\d+) kB", text).group(1)) * 1024
    assert 0 < now["unused"] < now["available"] and now["usable"] < now["available"]
    assert now["minor_fault"] > 100 and now["swap_in"] == 0
    machine.poll(lambda: stat(machine, "alpha"), lambda s: s["minor_fault"] > now["minor_fault"], 60, "newer ones")
    assert stat(machine, "alpha")["last_update"] < 60


def test_goes_on_in_a_new_process(machine):
    for size in (160, 120, 150):
        machine.ok("test-hook alpha replace")
        machine.ok(f"setmem alpha {size}M")  # while it is being replaced, too
        wait_actual(machine, "alpha", size * MIB)
    before = available(machine, "alpha")
    machine.ok("test-hook alpha replace")
    set_memory(machine, "alpha", ALL)
    assert available(machine, "alpha") > before + 30 * MIB
    fill(machine, "alpha", 64 * MIB)
    full = ram(machine, "alpha")
    unfill(machine, "alpha")
    machine.ok("test-hook alpha replace")
    machine.poll(lambda: ram(machine, "alpha"), lambda now: now < full - 40 * MIB, 60, "reported pages")


def test_driver_that_is_loaded_again(machine):
    set_memory(machine, "alpha", 128 * MIB)
    machine.run_shell("alpha", "rmmod virtio_balloon")
    machine.poll(lambda: "\n".join(machine.ok("dominfo alpha")), lambda text: "driver is not at work" in text, 30,
                 "no driver")
    assert stat(machine, "alpha")["actual"] == ALL
    machine.run_shell("alpha", "insmod /lib/virtio_balloon.ko")
    wait_actual(machine, "alpha", 128 * MIB)  # the wish is still there
    set_memory(machine, "alpha", ALL)


def test_guest_takes_back_what_it_needs(machine):
    """Deflate on OOM: what needs more than is left gets it, and nothing is killed."""
    set_memory(machine, "alpha", 96 * MIB)
    fill(machine, "alpha", 80 * MIB, "zero")
    assert machine.run_shell("alpha", "stat -c %s /tmp/fill") == str(80 * MIB)
    unfill(machine, "alpha")
    assert stat(machine, "alpha")["actual"] > 96 * MIB
    assert machine.run_shell("alpha", "dmesg | grep -c 'Killed process'; true") == "0"
    set_memory(machine, "alpha", ALL)


def test_kernel_has_nothing_to_complain_of(machine):
    log = machine.run_shell("alpha", "dmesg")
    assert not re.search(r"BUG|WARNING|Call Trace|virtio.*(error|fail|reset)", log), log


def test_wish_lasts_over_a_reboot(machine):
    set_memory(machine, "alpha", 150 * MIB)
    run = machine.starts("alpha")
    with machine.attach("alpha") as console:
        console.send("reboot -f\r")
    machine.poll(lambda: machine.starts("alpha"), lambda n: n == run + 1, 60, "a new start")
    machine.wait_ready("alpha")
    wait_actual(machine, "alpha", 150 * MIB)
    set_memory(machine, "alpha", ALL)


def test_without_msi(machine):
    """INTA# by the IOAPIC."""
    machine.ok("start line")
    machine.wait_ready("line")
    prepare(machine, "line")
    assert re.search(r"11:\s+\d+\s+IO-APIC\s+11-fasteoi\s+virtio0", machine.run_shell("line", "cat /proc/interrupts"))
    shrink_and_grow(machine, "line")
    machine.destroy("line")


def test_no_balloon(machine):
    machine.error("setmem none 64M")
    machine.ok("start none")
    machine.wait_ready("none")
    assert machine.run_shell("none", "cat /sys/bus/pci/devices/*/vendor") == "0x1b36"
    machine.destroy("none")


def test_guest_without_a_driver(machine):
    machine.ok("start busy")
    assert any("no balloon driver" in line for line in machine.ok("setmem busy 16M"))
    assert stat(machine, "busy")["actual"] == 32 * MIB
    machine.destroy("busy")
