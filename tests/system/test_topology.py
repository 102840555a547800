"""The machine's topology: two packages that are nodes, two cores each, two threads each; who runs where."""
import re
import time

import pytest

import trace_json as trace
from harness import parse
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
    text = "".join(busy(name) for name in ("b0", "b1", "b2", "b3", "c0", "c1", "c2", "c3"))
    text += busy("own", vcpus=2, dedicated="yes") + busy("more", vcpus=6, dedicated="yes")
    text += "".join(guest(f"f{i}", "fill.elf", memory="64M", vcpus=4, autostart="no", cmdline="own") for i in range(2))
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


def free_in_nodes(machine):
    rows = (re.match(r"Free in node (\d+)\s+([\d.]+) MiB", line) for line in machine.ok("nodeinfo"))
    return {int(row.group(1)): float(row.group(2)) for row in rows if row}


def cpus_of(machine, name):
    """`vcpuinfo`: the host CPUs that its vCPUs are on"""
    rows = (re.match(r"\s*\d+\s+[a-z-]+\s+(\d+)\s", line) for line in machine.ok(f"vcpuinfo {name}"))
    return [int(row.group(1)) for row in rows if row]


def test_homes(machine):
    """Two guests of four vCPUs are at home in different nodes: there is their memory, and there they run."""
    before = free_in_nodes(machine)
    assert len(before) == 2, before
    for name in ("f0", "f1"):
        machine.ok(f"start {name}")
        with machine.attach(name) as console:
            console.send("x")
            console.wait_for("FILLED")
    after = free_in_nodes(machine)
    used = [before[n] - after[n] for n in range(2)]
    assert all(60 < each < 100 for each in used), used
    nodes = {name: cpus_of(machine, name)[0] // 4 for name in ("f0", "f1")}  # the others do nothing
    assert sorted(nodes.values()) == [0, 1], nodes
    for name in ("f0", "f1"):
        machine.destroy(name)


def test_a_core_each(machine):
    """Four that burn, in two nodes of two cores each, share no core."""
    for i in range(4):
        machine.ok(f"start b{i}")
    machine.poll(lambda: [cpus_of(machine, f"b{i}")[0] // 2 for i in range(4)], lambda cores: len(set(cores)) == 4, 20,
                 "a core for each")


def alone(machine):
    """CPUs that are a guest's alone: CPU -> guest"""
    return {cpu: place[4] for cpu, place in places(machine).items() if place[4] != "everybody"}


def stats(machine, name):
    rows = (line.split("=", 1) for line in machine.ok(f"domstats {name}") if "=" in line)
    return {key: int(value) for key, value in rows if value.isdigit()}


def test_dedicated(machine):
    """A guest has CPUs of its own: nobody else comes there, it loses nothing; then they are free."""
    machine.ok("start own")
    own = alone(machine)
    assert list(own.values()) == ["own"] * 2 and len({cpu // 2 for cpu in own}) == 1, own
    assert any(re.match(r"dedicated\s+CPUs (2-3|4-5|6-7)$", line) for line in machine.ok("schedinfo own"))
    assert "CPUs of its own" in machine.error("vcpupin own 0 1")
    names = [f"b{i}" for i in range(4)] + [f"c{i}" for i in range(4)]
    for name in names:
        if machine.ok(f"domstate {name}") != ["running"]:
            machine.ok(f"start {name}")
    machine.poll(lambda: {cpus_of(machine, name)[0] for name in names}, lambda cpus: not cpus & set(own), 10,
                 "the others keep off")
    before = stats(machine, "own")
    switches = switched(machine)
    machine.poll(lambda: stats(machine, "own"), lambda now: now["vcpu.0.run"] > before["vcpu.0.run"] + 10**9, 60,
                 "a second of its time")
    after = stats(machine, "own")
    assert after["vcpu.0.ready"] - before["vcpu.0.ready"] < 10**7
    assert after["vcpu.0.moves"] == before["vcpu.0.moves"]
    assert switched(machine)[min(own)] - switches[min(own)] < 100
    for name in ("c0", "c1"):
        machine.destroy(name)
    assert "needs a CPU for each" in machine.error("start more")
    assert len(alone(machine)) == 2
    machine.destroy("own")
    machine.poll(lambda: alone(machine), lambda cpus: not cpus, 10, "everybody has them")
    machine.ok("start more")
    assert len(alone(machine)) == 6
    for name in names[:4] + ["c2", "c3", "more"]:
        machine.destroy(name)


def switched(machine):
    """`cpuinfo`'s first table: CPU -> how often it took another thread"""
    rows = (re.match(r"\s*(\d+)\s+\d+\s+\S+ \S+\s+\S+ %\s+\d+\s+(\d+)\s+\d+$", line) for line in machine.ok("cpuinfo"))
    return {int(row.group(1)): int(row.group(2)) for row in rows if row}


FOUR_THREADS = ["-smp", "4,sockets=1,cores=2,threads=2"]


def overlaps(records):
    """Moments at which two guests ran on a core's threads, of a trace's records."""
    runs = [(cpu // 2, cpu, tsc, tsc + cycles, guest) for cpu, tsc, cycles, kind, guest, _, _ in records
            if kind == "run" and guest != "-"]
    return [(a, b) for a in runs for b in runs if a[0] == b[0] and a[1] < b[1] and a[4] != b[4]
            and max(a[2], b[2]) < min(a[3], b[3])]


def traced(machine):
    machine.ok("trace start")
    time.sleep(0.3)
    machine.ok("trace stop")
    return trace.parse("\n".join(machine.ok("trace show 600", deadline=60)))[1]


def test_one_guest_a_core():
    """smt = core: six guests on two cores of two threads take turns, all get on, and no core ever runs two; smt = on
    shows that this test would see it."""
    for smt in ("core", "on"):
        text = "".join(busy(f"b{i}") for i in range(6))
        with Machine(f"topology-{smt}", text, host=f"serial = com1\nsmt = {smt}\n", extra=FOUR_THREADS) as m:
            m.wait_prompt(90)
            assert any(re.match(rf"SMT\s+{smt}\b", line) for line in m.ok("nodeinfo"))
            for i in range(6):
                m.ok(f"start b{i}")
            before = [stats(m, f"b{i}")["cpu"] for i in range(6)]
            m.poll(lambda: [stats(m, f"b{i}")["cpu"] for i in range(6)],
                   lambda now: all(b > a + 3e8 for a, b in zip(before, now)), 60, "all six get on")
            assert bool(overlaps(traced(m))) == (smt == "on")


def test_one_thread_a_core():
    """smt = off"""
    with Machine("topology-off", "", host="serial = com1\nsmt = off\n", extra=FOUR_THREADS) as m:
        m.wait_prompt(90)
        assert [place[3] for place in places(m).values()] == [0, 1]
        assert any(re.match(r"SMT\s+off\b", line) for line in m.ok("nodeinfo"))
