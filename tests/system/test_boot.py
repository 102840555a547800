"""From firmware to two shells: what `make run` shows, the host's commands, and its end."""
import os
import re

import pytest

from harness.machine import KNOWN, ROOT, Machine, guest, linux

MEMORY = 64 << 20  # of the guest that only shares
EVERYWHERE = pytest.mark.on("bochs-vmx", "bochs-svm")


@pytest.fixture(scope="module")
def machine(emulator):
    guests = linux("alpha", vcpus=2) + linux("beta")
    guests += guest("sharer", "busy.elf", memory=MEMORY, module="vmlinuz")
    with Machine("boot", guests) as m:
        m.wait_prompt(90)
        yield m


@EVERYWHERE
def test_progress_of_each_file(machine):
    text = machine.text()
    for name in ("quire.conf", "vmlinuz", "initrd.cpio"):
        assert re.search(rf"^.*{re.escape(name)}.*$", text, re.M), f"no line tells of {name}"


@EVERYWHERE
def test_two_guests_reach_their_shells(machine):
    machine.wait_ready("alpha", "beta")
    assert machine.states() == {"alpha": "running", "beta": "running", "sharer": "off"}
    for name in ("alpha", "beta"):
        assert machine.run_shell(name, "uname -a").startswith(f"Linux {name} 6.")


@EVERYWHERE
def test_console_keeps_what_was_written(machine):
    machine.run_shell("beta", "echo mark-in-history")
    with machine.attach("beta") as console:
        console.wait_for("mark-in-history", 10)
    machine.send("\r")
    machine.wait_prompt(10)


@EVERYWHERE
def test_output_of_others_stays_off_the_prompt(machine):
    with machine.attach("alpha") as console:
        console.send("sh -c 'sleep 1; echo from''-behind' &\r")
        console.wait_for("# ")
    machine.ok("list")
    with machine.attach("alpha") as console:
        console.wait_for("from-behind", 20)
    before_attach = machine.text().split("console alpha")[-2]
    assert "from-behind" not in before_attach


@EVERYWHERE
def test_host_cpus_are_all_up(machine):
    assert re.search(r"CPUs\s+2\b", "\n".join(machine.ok("nodeinfo")))


@EVERYWHERE
def test_tscs_agree(machine):
    text = "\n".join(machine.ok("cpuinfo"))
    ahead, error = map(int, re.search(r"TSC of CPU 1: (-?\d+) ns ahead of CPU 0's, \+-(\d+) ns", text).groups())
    assert abs(ahead) <= error < 50e6
    assert "its TSC" not in "\n".join(machine.ok("dmesg")), "nothing was to be corrected"


@EVERYWHERE
@pytest.mark.parametrize("command", ["help", "version", "list", "nodeinfo", "freecell", "dmesg", "uptime",
                                     "boot-report", "dominfo alpha", "vcpuinfo alpha", "vmexit alpha",
                                     "dumpreg alpha", "dumpmem alpha 0x1000 64", "help list"])
def test_command_answers_within_80_columns(machine, command):
    lines = machine.ok(command)
    assert lines, f"{command} says nothing"
    if command not in ("dmesg", "nodeinfo"):
        assert not [line for line in lines if len(line) > 80]


@EVERYWHERE
def test_memory_is_accounted(machine):
    cells = machine.freecell()
    assert cells["total"] > 900 << 20
    known = sum(cells[label] for label in ("free", "kernel", "files", "guests"))
    assert abs(cells["total"] - known) <= 1 << 20
    assert cells["kernel"] < 16 << 20, "Quire's own memory"


@EVERYWHERE
def test_files_are_shared_not_copied(machine):
    """A guest with a module of 14 MiB that it does not touch costs little, and yet the module is there."""
    size = os.path.getsize(os.path.join(ROOT, KNOWN["vmlinuz"]))
    before = machine.free()
    machine.ok("start sharer")
    with machine.attach("sharer") as console:
        console.wait_for("BUSY", 30)
    assert before - machine.free() < 2 << 20
    own = re.search(r"its own\s+(\d+) KiB", "\n".join(machine.ok("dominfo sharer")))
    assert own and int(own.group(1)) < 512
    top = MEMORY - (size + 4095 & ~4095)
    assert "4d 5a" in machine.ok(f"dumpmem sharer {top:#x} 16")[0]
    machine.destroy("sharer")


@EVERYWHERE
def test_editor_survives_noise(machine):
    machine.send("\x00\x01\x02\xff\x1b[999;999H\x1bOP\x7f\x15" + "x" * 5000 + "\r")
    machine.wait_for(r"error:[^\n]*\n", 20)
    machine.wait_prompt(20)
    machine.send("lis\t\r")  # completion
    machine.wait_for(r"alpha", 20)
    machine.wait_prompt(20)
    machine.send("version\r")
    machine.wait_for(r"\nQuire ", 20)
    machine.wait_prompt(20)
    machine.send("\x1b[A\r")  # history
    machine.wait_for(r"\nQuire ", 20)
    machine.wait_prompt(20)
    machine.ok("list")


@EVERYWHERE
def test_mistakes_are_one_line(machine):
    for command in ("nonsense", "start", "start nobody", "destroy nobody", "console nobody", "list a b c",
                    "dumpmem alpha zz 10", "dumpmem alpha 0x7fffffffffff 16", "define", "undefine alpha",
                    "test-hook alpha nothing", "vmexit nobody", "dumpreg alpha 99", "resume alpha"):
        assert len(machine.error(command)) < 200


@EVERYWHERE
def test_poweroff_asks_first_and_then_turns_off(machine):
    machine.error("poweroff")
    assert machine.power_off() == "guest-shutdown"


def test_reboot_host():
    with Machine("reboot-host", "") as m:
        m.wait_prompt(90)
        m.send("reboot-host\r")
        assert m.wait_ended(30) == "guest-reset"


@pytest.mark.on("bochs-vmx", "bochs-svm", long=True)
def test_one_cpu_and_a_guest_with_four():
    with Machine("one-cpu", linux("alpha", vcpus=4), host="serial = com1\nmax-cpus = 1\n") as m:
        m.wait_prompt(90)
        assert re.search(r"CPUs\s+1\b", "\n".join(m.ok("nodeinfo")))
        m.wait_ready("alpha", deadline=180)
        assert m.run_shell("alpha", "nproc") == "4"
