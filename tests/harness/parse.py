"""Reads the monitor's tables by the shape of their rows, so that titles and further columns may change."""
import re


def states(lines):
    """`list`: ID NAME STATE ...: name -> state."""
    rows = (re.match(r"\s*\d+\s+(\S+)\s+([a-z]+)\b", line) for line in lines)
    return {row.group(1): row.group(2) for row in rows if row}


def starts(lines):
    """`dominfo`: how often the guest was started."""
    return int(re.search(r"Starts\s+(\d+)", "\n".join(lines)).group(1))


def facts(lines):
    """Lists of facts, as `dominfo` and `ksm show`: name -> value, both text."""
    rows = (re.match(r"(\S.*?)\s{2,}(\S.*)$", line) for line in lines)
    return {row.group(1): row.group(2) for row in rows if row}


def sizes(lines):
    """`freecell`: MEMORY EXACTLY SIZE: label -> bytes."""
    rows = (re.match(r"\s*(\S.*?)\s{2,}(\d+) KiB\s+[\d.]+ \w+$", line) for line in lines)
    return {row.group(1): int(row.group(2)) * 1024 for row in rows if row}


def vmexit(lines):
    """`vmexit`: REASON COUNT CYCLES MEAN ...: reason -> (count, cycles, mean)."""
    rows = (re.match(r"\s*(\S+)\s+(\d+)\s+(\d+)\s+(\d+)(?:\s|$)", line) for line in lines)
    return {row.group(1): tuple(int(row.group(n)) for n in (2, 3, 4)) for row in rows if row}


def share_outside(lines):
    """`vmexit`: the part of a guest's time that was spent outside, in per cent."""
    cycles = {}
    for line in lines:
        row = re.match(r"(inside the guest|outside)\s+(\d+) cycles", line)
        if row:
            cycles[row.group(1)] = int(row.group(2))
    return 100 * cycles["outside"] / max(1, sum(cycles.values()))


def boot_report(lines):
    """`boot-report`: rows of milliseconds; (host's rows, guest -> rows)."""
    host, guests, now = {}, {}, None
    for line in lines:
        head = re.match(r"guest (\S+),", line)
        row = re.match(r"\s*(\S.*?)\s+([\d.]+) ms$", line)
        if head:
            now = guests.setdefault(head.group(1), {})
        elif row:
            (host if now is None else now)[row.group(1)] = float(row.group(2))
    return host, guests
