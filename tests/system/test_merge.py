"""Memory merging on real Linux guests: counters that move as KSM's do, memory that stays what the guests wrote, and
that unmerging gives everything back."""
import re

import pytest

from harness.machine import Machine, linux

SECONDS = 120  # for a command of the guest's: the scanner and an emulator beside it take their part
FILL = "i=0; while [ $i -lt 6 ]; do yes quire-$i | head -c 1048576; i=$((i+1)); done"


@pytest.fixture(scope="module")
def machine():
    text = linux("alpha", vcpus=2) + linux("beta") + linux("lone", share_group="none", autostart="no")
    with Machine("merge", text) as m:
        m.wait_prompt(90)
        m.ok("ksm set interval 200")
        m.wait_ready("alpha", "beta")
        yield m


def ksm(machine):
    return {key: int(value) for key, value in
            (re.match(r"(\w+)\s+(-?\d+)$", line).groups() for line in machine.ok("ksm")
             if re.match(r"\w+\s+-?\d+$", line))}


def wait(machine, condition, what, seconds=120):
    return machine.poll(lambda: ksm(machine), condition, seconds, what)


def passes(machine, count):
    last = ksm(machine)["full_scans"] + count
    return wait(machine, lambda k: k["full_scans"] >= last, f"{count} passes")


def test_identical_guests_share(machine):
    k = wait(machine, lambda k: k["pages_sharing"] > 2000 and k["pages_shared"] > 500 and k["ksm_zero_pages"] > 500,
             "shared and zero pages", 240)
    assert k["guests"] == 2
    assert k["general_profit"] > 0 and k["pages_scanned"] > k["pages_hashed"]
    free = k["pages_sharing"]
    machine.run_shell("alpha", f"({FILL}) > /a", SECONDS)
    machine.run_shell("beta", f"({FILL}) > /a", SECONDS)
    wait(machine, lambda k: k["pages_sharing"] > free + 1000, "the files' pages shared")


def test_memory_is_what_was_written(machine):
    want = machine.run_shell("alpha", f"({FILL}) | md5sum", SECONDS)
    passes(machine, 3)
    for name in ("alpha", "beta"):
        assert machine.run_shell(name, "md5sum < /a", SECONDS) == want
    # two processors write into their copies while they are merged again and again
    write = "for i in 1 2 3 4 5 6 7 8; do cat /a > /b; cat /a > /c; done"
    machine.run_shell("alpha", f"({write}) & ({write}); wait; sync", SECONDS)
    passes(machine, 2)
    for name in ("/a", "/b", "/c"):
        assert machine.run_shell("alpha", f"md5sum < {name}", SECONDS) == want
    machine.run_shell("alpha", "echo x >> /b; rm /c")
    assert machine.run_shell("beta", "md5sum < /a", SECONDS) == want


def test_who_opts_out_is_not_scanned(machine):
    machine.ok("start lone")
    machine.wait_ready("lone")
    assert passes(machine, 1)["guests"] == 2
    machine.destroy("lone")


def test_stop_keeps_and_unmerge_undoes(machine):
    machine.ok("ksm stop")
    before = ksm(machine)
    assert before["pages_sharing"] > 1000
    machine.ok("ksm unmerge")
    k = wait(machine, lambda k: k["pages_shared"] == 0, "all is unmerged")
    assert k["pages_sharing"] == 0 and k["ksm_zero_pages"] == 0
    assert machine.run_shell("beta", "md5sum < /a", SECONDS) == machine.run_shell("alpha", "md5sum < /a", SECONDS)
    machine.ok("ksm run")
    wait(machine, lambda k: k["pages_sharing"] > 1000, "merged again")


def test_bad_words_are_refused(machine):
    for line in ("ksm fly", "ksm set cpu 0", "ksm set cpu 101", "ksm set interval x", "ksm set depth 5"):
        machine.error(line)


def test_all_comes_back(machine):
    machine.destroy("alpha")
    assert machine.run_shell("beta", "echo still") == "still"
    machine.destroy("beta")
    k = ksm(machine)
    assert k["guests"] == k["pages_shared"] == k["pages_sharing"] == k["ksm_zero_pages"] == 0
