#!/usr/bin/python3
"""bochs.py DISK [MACHINE]: boots a disk image in Bochs on this terminal, as qemu.sh does in QEMU.

Ctrl-C and Ctrl-] reach Quire, Ctrl-A x leaves.  The firmware takes some 20 s before Quire says anything.
"""
import os
import select
import shutil
import sys
import tempfile
import termios
import tty

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from harness.machines import MACHINES  # noqa: E402

ESCAPE = b"\x01"  # Ctrl-A


def bridge(serial):
    """Terminal and serial line, until Ctrl-A x, the end of the input, or the end of the machine."""
    keyboard, escaped = sys.stdin.fileno(), False
    while True:
        ready, _, _ = select.select([keyboard, serial], [], [])
        if serial in ready:
            data = serial.recv(4096)
            if not data:
                return
            os.write(sys.stdout.fileno(), data)
        if keyboard in ready:
            key = os.read(keyboard, 1)
            if not key or escaped and key == b"x":
                return
            escaped = key == ESCAPE and not escaped
            if not escaped:
                serial.sendall(key)


def main():
    kind = MACHINES[sys.argv[2] if len(sys.argv) > 2 else "bochs-vmx"]
    folder = tempfile.mkdtemp(prefix="quire-bochs-")
    disk = shutil.copy(sys.argv[1], os.path.join(folder, "disk.img"))
    emulator = kind(disk, os.path.join(folder, "output"))
    saved = termios.tcgetattr(sys.stdin) if sys.stdin.isatty() else None
    try:
        serial = emulator.start()
        if saved:
            tty.setraw(sys.stdin)
        bridge(serial)
    finally:
        if saved:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, saved)
        emulator.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
