"""Optional features of processors, forced off by configuration: one emulator stands for many processors."""
import re

import pytest

from harness.machine import Machine, guest, linux

VMX = ["vmx.vpid", "vmx.ept-ad", "vmx.tpr-shadow", "vmx.msr-bitmap", "vmx.pause-loop", "vmx.invept-single",
       "vmx.preemption-timer"]
SVM = ["svm.nrip-save", "svm.flush-by-asid", "svm.pause-filter"]


def without(options, text, cpus=2, more="", **machine):
    """A machine on which these features are off."""
    name = "without-" + (options[0] if len(options) == 1 else "all")
    host = "serial = com1\n" + "".join(f"{option} = off\n" for option in options) + more
    return Machine(name, text, host=host, cpus=cpus, **machine)


def features(machine):
    """What Quire says that it uses."""
    return re.search(r"(?:VMX|SVM): (.*)", "\n".join(machine.ok("dmesg"))).group(1).split()


def guests_run(options, cpus=1, known=(), **machine):
    """With as many virtual processors: a firmware with one is up much sooner.  Returns what Quire uses there.  known:
    verdicts that fail in the apic guest by the emulator's own fault."""
    names = ("cpu", "apic")
    cmdline = f"vcpus={cpus} {Machine.default.words}"
    text = "".join(guest(n, n + ".elf", memory="64M", vcpus=cpus, cmdline=cmdline) for n in names)
    with without(options, text, cpus, **machine) as m:
        m.wait_prompt(90)
        used = features(m)
        assert used and not [o for o in options if o.split(".")[1] in used], used
        for name in names:
            m.ok(f"start {name}")
            with m.attach(name) as console:
                passed, failed, fails = console.summary(60)
            wrong = [line for line in fails if not any(word in line for word in known)]
            assert not wrong and failed == (len(known) if name == "apic" else 0), "\n".join(fails)
            assert passed > 10
            m.destroy(name)
    return used


def linux_runs(options):
    with without(options, linux("alpha", vcpus=2)) as m:
        m.wait_prompt(90)
        m.wait_ready("alpha")
        assert m.run_shell("alpha", "nproc") == "2"


@pytest.mark.on("bochs-vmx", only=True)
@pytest.mark.parametrize("option", VMX)
def test_guests_without_a_feature_of_vmx(option):
    guests_run([option])


@pytest.mark.on("bochs-vmx", only=True)
def test_guests_without_all_of_vmx():
    guests_run(VMX, cpus=2)


@pytest.mark.on("bochs-vmx", only=True)
def test_guests_with_apicv():
    """Bochs delivers one although interrupts are off, when another comes."""
    early = ("xapic: IPIs wait while interrupts are off", "x2apic: IPIs wait while interrupts are off")
    assert "apicv" in guests_run([], cpus=2, known=early, more="vmx.apicv = on\n")


@pytest.mark.on("bochs-vmx", only=True)
@pytest.mark.parametrize("model, lacking", [("corei7_skylake_x", []),
                                            ("corei7_ivy_bridge_3770k", ["ept-ad", "ept-1g"])])
def test_guests_on_another_intel(model, lacking):
    """Skylake has AVX-512; Ivy Bridge is the oldest that will do."""
    used = guests_run([], cpu=model)
    assert not set(lacking) & set(used)


@pytest.mark.on("bochs-svm", only=True)
def test_guests_on_an_old_amd():
    """A Phenom has nested paging and nothing else, nor XSAVE."""
    assert guests_run([], cpu="phenom_8650_toliman") == ["npt", "64-asids"]


@pytest.mark.on("bochs-svm", only=True)
def test_guests_without_all_of_svm():
    guests_run(SVM, cpus=2)


@pytest.mark.on("bochs-vmx", only=True, long=True)
def test_linux_without_all_of_vmx():
    linux_runs(VMX)


@pytest.mark.on("bochs-vmx", only=True, long=True)
@pytest.mark.parametrize("option", VMX)
def test_linux_without_a_feature_of_vmx(option):
    linux_runs([option])


@pytest.mark.on("bochs-vmx", only=True)
def test_barriers_between_guests():
    """Ice Lake has an IBPB and enhanced IBRS: two guests take turns on one CPU with them."""
    text = "".join(guest(name, "busy.elf", memory="16M", autostart="yes") for name in ("a", "b"))
    with Machine("barriers", text, cpus=1, cpu="corei7_icelake_u") as m:
        m.wait_prompt(90)
        assert "Between guests    ibpb" in m.ok("nodeinfo")
        assert "Ring 0's branches enhanced-ibrs" in m.ok("nodeinfo")
        for name in ("a", "b"):
            with m.attach(name) as console:
                console.wait_for("TICK 2", 30)
