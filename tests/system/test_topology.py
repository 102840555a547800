"""The machine's topology: two packages that are nodes, two cores each, two threads each; who runs where."""
import re

import pytest

from harness.machine import Machine, guest

TWO_NODES = ["-smp", "8,sockets=2,cores=2,threads=2",
             "-object", "memory-backend-ram,id=m0,size=512M", "-object", "memory-backend-ram,id=m1,size=512M",
             "-numa", "node,nodeid=0,cpus=0-3,memdev=m0", "-numa", "node,nodeid=1,cpus=4-7,memdev=m1"]


def busy(name, **keys):
    return guest(name, "busy.elf", memory="16M", autostart="no", cmdline="-", **keys)


def places(machine):
    """`cpuinfo`'s second table: CPU -> (node, package, cache, core, for whom)"""
    rows = (re.match(r"\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\S+)$", line) for line in machine.ok("cpuinfo"))
    return {int(row.group(1)): tuple(map(int, row.groups()[1:5])) + (row.group(6),) for row in rows if row}


@pytest.fixture(scope="module")
def machine():
    text = "".join(busy(f"b{i}") for i in range(4))
    with Machine("topology", text, extra=TWO_NODES) as m:
        m.wait_prompt(90)
        yield m


def test_places(machine):
    """Hardware threads, cores, packages and nodes as the machine was made."""
    seen = places(machine)
    assert len(seen) == 8
    assert [seen[i][0] for i in range(8)] == [0] * 4 + [1] * 4, seen
    assert [seen[i][1] for i in range(8)] == [0] * 4 + [1] * 4, seen
    assert [seen[i][3] for i in range(8)] == [0, 0, 1, 1, 2, 2, 3, 3], seen
    assert any(re.match(r"Topology\s+nodes 2, packages 2, caches 2, cores 4$", line) for line in machine.ok("nodeinfo"))
