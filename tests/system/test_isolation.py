"""A machine process that fails, loops or attacks costs its own guest only; the monitor may die too."""
import re

import pytest

from harness.machine import Machine, guest, linux


@pytest.fixture(scope="module")
def machine(emulator):
    text = linux("alpha") + linux("beta", vcpus=2)
    text += guest("victim", "busy.elf", memory="16M", autostart="no", on_crash="pause")
    with Machine("isolation", text) as m:
        m.wait_prompt(90)
        m.wait_ready("alpha", "beta")
        yield m


def others_are_well(machine):
    for name in ("alpha", "beta"):
        assert machine.run_shell(name, "echo alive") == "alive"


@pytest.mark.parametrize("hook", ["crash", "syscalls", "handles"])
def test_hook_stops_its_guest_only(machine, hook):
    machine.ok("start victim")
    with machine.attach("victim") as console:
        console.wait_for("TICK 1", 30)
    machine.ok(f"test-hook victim {hook}")
    machine.wait_state("victim", "stopped", 120)
    text = "\n".join(machine.ok("dominfo victim"))
    assert re.search(r"Last run\s+crashed: \S+", text), text
    assert any("victim" in line for line in machine.ok("dmesg")), "no report in the log"
    others_are_well(machine)
    machine.destroy("victim")


def test_looping_process_costs_its_guest_only(machine):
    machine.ok("start victim")
    with machine.attach("victim") as console:
        console.wait_for("TICK 1", 30)
    machine.ok("test-hook victim loop")
    others_are_well(machine)
    if machine.states()["victim"] == "running":
        machine.ok("destroy victim")
    else:
        machine.wait_state("victim", "stopped")
        machine.ok("destroy victim")
    machine.wait_state("victim", "off", 60)
    others_are_well(machine)


def test_memory_comes_back_after_hooks(machine):
    for name in ("alpha", "beta"):
        machine.ok(f"suspend {name}")
        machine.wait_state(name, "paused")
    machine.ok("ksm stop")  # what they have would go on to become less
    try:
        before = machine.free()
        for _ in range(5):
            machine.ok("start victim")
            with machine.attach("victim") as console:
                console.wait_for("BUSY", 30)
            machine.ok("test-hook victim crash")
            machine.wait_state("victim", "stopped")
            machine.destroy("victim")
        assert machine.free() == before
    finally:
        machine.ok("ksm run")
        for name in ("alpha", "beta"):
            machine.ok(f"resume {name}")
    others_are_well(machine)


def test_monitor_comes_back(machine):
    machine.send("crash-monitor\r")
    machine.wait_for(r"started again", 30)
    machine.wait_prompt(30)
    assert machine.states()["alpha"] == "running"
    others_are_well(machine)
    assert any("monitor" in line for line in machine.ok("dmesg"))


def test_linux_survives_a_new_machine_process(machine):
    with machine.attach("beta") as console:
        console.output("mkdir -p /tmp/keep && echo kept >/tmp/keep/file; x=variable")
    for _ in range(3):
        machine.ok("test-hook beta replace")
        with machine.attach("beta") as console:
            assert console.output("cat /tmp/keep/file; echo $x", deadline=60) == "kept\nvariable"
            assert console.output("sleep 1; nproc", deadline=60) == "2"
    assert re.search(r"Starts\s+1\b", "\n".join(machine.ok("dominfo beta"))), "it was started anew"
    machine.ok("shutdown beta")
    machine.wait_state("beta", "off", 60)
    machine.ok("start beta")
    machine.wait_ready("beta")


def test_replace_under_load(machine):
    with machine.attach("alpha") as console:
        console.send("while :; do echo x; done >/dev/null & seq 1 3000 >/dev/ttyS0; echo load''-ended\r")
    for _ in range(5):  # refused while the last one is under way
        machine.poll(lambda: machine.monitor("test-hook alpha replace"),
                     lambda lines: not any(line.startswith("error") for line in lines), 30, "a replacement")
    with machine.attach("alpha") as console:
        console.wait_for("load-ended", 120)
        console.output("kill %1; true")
    others_are_well(machine)
