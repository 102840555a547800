"""Debian's kernel with Hyper-V's interfaces: beside KVM's, which it prefers, and as all that there is."""
import re

import pytest

from harness.machine import Machine, guest, linux

BAD = re.compile(r"BUG:|WARNING:|Oops:|Call Trace|unchecked MSR|timer doesn't|not responding|lockup", re.I)


@pytest.fixture(scope="module")
def machine(emulator):
    guests = linux("both", hyperv="on") + linux("alone", hyperv="only", vcpus=2)
    for how in ("plain", "hyperv"):
        guests += guest(f"idle-{how}", "hyperv.elf", memory="64M", hyperv="on", cmdline=f"idle-{how}")
    for how in ("crash", "reset"):
        guests += guest(how, "hyperv.elf", memory="16M", hyperv="on", cmdline=how, on_crash="pause", on_reboot="pause")
    with Machine("hyperv", guests) as m:
        m.wait_prompt(90)
        m.wait_ready("both", "alone")
        yield m


def log(machine, name):
    return machine.run_shell(name, "dmesg")


def clock_source(machine, name):
    return machine.run_shell(name, "cat /sys/devices/system/clocksource/clocksource0/current_clocksource").strip()


def test_kvm_is_preferred(machine):
    text = log(machine, "both")
    assert "Hypervisor detected: KVM" in text
    assert not [line for line in text.split("\n") if BAD.search(line)]
    assert clock_source(machine, "both") == "kvm-clock"


def test_hyperv_alone(machine):
    """It takes the reference TSC page for its clock and a direct synthetic timer for its ticks."""
    text = log(machine, "alone")
    for line in ("Hypervisor detected: Microsoft Hyper-V", "Using hypercall for remote TLB flush",
                 "Using IPI hypercalls", "Using enlightened APIC"):
        assert line in text
    assert not [line for line in text.split("\n") if BAD.search(line)]
    assert clock_source(machine, "alone") == "hyperv_clocksource_tsc_page"
    events = machine.run_shell("alone", "cat /sys/devices/system/clockevents/clockevent*/current_device")
    assert events.count("Hyper-V clockevent") == 2
    assert machine.run_shell("alone", "nproc") == "2"
    assert machine.run_shell("alone", "sleep 2; echo awake") == "awake"
    assert int(re.search(r"vcpu\.1\.pv-eois=(\d+)", "\n".join(machine.ok("domstats alone"))).group(1)) > 50


def exits(machine, how):
    """Of 256 ticks of an idle guest, by reason."""
    machine.ok(f"start idle-{how}")
    with machine.attach(f"idle-{how}") as console:
        console.wait_for("END 256", 30)
    text = "\n".join(machine.ok(f"vmexit idle-{how}"))
    machine.destroy(f"idle-{how}")
    return {reason: int(count) for reason, count in re.findall(r"^(\S+) +(\d+) ", text, re.M)}


def test_idle_ticks(machine):
    """HLT is all that is left of three exits a tick; io has the serial line's too."""
    plain, hyperv = exits(machine, "plain"), exits(machine, "hyperv")
    assert plain["lapic"] >= 256 and plain["io"] - hyperv["io"] > 200
    assert hyperv["lapic"] + hyperv["msr-write"] < 60
    assert 200 < hyperv["hlt"] < 300


@pytest.mark.parametrize("how, reason", [("crash", "crash c0 c1 c2 c3 c4"), ("reset", "it reset itself")])
def test_end(machine, how, reason):
    """The registers end the run with the reason that its policy goes by."""
    machine.ok(f"start {how}")
    machine.wait_state(how, "stopped")
    assert reason in "\n".join(machine.ok(f"dominfo {how}"))
    machine.destroy(how)
