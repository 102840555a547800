"""Quire beside Linux's KVM with QEMU: the same guests on the same emulated machine, first under one, then the other.

Both run under -icount: a figure is a count of emulated instructions or nanoseconds, the same on every computer.
(How many guests either holds is not measured in time, so that the machine runs as fast as it can; and IPIs between
processors are measured in the host's.)
Arguments choose parts, otherwise all are measured.  docs/bench.md is written from the last figures of each.
"""
import datetime
import json
import os
import re
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pexpect
import pexpect.fdpexpect

from harness import parse
from harness.emulator import QemuSvm
from harness.machine import LOGS, ROOT, SLOW, Failure, Machine, clean, linux

from .debian import seconds, two_debians
from .merging import ksm, passes, write_figures
from .density import density as quire_density
from .exits import EXITS, exit_figures
from .report import Report, Row
from .sched import over
from .smp import ipi_figures, ipi_guest
from .table import OPTIONS

MEASURED = os.path.join(ROOT, "build", "peers.json")
INITRAMFS = os.path.join(ROOT, "build", "peer.cpio")
MEMORY = 1024
TENTH = {"cpuid", "rdmsr-intercepted", "hypercall", "x2apic-tpr-read", "x2apic-tpr-write", "x2apic-eoi"}
WRITES = [("write-merged", "write to a page merged with another"),
          ("write-merged-last", "the same, nobody else uses it any more")]
NO_EXIT = {"cr3-load", "invlpg"}
IPI_TURNS = 3
TRIES = 3    # of what KVM does
SCANNED = 4  # guests
FIRST = 2    # passes until a page is known: looked at and hashed, by either
SETTLE = 30  # seconds of emulated time; the peer's script has its own


class Peer:
    """Linux with KVM on the emulated machine: does `jobs`, one name of tests/bench/peer/init after the other."""

    def __init__(self, *jobs, cpus=1, icount=True):
        self.jobs = jobs
        # The initramfs is Linux's disk, which a real host has beside its RAM: the machine gets that much more.
        memory = MEMORY + (os.path.getsize(INITRAMFS) >> 20) + 1
        kernel = os.path.join(ROOT, "build", "debian", "vmlinuz")
        self.log = os.path.join(LOGS, f"peer-{'-'.join(jobs)}.log")
        self.emulator = QemuSvm(None, self.log + ".emulator", cpus=cpus, memory=memory, icount=icount, extra=[
            "-kernel", kernel, "-initrd", INITRAMFS, "-append", f"console=ttyS0 quiet jobs={','.join(jobs)}"])

    def run(self, deadline=300):
        """The serial line's text.  A guest of KVM may hang by QEMU's fault (docs/testing.md, the interrupt that is
        delivered twice), with other random numbers it does not: so there is more than one try."""
        for _ in range(TRIES - 1):
            try:
                return self.try_once(deadline)
            except Failure as e:
                say(f"{e}; again")
        return self.try_once(deadline)

    def try_once(self, deadline):
        """The same, without that."""
        os.makedirs(LOGS, exist_ok=True)
        with open(self.log, "w", encoding="utf-8", errors="replace") as log, self.emulator.start() as serial:
            line = pexpect.fdpexpect.fdspawn(serial.fileno(), encoding="utf-8", codec_errors="replace",
                                             timeout=deadline * SLOW)
            line.logfile_read = log
            try:
                line.expect("PEER END")
            except (pexpect.TIMEOUT, pexpect.EOF):
                raise Failure(f"the peer did not end: {self.log}") from None
            finally:
                self.emulator.kill()
        return clean(line.before)


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def numbers(text, word):
    """The lines `WORD name number`: name -> number."""
    return {name: int(value) for name, value in re.findall(rf"^{word} (\S+) (\d+)", text, re.M)}


def exits(quire, peer):
    say("exits: Quire")
    quire.update(exit_figures())
    say("exits: KVM")
    text = Peer("exits").run()
    peer.update(numbers(text, "BENCH"))
    peer["versions"] = re.findall(r"^(?:PEER|QEMU|HUGE) .*", text, re.M)


