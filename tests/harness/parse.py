"""Reads the monitor's tables.  Tolerant of layout: columns may be added, units may change."""
import re

UNITS = {"": 1, "B": 1, "K": 1 << 10, "KIB": 1 << 10, "M": 1 << 20, "MIB": 1 << 20, "G": 1 << 30, "GIB": 1 << 30}


def number(text):
    return int(text.replace(",", ""))


def states(lines):
    """`list`: Id Name State; the state may be several words."""
    found = {}
    for line in lines:
        match = re.match(r"\s*(\d+|-)\s+(\S+)\s+(\S.*?)(?:\s{2,}.*)?$", line)
        if match:
            found[match.group(2)] = match.group(3)
    return found


def sizes(lines):
    """`label  1234 KiB` lines: label in lower case -> bytes."""
    found = {}
    for line in lines:
        match = re.match(r"\s*(\S.*?):?\s+([\d,]+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|K|M|G)?(?:\s|$)", line)
        if match:
            unit = UNITS[(match.group(3) or "").upper()]
            found[match.group(1).lower()] = int(float(match.group(2).replace(",", "")) * unit)
    return found


def free(lines):
    found = [value for label, value in sizes(lines).items() if label.startswith("free")]
    assert len(found) == 1, f"one line `free` expected in freecell: {lines}"
    return found[0]


def vmexit(lines):
    """`reason  count  cycles  mean` rows: reason -> (count, cycles, mean)."""
    found = {}
    for line in lines:
        match = re.match(r"\s*(\S.*?)\s+([\d,]+)\s+([\d,]+)\s+([\d,]+)(?:\s|$)", line)
        if match:
            found[match.group(1).lower()] = tuple(number(match.group(n)) for n in (2, 3, 4))
    return found
