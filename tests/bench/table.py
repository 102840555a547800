"""How figures are printed, and the machine that they are of.

Time is emulated: with -icount shift=0 the machine runs one instruction a nanosecond and the TSC counts them,
so cycles are path lengths in software and repeat within a few counts.
"""
OPTIONS = dict(cpus=1, icount=True)


def row(what, got, goal, unit="", least=False):
    """least: the goal is to reach so much, not to stay below."""
    shown = f"{got:g}{unit}" if got is not None else "-"
    met = goal is None or got is None or (got >= goal if least else got <= goal)
    mark = "" if goal is None or got is None else "ok" if met else "UNDER" if least else "OVER"
    print(f"{what:<44}{shown:>14}{'-' if goal is None else f'{goal:g}{unit}':>12}  {mark}", flush=True)


def title(text):
    print(f"\n{text:<44}{'Quire':>14}{'goal':>12}")
