"""A booted Quire: its image, its emulator, its serial line with the monitor and the guests behind it.

Every wait has a deadline in seconds (times QUIRE_SLOW, for slow machines).
"""
import contextlib
import itertools
import os
import re
import shutil
import subprocess
import tempfile
import time

import pexpect
import pexpect.fdpexpect

from . import parse
from .emulator import QemuSvm

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
LOGS = os.path.join(ROOT, "build", "logs")
PROGRAM = os.environ.get("QUIRE_PROGRAM", "build/BOOTX64.EFI")
PROMPT = r"quire> "
# The rest of a typed line's echo.  (Not where the log takes the line away, says its own, and shows it again.)
ECHOED = r"(?:(?!\r\x1b\[K)[^\n])*\n"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[78=>]|\x07|\x00")
SLOW = float(os.environ.get("QUIRE_SLOW", "1"))
LEAVE = "\x1d"  # Ctrl-]
KNOWN = {"vmlinuz": "build/debian/vmlinuz", "initrd.cpio": "build/debian/initrd.cpio",
         "memtest.bin": "build/debian/memtest.bin", "gnumach": "build/debian/gnumach"}


# What no lack of time explains, on a serial line: a panic of ours or of a guest, a test guest's verdict.
FAULT = re.compile(r"\*\*\* Quire panic|Kernel panic|\bOops\b|BUG: (?!soft)|words? (?:is|are) wrong|triple fault"
                   r"|^FAIL\b.*", re.M)


class Failure(AssertionError):
    """Something is not as it must be; the text has the end of the serial line's log."""


class Late(Failure):
    """Something that was waited for did not come, and no machine showed a fault: a busy host can be the reason.  Only
    tests that fail so are repeated (tests/run.py)."""


def out_of_time(text):
    """The exception for a deadline that passed: Late, unless a machine that runs showed a fault."""
    for machine in Machine.running:
        fault = FAULT.search(machine.text())
        if fault:
            return Failure(f"{text}\n(and {machine.name} said: {fault.group()})")
    return Late(text)


def clean(text):
    return ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")


def lines_of(text):
    return [line.rstrip() for line in clean(text).split("\n") if line.strip()]


def guest(name, kernel, **keys):
    """The text of a [guest] section; a list repeats its key, _ in a key stands for -."""
    text = [f"[guest {name}]", f"kernel = {kernel}"]
    for key, value in keys.items():
        for one in value if isinstance(value, (list, tuple)) else [value]:
            text.append(f"{key.replace('_', '-')} = {one}")
    return "\n".join(text) + "\n\n"


def linux(name, memory="128M", vcpus=1, autostart="yes", arguments="", **keys):
    """A Debian guest: it prints `READY name` and gives a root shell with the prompt `name# `."""
    cmdline = f"console=ttyS0 quiet name={name} {arguments}".strip()
    return guest(name, "vmlinuz", initrd="initrd.cpio", memory=memory, vcpus=vcpus, autostart=autostart,
                 cmdline=cmdline, **keys)


