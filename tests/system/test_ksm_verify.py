"""ksm verify and ksm matrix, with guests that run and merge; and which frames guests have in common, as a dump of the
machine's memory has it."""
import re

import pytest

from harness import fill, optimum
from harness.machine import Machine, guest, linux

GUESTS = linux("alpha", memory="96M") + linux("beta", memory="96M") + linux("gamma", memory="96M", share_group="other")


def verify(machine):
    lines = machine.ok("ksm verify", 120)
    match = re.search(r"clean: (\d+) guests, (\d+) leaves, (\d+) merged frames", "\n".join(lines))
    assert match, lines
    return [int(n) for n in match.groups()]


def matrix(machine):
    """Guest -> {title: pages}"""
    lines = machine.ok("ksm matrix", 120)
    titles = lines[0].split()
    return {row[0]: dict(zip(titles[1:], map(int, row[1:]))) for row in (line.split() for line in lines[1:])}


def facts(machine, command):
    """Numbers by name."""
    return {key: int(n) for key, n in re.findall(r"^(\w+)\s+(-?\d+)$", "\n".join(machine.ok(command)), re.M)}


@pytest.mark.deadline(600)
def test_verify_and_matrix_while_guests_run():
    with Machine("ksm-verify", GUESTS, memory=512) as m:
        m.wait_prompt()
        assert verify(m)[0] >= 0
        m.wait_ready("alpha", "beta", "gamma", deadline=200)
        m.ok("ksm set interval 200")
        with m.attach("alpha") as console:  # it goes on writing while all is counted
            console.run("(while :; do dd if=/dev/urandom of=/tmp/x bs=64k count=64 2>/dev/null; done) & true")
        m.poll(lambda: matrix(m)["alpha"]["beta"], lambda n: n > 1000, 120, "alpha and beta to share pages")
        guests, leaves, frames = verify(m)
        assert guests == 3 and leaves > 3000 and frames > 500
        shared = matrix(m)
        assert shared["alpha"]["beta"] == shared["beta"]["alpha"]
        frames = optimum.Frames(m, ("alpha", "beta", "gamma"))
        assert len(frames.common("alpha", "beta")) > 500
        for name in ("alpha", "beta"):
            assert frames.alike(name, "gamma") > 500
            assert not frames.common(name, "gamma"), "they are of different share groups"
            assert not matrix(m)[name]["gamma"]
        m.destroy("beta")
        assert verify(m)[0] == 2
        assert "beta" not in matrix(m)


GROUPS = {"a1": "default", "a2": "default", "b1": "other", "b2": "other", "n1": "none", "n2": "none"}


def check_groups(machine, groups, least):
    """Of these guests, all of whose content is alike, those of one share group have frames in common, others none."""
    frames = optimum.Frames(machine, groups)
    for a, group in groups.items():
        for b, other in groups.items():
            if a < b:
                assert frames.alike(a, b) > least, (a, b)
                common = len(frames.common(a, b))
                if group == other != "none":
                    assert common > least, f"{a} and {b}, of one group, have only {common} frames in common"
                else:
                    assert not common, f"{a} and {b}, not of one group, have {common} frames in common"


def test_groups_have_no_frame_in_common():
    """Guests that fill their memory alike."""
    text = "".join(guest(name, "fill.elf", memory="8M", cmdline="still", share_group=group, autostart="no")
                   for name, group in GROUPS.items())
    with Machine("ksm-groups", text, memory=512) as m:
        m.wait_prompt()
        m.ok("ksm set interval 100")
        for name in GROUPS:
            m.ok(f"start {name}")
            fill.begin(m, name)
        for name in GROUPS:
            m.poll(lambda: fill.filled(m, name), bool, 60, f"{name} to fill its memory")
        m.poll(lambda: facts(m, "ksm")["pages_sharing"], lambda n: n > 3000, 60, "two groups to share pages")
        check_groups(m, GROUPS, 1000)


@pytest.mark.deadline(600)
def test_files_are_one_groups():
    """Files' frames are mapped by the group whose guest was the first to load from them; others have copies."""
    groups = {"alpha": "default", "beta": "default", "gamma": "other", "delta": "other", "lone": "none"}
    text = "".join(linux(name, memory="96M", share_group=group, autostart="no") for name, group in groups.items())
    with Machine("file-frames", text) as m:
        m.wait_prompt()
        m.ok("ksm stop")
        for name, group in groups.items():  # each is paused while it unpacks its kernel
            m.ok(f"start {name}")
            if group == "default":
                m.poll(lambda: matrix(m)[name]["files"], lambda n: n > 1000, 60, f"{name} to use files' pages")
            else:
                m.poll(lambda: m.freecell()[f"{name} RAM"], lambda size: size > 16 << 20, 60, f"{name} to use memory")
            m.ok(f"suspend {name}")
        check_files(m, groups)


def check_files(machine, groups):
    frames = optimum.Frames(machine, groups)
    assert len(frames.common("alpha", "beta")) > 500, "born merged"
    for name, group in groups.items():
        for other in groups:
            if name != other and group != "default":
                assert frames.alike(name, other) > 300, (name, other)
                common = len(frames.common(name, other))
                assert not common, f"{name} of group {group} and {other} have {common} frames in common"


def test_born_merged():
    """Files' pages are shared from a guest's first instruction on, without the scanner, and counted as such."""
    guests = linux("alpha", memory="96M", autostart="no") + linux("beta", memory="96M", autostart="no")
    with Machine("born-merged", guests) as m:
        m.wait_prompt()
        m.ok("ksm stop")
        for name in ("alpha", "beta"):
            m.ok(f"start {name}")
        m.poll(lambda: facts(m, "ksm")["born_merged"], lambda n: n > 1000, 60, "files' pages in use")
        for name in ("alpha", "beta"):
            m.ok(f"suspend {name}")
        shared, counts = matrix(m), facts(m, "ksm")
        assert counts["pages_merged"] == 0
        assert counts["born_merged"] == shared["alpha"]["files"] + shared["beta"]["files"]
        assert 0 < shared["alpha"]["beta"] <= min(shared["alpha"]["files"], shared["beta"]["files"])
        cells = m.freecell()
        assert cells["debt if all sharing broke"] == counts["born_merged"] << 12  # the files keep their frames
        assert cells["memory that guests share"] == counts["born_merged"] - shared["alpha"]["beta"] << 12
        verify(m)
