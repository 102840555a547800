"""Hostile guests and broken files: each gives a clear message and costs at most that guest."""
import re

import pytest

from harness.machine import Machine, guest, linux

SURVIVES = ["ports", "msrs", "apic-away", "ipis", "stack", "virtio"]
STOPS = ["garbage", "triple", "hole", "end", "tables"]
ON_BOCHS = pytest.mark.on("bochs-vmx", long=True)
TRUNCATED = b"070701" + b"0" * 40


@pytest.fixture(scope="module")
def machine(emulator):
    text = linux("alpha")
    for mode in SURVIVES + STOPS + ["spin", "reset", "task"]:
        text += guest(mode, "hostile.elf", memory="16M", cmdline=mode, autostart="no", on_crash="pause",
                      on_reboot="pause")
    text += guest("spin2", "hostile.elf", memory="16M", vcpus=2, cmdline="spin", autostart="no")
    text += guest("no-kernel", "noise.bin", memory="16M", autostart="no")
    text += guest("empty-kernel", "empty.bin", memory="16M", autostart="no")
    text += guest("text-kernel", "text.txt", memory="16M", autostart="no")
    text += guest("cut-kernel", "cut.bin", memory="64M", autostart="no")
    text += guest("cut-elf", "cut.elf", memory="16M", autostart="no")
    text += guest("small", "vmlinuz", memory="2M", autostart="no")
    text += guest("huge-initrd", "vmlinuz", initrd="vmlinuz", memory="24M", autostart="no")
    text += guest("cut-initrd", "vmlinuz", initrd="cut.cpio", memory="128M", autostart="no",
                  cmdline="console=ttyS0 quiet panic=-1", on_reboot="destroy")
    with Machine("bad-input", text, files=files()) as m:
        m.wait_prompt(90)
        m.wait_ready("alpha")
        yield m


def files():
    with open("build/debian/vmlinuz", "rb") as f:
        kernel = f.read(300000)
    with open("build/guests/cpu.elf", "rb") as f:
        elf = f.read(200)
    noise = bytes((n * 7919 >> 3) & 0xff for n in range(70000))
    named = dict.fromkeys(["vmlinuz", "initrd.cpio", "hostile.elf"])
    named.update({"noise.bin": noise, "empty.bin": b"", "text.txt": b"I am no kernel\n" * 100})
    named.update({"cut.bin": kernel, "cut.elf": elf, "cut.cpio": TRUNCATED})
    return named


def others_are_well(machine):
    assert machine.run_shell("alpha", "echo alive") == "alive"


@ON_BOCHS
@pytest.mark.parametrize("mode", SURVIVES)
def test_harmless(machine, mode):
    """The guest survives, or it stops with a report: the others do not notice."""
    machine.ok(f"start {mode}")
    try:
        with machine.attach(mode) as console:
            console.wait_for(rf"SURVIVED {mode}", 120)
    finally:
        others_are_well(machine)
        machine.destroy(mode)


@ON_BOCHS
@pytest.mark.parametrize("mode", STOPS)
def test_stops_with_a_report(machine, mode):
    machine.ok(f"start {mode}")
    machine.wait_state(mode, "stopped", 60)
    text = "\n".join(machine.ok(f"dominfo {mode}"))
    assert re.search(r"Last run\s+crashed: \S+", text), text
    others_are_well(machine)
    machine.destroy(mode)


@ON_BOCHS
def test_hardware_task_switch(machine, emulator):
    """AMD's processors do them; Intel's leave them to Quire, which stops the guest and says so."""
    machine.ok("start task")
    if emulator.name == "bochs-vmx":
        machine.wait_state("task", "stopped")
        assert "crashed: task switch to TSS 20" in "\n".join(machine.ok("dominfo task"))
    else:
        with machine.attach("task") as console:
            console.wait_for("SURVIVED task")
    others_are_well(machine)
    machine.destroy("task")


@ON_BOCHS
@pytest.mark.parametrize("name", ["spin", "spin2"])
def test_loop_with_interrupts_off(machine, name):
    machine.ok(f"start {name}")
    with machine.attach(name) as console:
        console.wait_for("SPIN", 30)
    seen = {re.search(r"CR2=\w+", "\n".join(machine.ok(f"dumpreg {name}"))).group() for _ in range(5)}
    assert len(seen) > 1, f"registers of its start, not of now: {seen}"
    others_are_well(machine)
    machine.ok(f"suspend {name}")
    machine.wait_state(name, "paused")
    machine.ok(f"resume {name}")
    machine.destroy(name)


@ON_BOCHS
def test_reset_port(machine):
    machine.ok("start reset")
    machine.wait_state("reset", "stopped")
    assert re.search(r"Last run\s+reset", "\n".join(machine.ok("dominfo reset")))
    machine.destroy("reset")


@pytest.mark.parametrize("name", ["no-kernel", "empty-kernel", "text-kernel", "cut-kernel", "cut-elf",
                                  "small", "huge-initrd"])
def test_bad_image_is_an_error_that_says_why(machine, name):
    answer = machine.monitor(f"start {name}")
    machine.wait_state(name, "off", 60)
    text = "\n".join(answer + machine.ok(f"dominfo {name}") + machine.ok("dmesg"))
    why = r"not|no |too|larg|small|short|trunc|neither|without|memory"
    assert re.search(rf"{name}\b.*({why})", text, re.I), text
    others_are_well(machine)


def test_truncated_initrd(machine):
    """Linux itself says that it cannot unpack it or finds no root, and panics; we go on."""
    machine.ok("start cut-initrd")
    with machine.attach("cut-initrd") as console:
        console.wait_for(r"Kernel panic|Initramfs unpacking failed", 120)
    machine.poll(lambda: machine.states()["cut-initrd"], lambda s: s in ("off", "running"), 60, "its end")
    if machine.states()["cut-initrd"] == "running":
        machine.destroy("cut-initrd")
    others_are_well(machine)


def test_memory_larger_than_the_hosts(machine):
    machine.ok("define giant kernel=hostile.elf memory=64G")
    assert "memory" in machine.error("start giant")
    machine.ok("undefine giant")


def test_bad_definitions(machine):
    for words in ("x vcpus=0 kernel=hostile.elf", "x memory=0 kernel=hostile.elf",
                  "x memory=abc kernel=hostile.elf", "x kernel=missing.bin",
                  "x memory=16M", "x kernel=hostile.elf nonsense=1",
                  "x kernel=hostile.elf memory=99999999999999999999G", "x kernel=hostile.elf vcpus=65",
                  "x kernel=hostile.elf on-crash=explode", "x kernel", "a/b kernel=hostile.elf",
                  "alpha kernel=hostile.elf", "x kernel=hostile.elf kernel=vmlinuz"):
        machine.error(f"define {words}")
    assert "x" not in machine.states()