class Machine:
    """with Machine("name", config) as m: m.wait_prompt(); m.monitor("list")"""

    running = []  # for the report of a failed test
    default = QemuSvm  # pytest --machine chooses another
    verify_every = None  # seconds between verifications while poll() waits; conftest.py sets it, benchmarks do not

    def __init__(self, name, config, files=(), host="serial = com1\n", emulator=None, verify_during=True, **options):
        """config: the guests' sections, which `host` goes before; or with host=None all of quire.conf: text,
        bytes, or None for no such file.  files: names known here, or name -> path or bytes."""
        self.name = name
        self.config = config if host is None else f"[host]\n{host}\n{config}"
        self.files = files
        self.emulator_class = emulator or Machine.default
        self.slow = SLOW * self.emulator_class.slow
        self.options = options
        self.numbers = itertools.count(1)
        self.work = self.emulator = self.line = self.log = None
        self.at_prompt = False  # as far as the harness's own calls go
        self.verify_during = verify_during
        self.verified = time.monotonic()  # the last time

    # ---- its life ----

    def __enter__(self):
        os.makedirs(LOGS, exist_ok=True)
        self.work = tempfile.mkdtemp(prefix="quire-test-")
        kind = self.emulator_class.name
        self.log_path = os.path.join(LOGS, self.name + ("" if kind == "qemu-svm" else f".{kind}") + ".log")
        self.log = open(self.log_path, "w", encoding="utf-8", errors="replace", buffering=1)
        try:
            disk = self._make_image()
            self.emulator = self.emulator_class(disk, self.log_path + ".emulator", **self.options)
            self.socket = self.emulator.start()
            self.line = pexpect.fdpexpect.fdspawn(self.socket.fileno(), encoding="utf-8",
                                                  codec_errors="replace", timeout=30, maxread=65536)
            self.line.logfile_read = self.log
            self.line.delaybeforesend = None
        except BaseException:
            self._end()
            raise
        Machine.running.append(self)
        return self

    def __exit__(self, kind, *_):
        try:
            if self.at_prompt and (kind is None or issubclass(kind, Late)):  # late, and its memory is right?
                self.verify_memory()
        finally:
            self._end()

    def verify_memory(self):
        """Whatever a test did, what the merger keeps must be true."""
        lines = self.ok("ksm verify", 120)
        if not any(line.startswith("clean: ") for line in lines):
            raise Failure(f"{self.name}: ksm verify: {lines}")
        self.verified = time.monotonic()

    def verify_if_due(self):
        """Between two questions of poll(): returns how long it took."""
        began = time.monotonic()
        if Machine.verify_every is None or not self.verify_during or not self.at_prompt:
            return 0
        if began < self.verified + Machine.verify_every * self.emulator_class.slow:
            return 0
        self.verify_memory()
        return self.verified - began

    def _end(self):
        if self in Machine.running:
            Machine.running.remove(self)
        if self.emulator is not None:
            self.emulator.kill()
        if self.line is not None:
            self.socket.close()
        self.log.close()
        shutil.rmtree(self.work, ignore_errors=True)

    def _make_image(self):
        folder = os.path.join(self.work, "files")
        os.mkdir(folder)
        data = self.config if isinstance(self.config, bytes) else (self.config or "").encode()
        with open(os.path.join(folder, "quire.conf"), "wb") as f:
            f.write(data)
        for name, source in self._sources().items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if isinstance(source, bytes):
                with open(path, "wb") as f:
                    f.write(source)
            else:
                os.link(source, path) if self._same_disk(source, folder) else shutil.copy(source, path)
        disk = os.path.join(self.work, "disk.img")
        program = os.path.join(ROOT, PROGRAM)
        self._host("sh", os.path.join(ROOT, "boot", "mkimage.sh"), program, folder, disk)
        if self.config is None:
            self._host("mdel", "-i", f"{disk}@@1M", "::quire/quire.conf")
        return disk

    def _host(self, *command):
        subprocess.run(command, check=True, stdout=self.log, stderr=self.log)

    @staticmethod
    def _same_disk(a, b):
        return os.stat(a).st_dev == os.stat(b).st_dev

    def _sources(self):
        """Name on the volume -> path or bytes.  Without `files`, those known ones that the text names."""
        if isinstance(self.files, dict):
            named = dict(self.files)
        else:
            named = {name: None for name in self.files}
        text = self.config if isinstance(self.config, str) else ""
        for name in re.findall(r"[\w.+-]+", text):
            if (name in KNOWN or name.endswith(".elf")) and name not in named:
                named[name] = None
        found = {}
        for name, source in named.items():
            if isinstance(source, bytes):
                found[name] = source
                continue
            path = os.path.join(ROOT, source or KNOWN.get(name, f"build/guests/{name}"))
            if source or os.path.exists(path):
                found[name] = path
        return found

    # ---- its serial line ----

    def send(self, text):
        self.at_prompt = False
        self.line.send(text)

    def wait_for(self, pattern, deadline=30):
        """Waits for a regular expression (or a list of them) on the serial line; returns the match."""
        try:
            self.line.expect(pattern, timeout=deadline * self.slow)
        except (pexpect.TIMEOUT, pexpect.EOF) as e:
            ended = isinstance(e, pexpect.EOF)
            what = "the machine ended" if ended else f"not within {deadline * self.slow:g} s"
            what = f"{self.name}: {what}, waiting for {pattern!r}; serial line:\n{self.tail()}"
            raise (Failure if ended else out_of_time)(what) from None
        return self.line.match

    def wait_prompt(self, deadline=60):
        self.wait_for(PROMPT, deadline)
        self.at_prompt = True

    def tail(self, lines=40):
        self.log.flush()
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return "\n".join(lines_of(f.read())[-lines:])

    def text(self):
        """All that came over the serial line so far."""
        self.log.flush()
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return clean(f.read())

    def wait_ended(self, deadline=30):
        """Waits until the machine turned itself off or was reset; says which."""
        self.at_prompt = False
        try:
            self.line.expect(pexpect.EOF, timeout=deadline * self.slow)
        except pexpect.TIMEOUT:
            raise out_of_time(f"{self.name}: still on after {deadline} s:\n{self.tail()}") from None
        return self.emulator.ended(deadline)

    # ---- the monitor ----

    def monitor(self, command, deadline=30):
        """Types a command at the prompt; returns the lines that it printed."""
        self.send(command + "\r")
        self.wait_for(re.escape(command[-30:]) + ECHOED, deadline)  # a long line's echo is scrolled
        self.wait_for(r"(?:^|\n|\r|\x1b\[\w)" + PROMPT, deadline)
        self.at_prompt = True
        return lines_of(self.line.before)

    def ok(self, command, deadline=30):
        """A command that must not answer with an error."""
        lines = self.monitor(command, deadline)
        errors = [line for line in lines if line.startswith("error:")]
        if errors:
            raise Failure(f"{command}: {errors[0]}")
        return lines

    def error(self, command, deadline=30):
        """A command that must answer with one line `error: ...`; returns it."""
        lines = [line for line in self.monitor(command, deadline) if line.startswith("error:")]
        if len(lines) != 1:
            raise Failure(f"{command}: wanted one error line, got {lines}; serial line:\n{self.tail(15)}")
        return lines[0]

    def states(self):
        """Guest name -> state, of `list`."""
        return parse.states(self.ok("list"))

    def wait_state(self, name, state, deadline=30):
        """Asks `list` until the guest has the state.  Each question is answered after the guest ran on."""
        return self.poll(lambda: self.states().get(name), lambda got: got and state in got, deadline,
                         f"{name} to be {state}")

    def poll(self, ask, good, deadline, what):
        """Repeats ask() until good(answer), with pauses that leave the host to the guests.  Now and then it is verified
        in between that memory is as it must be, which costs the wait nothing of its deadline."""
        end = time.monotonic() + deadline * self.slow
        while True:
            answer = ask()
            if good(answer):
                return answer
            if time.monotonic() > end:
                waited = f"waited {deadline * self.slow:g} s for {what}, it is {answer!r}"
                raise out_of_time(f"{self.name}: {waited}:\n{self.tail()}")
            end += self.verify_if_due()
            time.sleep(0.1)

    def vmexit(self, name):
        """Exit reason -> (count, cycles, mean)"""
        return parse.vmexit(self.ok(f"vmexit {name}"))

    def freecell(self):
        """Label -> bytes"""
        return parse.sizes(self.ok("freecell"))

    def free(self):
        """Free host memory in bytes."""
        return self.freecell()["free"]

    @contextlib.contextmanager
    def attach(self, name):
        """The guest's console; left with Ctrl-]."""
        self.send(f"console {name}\r")
        self.wait_for(re.escape(f"console {name}") + ECHOED)
        try:
            yield GuestConsole(self, name)
        finally:
            self.send(LEAVE)
            self.wait_for(r"(?:^|\n|\r|\x1b\[\w)" + PROMPT)
            self.at_prompt = True

    def starts(self, name):
        """How often a guest was started."""
        return parse.starts(self.ok(f"dominfo {name}"))

    def wait_ready(self, *names, deadline=90):
        """Until Debian guests reached their shells, in their present run: the console shows earlier ones too."""
        for name in names:
            run = self.starts(name)
            with self.attach(name) as console:
                if run > 1:
                    console.wait_for(rf"\*\*\* run {run} \*\*\*", 10)
                console.wait_for(rf"READY {name}\r?\n", deadline)
                console.wait_for(rf"{name}# ", deadline)

    def run_shell(self, name, command, deadline=30):
        """Attaches, runs one shell command that must succeed, and leaves; returns its output."""
        with self.attach(name) as console:
            return console.output(command, deadline)

    def destroy(self, name):
        self.ok(f"destroy {name}")
        self.wait_state(name, "off")

    def power_off(self, deadline=30):
        """Turns the machine off, with whatever runs on it; says how the emulator saw it end."""
        self.send("poweroff --force\r")
        return self.wait_ended(deadline)


