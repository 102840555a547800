"""How many Debian guests a host holds.  (Nothing here is measured in time, so it is not emulated time.)"""
import time

from harness import optimum
from harness.machine import Machine, linux

from .merging import passes, tables
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
    pages = optimum.contents(dump, tables(m, names))
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


def compressed(m):
    cells = m.freecell()
    row("of their memory compressed, MiB", round(cells["compressed pages of guests"] / (1 << 20), 1), None)
    row("what that takes, MiB", round(cells["take"] / (1 << 20), 1), None)


def fit(m, names, room):
    """How many would fit by what these share and what each has for itself, while nothing is compressed."""
    fill_host(m, names, True)
    settle(m)
    shared, unique = split(m, names)
    row("shared by all, MiB", round(shared * optimum.PAGE / (1 << 20), 1), None)
    row("unique in each, MiB", round(unique * optimum.PAGE / (1 << 20), 1), None)
    row("fit by that, uncompressed", round((room / optimum.PAGE - shared) / unique, 1), None)
    return (room / optimum.PAGE - shared) / unique


def bench_density():
    names = [f"d{n}" for n in range(1, GUESTS + 1)]
    text = "".join(linux(name, autostart="no") for name in names)
    title(f"Density, Debian guests of 128 MiB in {HOST} MiB")
    for merging in (True, False):
        with Machine(f"bench-density-{'on' if merging else 'off'}", text, memory=HOST) as m:
            m.wait_prompt(600)
            m.ok("ksm set interval 500" if merging else "ksm stop")
            cells = m.freecell()
            room = cells["free"] + cells["files"]  # guests map the files' pages: they count as shared
            goal = round(0.95 * fit(m, names[:SAMPLE], room), 1) if merging else None
            first = names[:SAMPLE] if merging else []
            there, reason = fill_host(m, names[len(first):], merging)
            answers(m, first + there)
            row(f"at their shells and answering, merging {'on' if merging else 'off'}", len(first + there), goal,
                least=True)
            print(f"    the next one: {reason}")
            compressed(m)
