"""Bochs: Intel VMX with EPT, and AMD SVM with what QEMU's lacks.  Slow, and its firmware has no ACPI tables."""
import os
import signal
import socket
import subprocess

from .emulator import Unsupported, die_with_parent

OVMF = "/usr/share/ovmf/OVMF.fd"
VGABIOS = "/usr/share/vgabios/vgabios.bin"
HEADS, SECTORS = 16, 63
CYLINDER = HEADS * SECTORS * 512
# A build with the debugger: it waits for `c`.  Every intercept is logged as an error.
CONFIG = """\
plugin_ctrl: speaker=0, gameport=0, parallel=0, extfpuirq=0, biosdev=0
display_library: rfb, options="timeout=0"
cpu: model={model}, count={cpus}, ips=50000000, reset_on_triple_fault=0
megs: {memory}
romimage: file={ovmf}, address=0xffe00000
vgaromimage: file={vgabios}
pci: enabled=1, chipset=i440fx
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path={disk}, mode=flat, cylinders={cylinders}, heads={heads}, spt={sectors}
boot: disk
log: {log}
com1: enabled=1, mode=socket-client, dev=localhost:{port}
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
clock: sync=none
sound: driver=dummy, waveout=/dev/null
"""


class Bochs:
    """One processor model of Bochs; the subclasses name it."""

    name = model = None
    real_time = False
    slow = 6  # how much longer than on QEMU things may take

    def __init__(self, disk, log, cpus=2, memory=1024, icount=False, cpu=None, disk_options="", extra=()):
        if not disk or disk_options or extra or icount:
            raise Unsupported(f"{self.name} cannot do this")
        if memory > 2048:
            raise Unsupported(f"{self.name} has at most 2 GiB of memory")
        self.folder = os.path.dirname(disk)
        self.log = log
        self.process = None
        self.values = dict(model=cpu or self.model, cpus=cpus, memory=memory, ovmf=OVMF, vgabios=VGABIOS,
                           disk=disk, cylinders=os.path.getsize(disk) // CYLINDER, heads=HEADS, sectors=SECTORS,
                           log=os.path.join(self.folder, "bochs.log"))

    def start(self):
        """Starts it and returns the socket of its serial line: Bochs connects to us."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(60)
            self.values["port"] = server.getsockname()[1]
            config, commands = (os.path.join(self.folder, n) for n in ("bochsrc", "commands"))
            with open(config, "w", encoding="utf-8") as f:
                f.write(CONFIG.format(**self.values))
            with open(commands, "w", encoding="utf-8") as f:
                f.write("c\nq\n")
            with open(self.log, "wb") as output:
                self.process = subprocess.Popen(["bochs-bin", "-q", "-f", config, "-rc", commands],
                                                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output,
                                                stderr=output, preexec_fn=die_with_parent)
            serial, _ = server.accept()
        return serial

    def command(self, name, **arguments):
        raise Unsupported(f"{self.name}: nobody can press {name}")

    def ended(self, seconds):
        """Its status is 1 for every reason; its last words tell more."""
        self.process.wait(seconds)
        with open(self.log, encoding="utf-8", errors="replace") as f:
            words = f.read().rpartition("Bochs is exiting with the following message:")[2]
        return "guest-shutdown" if "soft power off" in words else words.strip()

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()


class BochsVmx(Bochs):
    """Intel Broadwell with EPT, VPID, unrestricted guests, and so on."""

    name = "bochs-vmx"
    model = "broadwell_ult"
    words = "strict"


class BochsSvm(Bochs):
    """AMD Ryzen: NRIP save, flush by ASID, the pause filter."""

    name = "bochs-svm"
    model = "ryzen"
    words = "stale-dr6"
