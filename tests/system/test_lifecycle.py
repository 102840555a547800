"""What an operator does with guests: each command on a real Linux, policies, and that nothing is lost."""
import re

import pytest

from harness.machine import Machine, guest, linux

pytestmark = pytest.mark.on("bochs-vmx", long=True)


@pytest.fixture(scope="module")
def machine(emulator):
    text = linux("alpha") + linux("beta")
    text += guest("busy", "busy.elf", memory="16M", autostart="no")
    text += linux("again", autostart="no", on_poweroff="restart")
    text += linux("kept", autostart="no", on_poweroff="pause", on_reboot="pause")
    text += linux("gone", autostart="no", on_reboot="destroy")
    text += guest("crash-kept", "hostile.elf", memory="16M", cmdline="triple", on_crash="pause")
    text += guest("crash-again", "hostile.elf", memory="16M", cmdline="triple", on_crash="restart")
    with Machine("lifecycle", text) as m:
        m.wait_prompt(90)
        m.wait_ready("alpha", "beta")
        yield m


def wait_starts(machine, name, count):
    machine.poll(lambda: machine.starts(name), lambda n: n == count, 60, f"{count} starts")


def test_suspend_and_resume(machine):
    machine.ok("start busy")
    with machine.attach("busy") as console:
        console.wait_for(r"TICK 2", 60)
    machine.ok("suspend busy")
    machine.wait_state("busy", "paused")
    before = machine.ok("dumpreg busy")
    assert machine.ok("dumpreg busy") == before, "a paused guest's registers do not change"
    assert machine.run_shell("beta", "echo other") == "other"
    machine.error("suspend busy")
    machine.ok("resume busy")
    machine.wait_state("busy", "running")
    with machine.attach("busy") as console:
        last = int(console.wait_for(r"TICK (\d+)\r?\n", 60).group(1))
        console.wait_for(rf"TICK {last + 3}\r?\n", 60)
        console.send("z")
        console.wait_for("ECHO z", 30)
    machine.destroy("busy")


def test_linux_goes_on_after_a_pause(machine):
    machine.ok("suspend beta")
    machine.wait_state("beta", "paused")
    machine.error("shutdown beta")
    machine.ok("resume beta")
    assert machine.run_shell("beta", "sleep 1; echo on") == "on"


def test_shutdown_by_power_button(machine):
    machine.ok("shutdown beta")
    machine.wait_state("beta", "off", 60)
    machine.ok("start beta")
    machine.wait_ready("beta")


def test_reboot_by_power_button(machine):
    before = machine.starts("beta")
    machine.ok("reboot beta")
    wait_starts(machine, "beta", before + 1)
    machine.wait_ready("beta")


def test_reset(machine):
    before = machine.starts("beta")
    machine.ok("reset beta")
    wait_starts(machine, "beta", before + 1)
    machine.wait_ready("beta")


def test_destroy_and_start_again(machine):
    machine.destroy("beta")
    machine.error("destroy beta")
    machine.error("suspend beta")
    machine.ok("start beta")
    machine.error("start beta")
    machine.wait_ready("beta")


def test_the_guests_own_reboot(machine):
    before = machine.starts("beta")
    with machine.attach("beta") as console:
        console.send("reboot -f\r")
    wait_starts(machine, "beta", before + 1)
    machine.wait_ready("beta")


@pytest.mark.parametrize("name, command, state", [("again", "poweroff -f", "running"),
                                                  ("kept", "poweroff -f", "stopped"),
                                                  ("kept", "reboot -f", "stopped"),
                                                  ("gone", "reboot -f", "off")])
def test_policy(machine, name, command, state):
    machine.ok(f"start {name}")
    machine.wait_ready(name)
    before = machine.starts(name)
    with machine.attach(name) as console:
        console.send(command + "\r")
    if state == "running":
        wait_starts(machine, name, before + 1)
        machine.wait_ready(name)
    machine.wait_state(name, state, 60)
    if state != "off":
        machine.destroy(name)


def test_crash_is_kept_and_can_be_looked_into(machine):
    machine.ok("start crash-kept")
    machine.wait_state("crash-kept", "stopped")
    text = "\n".join(machine.ok("dominfo crash-kept"))
    assert re.search(r"crashed.*(triple|shutdown)", text, re.I), text
    assert any("RIP=" in line for line in machine.ok("dumpreg crash-kept"))
    machine.destroy("crash-kept")


def test_endless_crashes_end(machine):
    machine.ok("start crash-again")
    machine.poll(lambda: machine.states()["crash-again"], lambda s: s == "off", 60, "it to stay off")
    assert 2 <= machine.starts("crash-again") <= 7


def test_define_and_undefine(machine):
    machine.ok('define late kernel=busy.elf memory=16M cmdline="a b c" weight=100')
    assert machine.states()["late"] == "off"
    machine.error("define late kernel=busy.elf")
    machine.ok("start late")
    with machine.attach("late") as console:
        console.wait_for(r"START busy\.elf a b c\r?\n", 30)  # Multiboot: the file's name first
    machine.error("undefine late")
    machine.destroy("late")
    machine.ok("undefine late")
    assert "late" not in machine.states()


def test_a_number_is_not_used_again(machine):
    def number():
        return int(re.search(r"number (\d+)", "\n".join(machine.ok("define n kernel=busy.elf"))).group(1))
    first = number()
    machine.ok("undefine n")
    assert number() > first
    machine.ok("undefine n")


def test_inject_nmi(machine):
    before = machine.run_shell("beta", "grep NMI: /proc/interrupts")
    machine.ok("inject-nmi beta")
    after = machine.run_shell("beta", "grep NMI: /proc/interrupts")
    count = [int(re.search(r"NMI:\s+(\d+)", text).group(1)) for text in (before, after)]
    assert count[1] == count[0] + 1


@pytest.mark.deadline(600)
def test_fifty_rounds_leave_memory_as_it_was(machine):
    def one_round():
        machine.ok("start busy")
        with machine.attach("busy") as console:
            console.wait_for("BUSY", 30)
        machine.destroy("busy")

    machine.ok("suspend alpha")
    machine.ok("suspend beta")
    machine.wait_state("alpha", "paused")
    machine.wait_state("beta", "paused")
    one_round()
    machine.ok("ksm stop")  # what they have would go on to become less
    before = machine.free()
    for _ in range(50):
        one_round()
    after = machine.free()
    machine.ok("ksm run")
    machine.ok("resume alpha")
    machine.ok("resume beta")
    assert after == before


def test_linux_rounds_leave_memory_as_it_was(machine):
    machine.ok("suspend alpha")
    machine.wait_state("alpha", "paused")
    machine.destroy("beta")
    machine.ok("ksm stop")  # what alpha has would go on to become less
    before = machine.free()
    for _ in range(3):
        machine.ok("start beta")
        machine.wait_ready("beta")
        machine.destroy("beta")
    assert machine.free() == before
    machine.ok("ksm run")
    machine.ok("resume alpha")
    assert machine.run_shell("alpha", "echo alive") == "alive"
