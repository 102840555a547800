#!/usr/bin/python3
"""reference.py GUEST.elf [ARGUMENTS]: runs a test guest directly in QEMU, to try the guest itself.

What then fails is either a fault of the guest or a known one of the emulator.
"""
import os
import subprocess
import sys


def main():
    elf, arguments = sys.argv[1], " ".join(sys.argv[2:])
    cpus = next((w[6:] for w in sys.argv if w.startswith("vcpus=")), "1")
    command = ["qemu-system-x86_64", "-machine", "q35", "-cpu", "max", "-accel", "tcg",
               "-smp", cpus, "-m", os.environ.get("MEMORY", "64"),
               "-display", "none", "-no-reboot", "-net", "none",
               "-serial", "stdio", "-monitor", "none", "-kernel", elf, "-append", arguments]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            print(line, flush=True)
            if line.startswith("SUMMARY") or line.startswith("END"):
                break
    finally:
        process.kill()


if __name__ == "__main__":
    main()
