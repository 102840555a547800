"""What merging saves, beside an offline count of equal pages."""
from harness import optimum, parse
from harness.machine import Machine, linux

from .table import row, title

MERGED = 8  # guests


def bench_merging():
    """What the scanner saved, of what an offline count of equal pages says; of pages quiet for two intervals."""
    names = [f"g{n}" for n in range(MERGED)]
    text = "".join(linux(name, memory="96M") for name in names)
    with Machine("bench-merging", text, memory=1024) as m:
        m.wait_prompt(600)
        m.wait_ready(*names, deadline=900)
        roots = {name: int(parse.facts(m.ok(f"dominfo {name}"))["Stage 2"], 16) for name in names}
        scans = full_scans(m)
        before = optimum.Dump(m)
        m.poll(lambda: full_scans(m), lambda n: n >= scans + 3, 300, "three passes")
        after = optimum.Dump(m)
        quiet, frames, needed = optimum.compare(optimum.contents(before, roots), optimum.contents(after, roots))
        title(f"Merging, {MERGED} Debian guests of 96 MiB, KASLR on")
        row("pages that were quiet for two intervals", quiet, None)
        row("frames that hold them", frames, None)
        row("frames that would do (offline count)", needed, None)
        saved = 100 * (quiet - frames) / (quiet - needed)
        print(f"{'saved, % of the optimum (goal: 95 or more)':<44}{saved:>14.2f}{95:>12}  "
              f"{'ok' if saved >= 95 else 'UNDER'}", flush=True)


def full_scans(m):
    return int(parse.facts(m.ok("ksm show"))["full_scans"])