def writes(quire, peer):
    say("writes to merged pages: Quire")
    quire.update(write_figures("plain"))
    say("writes to merged pages: KVM")
    peer.update(numbers(Peer("merged").run(), "BENCH"))


def quire_scan():
    """What `scan` in tests/bench/peer/init measures; cycles are the scanner's own count."""
    names = [f"g{n}" for n in range(SCANNED)]
    text = "".join(linux(name, memory="96M", autostart="no") for name in names)
    with Machine("bench-scan", text, **OPTIONS) as m:
        m.wait_prompt(600)
        free = m.free()
        m.ok("ksm stop")
        for name in names:
            m.ok(f"start {name}")
            m.wait_ready(name, deadline=900)
        counts = [ksm(m)]
        m.ok("ksm run")
        passes(m, FIRST)
        counts.append(ksm(m))
        over(m, names[:1], SETTLE)
        counts.append(ksm(m))
        passes(m, 2)
        counts.append(ksm(m))
        used = free - m.free()
    first, later = (ran(counts[at], counts[at + 1]) for at in (0, 2))
    return {"scan first": FIRST * first, "scan later": later, "scan used": used >> 20}


def ran(before, after):
    """The scanner's instructions for each page that it looked at."""
    return (after["cpu_cycles"] - before["cpu_cycles"]) / (after["pages_scanned"] - before["pages_scanned"])


def scan(quire, peer):
    say("merging: Quire")
    quire.update(quire_scan())
    say("merging: KVM")
    found = numbers(Peer("scan").run(), "SCAN")
    peer.update({f"scan {which}": found[which] / found["pages"] for which in ("first", "later")})
    peer["scan used"] = found["used"] / 1024


def debian(quire, peer):
    say("Debian guests: Quire")
    with two_debians() as m:
        quire["boot"] = seconds(parse.boot_report(m.ok("boot-report"))[1]["beta"], "output") * 1000
        quire["overhead"] = m.freecell()["beta overhead"] / 1024
    say("Debian guests: KVM, time")
    took = numbers(Peer("boot").run(), "TIME")
    peer["boot"] = (took["shell"] - took["firmware"]) / 1e6
    say("Debian guests: KVM, memory")
    peer.update(numbers(Peer("memory").run(), "MEMORY"))


def density(quire, peer):
    """Side by side, since nothing here is measured in time."""
    say("density: Quire and KVM")
    with ThreadPoolExecutor() as pool:
        ours, theirs = pool.submit(quire_density, True), pool.submit(Peer("density", icount=False).try_once, 1800)
    _, quire["density"], reason, _ = ours.result()
    say(f"Quire, the next one: {reason}")
    peer["density"] = numbers(theirs.result(), "DENSITY").get("guests")


def ipi(quire, peer):
    """Two emulated processors have no common count of instructions: this is the host's time, by its TSC, which both
    see; they take turns, and the middle one of each counts."""
    ours, theirs = [], []
    for n in range(IPI_TURNS):
        say(f"IPIs between processors, {n + 1} of {IPI_TURNS}: Quire, KVM")
        with Machine("bench-ipi-host", ipi_guest()) as m:
            m.wait_prompt(120)
            ours.append(ipi_figures(m, [0, 1])["ipi-halted"])
        theirs.append(numbers(Peer("ipi", cpus=2, icount=False).run(), "BENCH")["ipi-halted"])
    quire["ipi"], peer["ipi"] = statistics.median(ours), statistics.median(theirs)