class GuestConsole:
    """What a person attached to a guest's console does."""

    def __init__(self, machine, name):
        self.machine = machine
        self.name = name

    def send(self, text):
        self.machine.send(text)

    def wait_for(self, pattern, deadline=30):
        return self.machine.wait_for(pattern, deadline)

    def run(self, command, deadline=30):
        """Runs a shell command; returns (exit status, output lines).  The echo cannot look like the marks."""
        number = next(self.machine.numbers)
        self.send(f"echo be''gin-{number}; {command}; echo done-{number}-$?\r")
        self.wait_for(rf"begin-{number}\r?\n", deadline)
        match = self.wait_for(rf"done-{number}-(\d+)", deadline)
        return int(match.group(1)), lines_of(self.machine.line.before)

    def output(self, command, deadline=30):
        """The output of a shell command that must succeed, as one text."""
        status, lines = self.run(command, deadline)
        if status != 0:
            raise Failure(f"{self.name}: `{command}` ended with {status}: {lines}")
        return "\n".join(lines)

    def summary(self, deadline=120):
        """A test guest's verdict: (passed, failed, its FAIL lines)."""
        match = self.wait_for(r"SUMMARY (\d+) passed, (\d+) failed", deadline)
        fails = [line for line in lines_of(self.machine.line.before) if line.startswith("FAIL")]
        return int(match.group(1)), int(match.group(2)), fails
