"""How many Debian guests a host holds.  (Nothing here is measured in time, so it is not emulated time.)"""
import time
from concurrent.futures import ThreadPoolExecutor

from harness import optimum
from harness.machine import Machine, linux

from .merging import passes
from .table import row, title

HOST = 1024     # MiB
GUESTS = 80     # of 128 MiB, at most
SAMPLE = 8      # of them, whose pages are counted
PATIENCE = 60   # seconds that a guest may wait for memory in a row, of ...
DEADLINE = 300  # ... those in which it must reach its shell


def split(m, names):
    """The frames that all of these guests' memory needs whose number does not grow with them, and those that each
    further one adds: by the content of their pages at one moment."""
    dump = optimum.Dump(m)
    pages = optimum.contents(dump, optimum.tables(m, names))
    half = optimum.needed(pages, names[:len(names) // 2])
    unique = (optimum.needed(pages, names) - half) / (len(names) - len(names) // 2)
    return half - unique * (len(names) // 2), unique


def answers(m, names):
    """All of them run and answer, once the one that did not fit is gone."""
    m.poll(lambda: m.states(), lambda states: all(states[name] == "running" for name in names), 200, "all to run")
    for name in names:
        m.run_shell(name, "true", 120)


def settle(m):
    """Merging has won what it will: the free memory does not grow any more."""
    free = -1
    while free < m.free() - (1 << 20):
        free = m.free()
        passes(m, 2)


def reaches_shell(m, name):
    """Or does it wait for memory, however much is merged and compressed?"""
    began = ran = time.monotonic()
    while time.monotonic() < min(ran + PATIENCE, began + DEADLINE):
        if ready(m, name):
            return True
        if m.states()[name] != "starved":
            ran = time.monotonic()
        time.sleep(0.5)
    return False


def ready(m, name):
    with m.attach(name):
        pass
    return f"{name}# " in m.line.before


def fill_host(m, names, merging):
    """Starts guests until one does not reach its shell; returns those that did, and what kept the next one out."""
    for i, name in enumerate(names):
        refusal = [line for line in m.monitor(f"start {name}") if line.startswith("error:")]
        if refusal:
            return names[:i], refusal[0]
        if not reaches_shell(m, name):
            reason = [line for line in m.ok("dmesg") if f"{name}: waits for memory" in line][-1]
            m.destroy(name)
            return names[:i], reason.split("warn: ")[-1]
        if merging and m.free() < HOST / 3 * (1 << 20):
            settle(m)
    return names, "there are no more guests to start"


def expected(m, names, room):
    """(frames shared by all, unique in each, how many would fit by that) while nothing is compressed."""
    fill_host(m, names, True)
    settle(m)
    shared, unique = split(m, names)
    return shared, unique, (room / optimum.PAGE - shared) / unique


def density(merging):
    """(what was expected, guests there, what kept the next one out, freecell)"""
    names = [f"d{n}" for n in range(1, GUESTS + 1)]
    text = "".join(linux(name, autostart="no") for name in names)
    with Machine(f"bench-density-{'on' if merging else 'off'}", text, memory=HOST, cpus=1) as m:
        m.wait_prompt(600)
        m.ok("ksm set interval 500" if merging else "ksm stop")
        cells = m.freecell()
        first = names[:SAMPLE] if merging else []
        # guests map the files' pages: they count as shared
        there = expected(m, first, cells["free"] + cells["files"]) if merging else None
        more, reason = fill_host(m, names[len(first):], merging)
        answers(m, first + more)
        return there, len(first + more), reason, m.freecell()


def mib(size):
    return round(size / (1 << 20), 1)


def bench_density():
    """Merging and not, side by side: nothing here is measured in time."""
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(density, (True, False)))
    (shared, unique, fit), *_ = both[0]
    title(f"Density, Debian guests of 128 MiB in {HOST} MiB")
    row("shared by all, MiB", mib(shared * optimum.PAGE), None)
    row("unique in each, MiB", mib(unique * optimum.PAGE), None)
    row("fit by that, uncompressed", round(fit, 1), None)
    for merging, goal, (_, guests, reason, cells) in zip(("on", "off"), (round(0.95 * fit, 1), None), both):
        row(f"at their shells and answering, merging {merging}", guests, goal, least=True)
        print(f"    the next one: {reason}")
        row("  of their memory compressed, MiB", mib(cells["compressed pages of guests"]), None)
        row("  what that takes, MiB", mib(cells["take"]), None)
