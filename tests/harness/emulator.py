"""The emulators that stand in for hardware.  Machine knows them only by start, ended, command and kill.

QEMU is here, Bochs in bochs.py, the list of all in machines.py.
"""
import ctypes
import json
import os
import signal
import socket
import subprocess
import tempfile

OVMF = "/usr/share/OVMF/OVMF_CODE.fd"
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class Unsupported(Exception):
    """This emulator cannot do what a test wants: the test is skipped."""


def die_with_parent():
    """Runs in the child: a killed test run leaves no emulator behind."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def one_processor():
    """The host processor for this test run's worker: QEMU 7.2 may run one vCPU's thread at a time only.  A restore of
    x87 registers on any vCPU changes the first one's env->hflags2 with an AND that is not atomic (cpu_clear_ignne), so
    that its nested-paging flag now and then comes back after a #VMEXIT or is lost after a VMRUN (docs/testing.md)."""
    processors = sorted(os.sched_getaffinity(0))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    return {processors[worker % len(processors)]}


def prepare_child():
    die_with_parent()
    os.sched_setaffinity(0, one_processor())


class QemuSvm:
    """QEMU with TCG, which emulates AMD SVM with nested paging."""

    name = "qemu-svm"
    slow = 1
    real_time = True  # its clocks, without icount, go as ours
    words = ""  # for the `cpu` test guest: what this emulation does better or worse than the others

    def __init__(self, disk, log, cpus=2, memory=1024, icount=False, cpu="max", disk_options="", uart=True,
                 extra=()):
        accel = "tcg,thread=single" if icount else "tcg,thread=multi"
        self.arguments = ["qemu-system-x86_64", "-machine", "q35", "-cpu", cpu, "-accel", accel,
                          "-smp", str(cpus), "-m", str(memory), "-display", "none", "-no-reboot",
                          "-net", "none", "-monitor", "none"]
        if disk:
            self.arguments += ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}",
                               "-drive", f"format=raw,file={disk}{disk_options}"]
        if icount:
            self.arguments += ["-icount", "shift=0,sleep=off"]
        self.arguments += extra
        self.prepare = prepare_child if cpus > 1 else die_with_parent
        self.uart = uart
        self.log = log
        self.process = None
        self.control = None

    def start(self):
        """Starts it and returns the socket of its serial line."""
        serial, their_serial = socket.socketpair()
        control, their_control = socket.socketpair()
        fds = [their_serial.fileno(), their_control.fileno()]
        arguments = self.arguments + [
            "-chardev", f"socket,id=serial,fd={fds[0]}", "-serial", "chardev:serial" if self.uart else "none",
            "-chardev", f"socket,id=control,fd={fds[1]}", "-mon", "chardev=control,mode=control"]
        with open(self.log, "wb") as errors:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                                            pass_fds=fds, preexec_fn=self.prepare)
        their_serial.close()
        their_control.close()
        control.settimeout(30)
        self.control = control.makefile("rwb", buffering=0)
        self._reply("QMP")
        self.command("qmp_capabilities")
        return serial

    def _reply(self, *kinds):
        for raw in self.control:
            message = json.loads(raw)
            for kind in kinds:
                if kind in message:
                    return message[kind]
            if "error" in message:
                raise RuntimeError(f"QMP: {message['error']}")
        raise RuntimeError(f"the emulator ended: see {self.log}")

    def command(self, name, **arguments):
        """A QMP command, for what a person would do at the machine: system_powerdown, system_reset, ..."""
        self.control.write(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        return self._reply("return")

    def screen(self):
        """The screen's lines, 16 dots high each, as True where anything is lit."""
        with tempfile.NamedTemporaryFile(suffix=".ppm") as f:
            self.command("screendump", filename=f.name)
            _, size, _, dots = f.read().split(b"\n", 3)
        width, height = map(int, size.split())
        line = 16 * 3 * width
        return [any(dots[at:at + line]) for at in range(0, height // 16 * line, line)]

    def ended(self, seconds):
        """Waits for the machine's own end; says how: guest-shutdown, guest-reset, ..."""
        reason = "unknown"
        for raw in self.control:
            message = json.loads(raw)
            if message.get("event") == "SHUTDOWN":
                reason = message["data"]["reason"]
        self.process.wait(seconds)
        return reason

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self.control is not None:
            self.control.close()
