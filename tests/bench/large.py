"""Pages of 2 MiB: what it costs to make and to split one, by the thread's own time (with -icount a nanosecond is an
instruction), and what the thread takes when there is nothing to do."""
import re
import time

from harness import fill
from harness.machine import Machine, guest

from .sched import over
from .table import OPTIONS, row, title

SIZE = 64   # MiB
HOST = 256
PRESSING = 96 # MiB of each of ...
IDLE = 20   # s
PRESS = ["press1", "press2"]  # the second does not fit


def figures(m):
    """(pages of 2 MiB that were made, split, the thread's instructions)"""
    text = "\n".join(m.ok("nodeinfo"))
    return [int(n) for n in re.search(r"made\s+(\d+), .*\n\s+split\s+(\d+)\n\s+time\s+(\d+) us", text).groups()]


def large(m, name):
    """MiB."""
    return int(re.search(r"^large\s+(\d+) KiB", "\n".join(m.ok(f"dommemstat {name}")), re.M).group(1)) >> 10


def step(m, before, good):
    """Waits until the guest's large pages are so; the figures' differences."""
    m.poll(lambda: large(m, "big"), good, 600, "large pages")
    return [b - a for a, b in zip(before, figures(m))]


def settle(m, name):
    """What can be made of its memory was made."""
    m.poll(lambda: (large(m, name), time.sleep(2), large(m, name)), lambda now: now[0] and now[0] == now[2], 600,
           "large pages to be made")


def press(m, name):
    m.ok(f"start {name}")
    fill.begin(m, name)
    fill.wait_full_or_starved(m, name, 600)


def bench_large():
    text = guest("big", "fill.elf", memory=f"{SIZE}M", cmdline="own still", share_group="none", autostart="yes")
    for name in PRESS:
        text += guest(name, "fill.elf", memory=f"{PRESSING}M", cmdline="own still", share_group="none", autostart="no")
    title("Pages of 2 MiB, instructions for each")
    with Machine("bench-large", text, memory=HOST, **OPTIONS) as m:
        m.wait_prompt(600)
        before = figures(m)
        fill.begin(m, "big")
        made, _, us = step(m, before, lambda now: now >= SIZE - 2)
        row("made with a copy, three looks included", round(us * 1000 / made), None)
        before = figures(m)
        passed = over(m, ["big"], IDLE)["big"]["clock"] / 1e9
        idle = (figures(m)[2] - before[2]) / passed
        press(m, PRESS[0])
        settle(m, PRESS[0])
        before = figures(m)
        press(m, PRESS[1])  # too fast to get some itself
        again, split, us = step(m, before, lambda now: not now)
        row("split for want of memory", round(us * 1000 / split), None)
        row("  (made meanwhile)", again, None)
        before = figures(m)
        fill.destroy_all(m, PRESS)
        made, _, us = step(m, before, lambda now: now >= SIZE - 2)
        row("made in place, three looks included", round(us * 1000 / made), None)
    row("the thread, all is large, a second", round(idle * 1000), None)
