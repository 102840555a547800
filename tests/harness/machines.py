"""The machines that tests run on, by the name that pytest --machine takes."""
from .bochs import BochsSvm, BochsVmx
from .emulator import QemuSvm

MACHINES = {kind.name: kind for kind in (QemuSvm, BochsVmx, BochsSvm)}
