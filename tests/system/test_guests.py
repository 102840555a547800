"""The test guests: what a guest sees of processor, interrupts and memory, by their PASS and FAIL lines."""
import pytest

from harness.machine import Machine, guest

GUESTS = {
    "cpu": dict(memory="64M", vcpus=1),
    "cpu2": dict(memory="64M", vcpus=2),
    "apic": dict(memory="64M", vcpus=1),
    "apic2": dict(memory="64M", vcpus=2),
    "apic4": dict(memory="64M", vcpus=4),
    "apic2-absent": dict(memory="64M", vcpus=2, vcpus_max=4),
    "hyperv": dict(memory="64M", vcpus=1, hyperv="only"),
    "hyperv2": dict(memory="64M", vcpus=2, hyperv="on"),
    "memory": dict(memory="64M", vcpus=1),
    "memory-odd": dict(memory="33796K", vcpus=1),
}


pytestmark = pytest.mark.on("bochs-vmx", "bochs-svm")


def elf(name):
    return name.split("-")[0].rstrip("0123456789") + ".elf"


@pytest.fixture(scope="module")
def machine(emulator):
    text = "".join(guest(name, elf(name), **keys,
                         cmdline=f"vcpus={keys['vcpus']} {keys.get('hyperv', '')} {emulator.words}")
                   for name, keys in GUESTS.items())
    text += guest("multiboot-module", "memory.elf", memory="64M", initrd="initrd.cpio",
                  module=["cpu.elf first argument", "apic.elf"])
    text += guest("mach", "gnumach", memory="64M", cmdline="console=com0")
    with Machine("guests", text) as m:
        m.wait_prompt(90)
        yield m


def run(machine, name, deadline=150):
    machine.ok(f"start {name}")
    try:
        with machine.attach(name) as console:
            passed, failed, fails = console.summary(deadline)
        assert not failed, "\n".join(fails)
        assert passed > 10
    finally:
        machine.destroy(name)


@pytest.mark.parametrize("name", GUESTS)
def test_guest(machine, name):
    run(machine, name)


def test_modules_are_left_alone(machine):
    run(machine, "multiboot-module")


def test_gnu_mach_starts(machine):
    """GNU Mach, a foreign Multiboot kernel, comes as far as it can without its servers."""
    machine.ok("start mach")
    with machine.attach("mach") as console:
        console.wait_for(r"GNU Mach|panic: No bootstrap code", 60)
    machine.destroy("mach")
