"""quire.conf: every mistake is told with its line and costs only the guest that it is in."""
import re

import pytest

from harness.machine import Machine, guest, linux

BROKEN = """\
# a comment
[host]
serial = com1
nonsense = 1
log-level = loud
[guest good]
kernel = busy.elf
memory = 16M
autostart = yes
[guest zero]
kernel = busy.elf
vcpus = 0
autostart = yes
[guest missing]
kernel = not-there.bin
autostart = yes
[guest good]
kernel = hostile.elf
autostart = yes
[guest no-kernel]
memory = 16M
[guest
kernel = busy.elf
this line says nothing
[guest late]
kernel = busy.elf
memory = 16M
autostart = yes
[guest giant]
kernel = busy.elf
memory = 64G
autostart = yes
"""


@pytest.fixture(scope="module")
def machine(emulator):
    files = dict.fromkeys(["busy.elf", "hostile.elf"])
    with Machine("config", BROKEN, files=files, host=None) as m:
        m.wait_prompt(90)
        yield m


def line_of(text):
    return BROKEN.split("\n").index(text) + 1


def test_good_guests_run(machine):
    for name in ("good", "late"):
        assert machine.states()[name] == "running"
        with machine.attach(name) as console:
            console.wait_for("BUSY", 30)


def test_bad_guests_do_not(machine):
    states = machine.states()
    for name in ("zero", "missing", "giant", "no-kernel"):
        assert states.get(name, "off") == "off"


@pytest.mark.parametrize("line", ["nonsense = 1", "log-level = loud", "vcpus = 0", "[guest",
                                  "this line says nothing"])
def test_mistake_is_told_with_its_line(machine, line):
    assert re.search(rf"quire\.conf:{line_of(line)}\b", machine.text()), machine.tail()


def test_missing_file_and_too_much_memory_are_told(machine):
    assert re.search(r"not-there\.bin", machine.text())
    assert re.search(r"giant.*memory", machine.text())


def test_name_used_twice_is_told(machine):
    assert re.search(r"quire\.conf:\d+.*good.*twice", machine.text())


def test_no_configuration():
    with Machine("no-config", None, host=None) as m:
        m.wait_prompt(90)
        assert re.search(r"quire\.conf", m.text())
        assert m.states() == {}


def test_configuration_of_noise():
    noise = bytes((n * 7919 >> 3) & 0xff for n in range(5000)) + b"\n[guest a]\n" + b"x" * 5000 + b" = 1\n"
    with Machine("noise-config", noise, host=None) as m:
        m.wait_prompt(90)
        m.ok("list")


def test_preloaded_file_in_a_folder():
    text = guest("a", "sub/busy.elf", memory="16M")
    files = {"sub/busy.elf": "build/guests/busy.elf", "sub/other.elf": "build/guests/hostile.elf"}
    with Machine("preload", text, files=files, host="serial = com1\npreload = sub/other.elf\n") as m:
        m.wait_prompt(90)
        assert any("sub/other.elf" in line for line in m.ok("files"))
        m.ok("define b kernel=sub/other.elf memory=16M cmdline=spin")
        m.ok("start b")
        with m.attach("b") as console:
            console.wait_for("SPIN", 30)
        m.ok("start a")
        with m.attach("a") as console:
            console.wait_for("BUSY", 30)


def test_hardware_without_svm_is_named_and_left():
    with Machine("no-svm", "", cpu="max,svm=off") as m:
        m.wait_for(r"SVM[^\n]*\n", 60)
        m.wait_for(r"Shell>|BdsDxe|UEFI|Boot", 60)  # back in the firmware


def test_hardware_without_nested_paging_is_named():
    with Machine("no-npt", "", cpu="max,npt=off") as m:
        m.wait_for(r"(?i)nested pag|NPT", 60)


def test_switches():
    host = "serial = 0x3f8\nmax-cpus = 1\nx2apic = off\nruntime-services = off\nlog-level = debug\n"
    with Machine("switches", linux("alpha"), host=host) as m:
        m.wait_prompt(90)
        assert re.search(r"CPUs\s+1\b", "\n".join(m.ok("nodeinfo")))
        m.wait_ready("alpha")
        assert m.power_off() == "guest-shutdown"


def test_serial_line_that_is_not_wanted_stays_silent():
    with Machine("no-serial", linux("alpha"), host="serial = none\n") as m:
        with pytest.raises(AssertionError, match="not within"):
            m.wait_for("quire> ", 20)
        assert m.emulator.process.poll() is None


@pytest.mark.parametrize("serial", ["auto", "com1", "0x5f8"])
def test_machine_without_uart_shows_its_log_on_the_screen(serial):
    """Quire tells of each start and end of a guest that crashes at once."""
    crashes = guest("crashes", "hostile.elf", memory="16M", cmdline="triple", autostart="yes",
                    on_crash="restart")
    with Machine(f"no-uart-{serial}", crashes, host=f"serial = {serial}\n", uart=False) as m:
        m.poll(lambda: sum(m.emulator.screen()), lambda lines: lines >= 12, 60, "lines on the screen")