def rows(quire, peer):
    """All that both were measured for, as the report's rows."""
    found = []
    for key, what in [(key, what) for key, what, _ in EXITS] + WRITES:
        if key in quire and key in peer:
            limit = None if key in NO_EXIT else 1 / 10 if key in TENTH else 1 / 6
            found.append(Row(what, "instructions", quire[key], peer[key], limit))
    for key, what, unit, theirs, limit in [
            ("ipi", "IPI to a halted vCPU on another processor, one way", "cycles of the host", "ipi", None),
            ("boot", "Debian's cloud kernel, first instruction to shell", "ms", "boot", 0.7),
            ("overhead", "host memory lost to a guest beyond its RAM", "KiB", "overhead", None),
            ("overhead", "the same beside QEMU's private memory alone", "KiB", "private", 1 / 5),
            ("scan first", "the first two passes over four Debian guests, a page", "instructions", "scan first", None),
            ("scan later", "a later pass, a page", "instructions", "scan later", 1 / 10),
            ("scan used", f"memory that they take after {SETTLE} s of scanning", "MiB", "scan used", None),
            ("density", "guests of 128 MiB at their shells in 1 GiB", "guests", "density", 2)]:
        if key in quire and theirs in peer:
            found.append(Row(what, unit, quire[key], peer[theirs], limit, more_is_better=key == "density"))
    return found


def command(*words):
    return subprocess.run(words, capture_output=True, text=True, cwd=ROOT).stdout.strip()


def facts(measured):
    """What a reader needs to judge the figures, and to repeat them."""
    arguments = Peer("JOBS").emulator.arguments
    options = " ".join(word.replace(ROOT + "/", "") if " " not in word else f'"{word}"' for word in arguments)
    versions = {line for part in measured.values() for line in part["versions"]}
    parts = "; ".join(f"{name} {part['when']} in {part['minutes']:.0f} minutes at {part['commit']}"
                      for name, part in measured.items())
    return [f"Measured by `make bench-peers`, on {os.cpu_count()} CPUs of {processor()}: {parts}. Not yet: "
            f"{', '.join(name for name in PARTS if name not in measured) or 'nothing'}.",
            f"The machine: {command('qemu-system-x86_64', '--version').splitlines()[0]}, "
            "one instruction a nanosecond (`-icount shift=0`); Quire's starts from a disk by OVMF, Linux's so: "
            f"`{options}`.",
            f"The peer: {'; '.join(sorted(versions))}. Its guests are started by `vm` in tests/bench/peer/init; "
            "Quire's by `guest` and `linux` in tests/harness/machine.py."]


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        model = re.search(r"model name\s*: (.*)", f.read())
    return model.group(1) if model else "unknown kind"


def changed():
    """Files that differ from the commit's, but for those that this writes."""
    return command("git", "diff", "--name-only", "HEAD", "--", ".", ":!docs/bench.md", ":!docs/bench.svg")


def measure(part):
    """The part's figures on both sides, with what tells when and of what they are."""
    begin, quire, peer = time.monotonic(), {}, {}
    part(quire, peer)
    return {"quire": quire, "versions": peer.pop("versions", []), "peer": peer,
            "minutes": (time.monotonic() - begin) / 60, "when": datetime.datetime.now().strftime("%Y-%m-%d %H:%M"),
            "commit": command("git", "describe", "--tags", "--always") + ("-dirty" if changed() else "")}


def keep(name, part):
    """Adds the part to what was measured in this tree so far, and returns it all."""
    measured = {}
    if os.path.exists(MEASURED):
        with open(MEASURED, encoding="utf-8") as f:
            measured = json.load(f)
    measured[name] = part
    with open(MEASURED, "w", encoding="utf-8") as f:
        json.dump(measured, f, indent=1)
    return {name: measured[name] for name in PARTS if name in measured}


PARTS = {"exits": exits, "writes": writes, "ipi": ipi, "debian": debian, "scan": scan, "density": density}


def tell(measured):
    quire, peer = ({key: value for part in measured.values() for key, value in part[side].items()}
                   for side in ("quire", "peer"))
    report = Report(rows(quire, peer), facts(measured))
    print(report.text())
    report.write(os.path.join(ROOT, "docs"))


def main():
    for name in sys.argv[1:] or PARTS:
        try:
            part = measure(PARTS[name])
        except (Failure, KeyError) as e:  # what cannot be had does not hide the rest
            say(f"{name}: {e!r}")
            continue
        tell(keep(name, part))


if __name__ == "__main__":
    main()
