"""Booting, and Debian's guest: its time to the shell, its exits, and the memory that it costs."""
import contextlib

from harness import parse
from harness.machine import Machine, linux

from .table import OPTIONS, row, title


@contextlib.contextmanager
def two_debians():
    """A machine with the Debian guest alpha suspended, and beta, which was started later, at its shell."""
    text = linux("alpha", autostart="yes") + linux("beta", autostart="no")
    with Machine("bench-linux", text, **OPTIONS) as m:
        m.wait_prompt(600)
        m.wait_ready("alpha", deadline=900)
        m.ok("suspend alpha")
        m.ok("start beta")
        m.wait_ready("beta", deadline=900)
        yield m


def bench_boot(m):
    title("Boot, ms of emulated time")
    host, guests = parse.boot_report(m.ok("boot-report"))
    alpha, beta = guests.get("alpha", {}), guests.get("beta", {})
    firmware = host.get("in firmware I/O", 0)
    for what, got in host.items():
        row(what, round(got, 3), None)
    if "instruction" in alpha:
        took = host.get("firmware left", 0) - firmware + alpha["instruction"]
        row("efi_main to the first guest instruction*", round(took, 3), 50)
    if "instruction" in beta:
        first = beta["instruction"] - beta["start"]
        row("a further guest to its first instruction", round(first, 3), 1)
    print("* without firmware I/O")
    return beta


def bench_linux():
    with two_debians() as m:
        outside = parse.share_outside(m.ok("vmexit beta"))
        exits = m.vmexit("beta")
        beta = bench_boot(m)
        title("Debian's cloud kernel, one vCPU, 128 MiB, console=ttyS0 quiet")
        # quiet: READY, which init prints before it starts the shell, is the guest's first output
        row("first instruction to its shell, s", seconds(beta, "output"), 1.1)
        row("outside of the guest while not idle, %", round(outside, 2), 5)
        for reason, (count, cycles, mean) in sorted(exits.items(), key=lambda item: -item[1][1]):
            print(f"    {reason:<16}{count:>10} exits {cycles:>14} cycles {mean:>10} each")
        bench_memory(m)


def seconds(report, key):
    return round((report[key] - report["instruction"]) / 1000, 3) if key in report else None


def bench_memory(m):
    title("Memory, KiB")
    cells = {label: size // 1024 for label, size in m.freecell().items()}
    row("Quire itself, of 1 GiB", cells.get("kernel"), 16 * 1024)
    goal = 512 + 128 * 1024 * 0.008
    row("a running guest of 128 MiB beyond its RAM", cells.get("beta overhead"), goal)
    for label, kib in cells.items():
        print(f"    {label:<40}{kib:>12}")
