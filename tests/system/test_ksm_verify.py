"""ksm verify and ksm matrix, with guests that run and merge."""
import re

import pytest

from harness.machine import Machine, linux

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
    with Machine("ksm-verify", GUESTS, memory="512M") as m:
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
        files = min(shared["alpha"]["files"], shared["gamma"]["files"])
        assert shared["alpha"]["gamma"] <= files  # nothing but files' pages
        m.destroy("beta")
        assert verify(m)[0] == 2
        assert "beta" not in matrix(m)


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
