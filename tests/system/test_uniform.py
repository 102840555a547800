"""A uniform share group: it shares as others do, and its guests' memory stays what they wrote; modes are not mixed."""
import json
import re

import pytest

import trace_json as trace
from harness import fill
from harness.machine import Machine, guest

SIZE = 16           # MiB of each guest; half of it all have in common
NAMES = ["g1", "g2", "g3"]


@pytest.fixture(scope="module")
def machine():
    text = "".join(guest(name, "fill.elf", memory=f"{SIZE}M", cmdline=f"seed={n}", share_group="hard",
                         share_mode="uniform", autostart="no") for n, name in enumerate(NAMES, 1))
    text += guest("mixed", "fill.elf", memory=f"{SIZE}M", share_group="hard", autostart="no")
    with Machine("uniform", text, verify_during=False) as m:  # a trace keeps the last moment only
        m.wait_prompt(90)
        m.ok("ksm set interval 100")
        yield m


def ksm(machine):
    return {key: int(value) for key, value in re.findall(r"^(\w+)\s+(\d+)$", "\n".join(machine.ok("ksm show")), re.M)}


def traced(machine, kind):
    """The details of what was traced lately of a kind; it is in the file that is made of the trace, too."""
    hz, records = trace.parse("\n".join(machine.ok("trace show 2048", deadline=60)))
    made = json.loads(json.dumps(trace.chrome(hz, records)))["traceEvents"]
    found = [e for e in made if e.get("cat") == kind]
    assert all(e["ph"] == "X" and e["dur"] > 0 and e["tid"] == trace.MEMORY for e in found)
    return {e["name"] for e in found}


def test_shares_and_stays_right(machine):
    free = machine.free()
    for name in NAMES:
        machine.ok(f"start {name}")
        fill.begin(machine, name)
    common = SIZE * 256 // 2
    machine.poll(lambda: ksm(machine), lambda k: k["pages_sharing"] > common, 120, "the common half to be shared")
    merged = ksm(machine)["pages_merged"]
    machine.ok("trace start")
    for name in NAMES:  # each verifies all of its memory, and writes half of it, round by round
        fill.goes_on(machine, name)
    assert traced(machine, "unshare") == {"copied"}
    machine.verify_memory()
    assert "share-mode is plain, and share-group hard" in machine.error("start mixed")
    machine.ok("ksm unmerge")
    machine.poll(lambda: ksm(machine), lambda k: k["pages_shared"] == 0, 60, "all is unmerged")
    machine.ok("trace start")
    machine.ok("ksm run")
    machine.poll(lambda: ksm(machine), lambda k: k["pages_sharing"] > common, 60, "merged again")
    assert any(detail.startswith("pages:") for detail in traced(machine, "merge"))
    assert ksm(machine)["pages_merged"] > merged + common
    for name in NAMES:
        fill.goes_on(machine, name)
    fill.end_round(machine, NAMES, free)  # the stock is given back, too
    machine.ok("start mixed")             # and the group is nobody's any more
    machine.destroy("mixed")
