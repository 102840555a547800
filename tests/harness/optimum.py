"""How much merging could save at most, counted offline: from a dump of the machine's memory at one moment, through the
guests' nested page tables, by the bytes of every page."""
import hashlib
import mmap
import struct
import tempfile

from . import parse

PAGE = 4096
ADDRESS = 0x000ffffffffff000
PRESENT, LARGE = 1, 1 << 7


def digest_of(page):
    return hashlib.blake2b(page, digest_size=16).digest()


ZERO = digest_of(bytes(PAGE))


class Dump:
    """The machine stands still while it is taken."""

    def __init__(self, machine):
        self.file = tempfile.NamedTemporaryFile(suffix=".ram")
        emulator = machine.emulator
        size = int(emulator.arguments[emulator.arguments.index("-m") + 1]) << 20
        emulator.command("stop")
        emulator.command("pmemsave", val=0, size=size, filename=self.file.name)
        emulator.command("cont")
        self.bytes = mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_READ)
        self.digests = {}

    def close(self):
        self.bytes.close()
        self.file.close()

    def digest(self, frame):
        if frame not in self.digests:
            self.digests[frame] = digest_of(self.bytes[frame:frame + PAGE])
        return self.digests[frame]

    def leaves(self, table, level=3, gpa=0):
        """(gpa, frame) of each page that is mapped."""
        for i, entry in enumerate(struct.unpack("<512Q", self.bytes[table:table + PAGE])):
            at = gpa + (i << (12 + 9 * level))
            if not entry & PRESENT:
                continue
            if level == 0 or entry & LARGE:
                for page in range(512 ** level):
                    yield at + page * PAGE, (entry & ADDRESS) + page * PAGE
            else:
                yield from self.leaves(entry & ADDRESS, level - 1, at)


def contents(dump, roots):
    """(guest, gpa) -> (frame, digest)"""
    return {(guest, gpa): (frame, dump.digest(frame))
            for guest, root in roots.items() for gpa, frame in dump.leaves(root)}


def compare(before, after):
    """Of the pages that have the same bytes in both: how many, how many frames hold them, how many would do.
    Pages of zeroes need none: theirs is one frame that is everybody's."""
    quiet = [page for key, page in after.items() if key in before and before[key][1] == page[1]]
    uses = {}
    for frame, digest in quiet:
        if digest == ZERO:
            uses[frame] = uses.get(frame, 0) + 1
    everybodys = max(uses, key=uses.get) if uses else None
    frames = {frame for frame, _ in quiet} - {everybodys}
    needed = {digest for _, digest in quiet} - {ZERO}
    return len(quiet), len(frames), len(needed)


def needed(pages, guests):
    """How many frames would hold all that these guests' pages hold."""
    return len({digest for (guest, _), (_, digest) in pages.items() if guest in guests} - {ZERO})


def tables(machine, names):
    """Guest -> address of its nested page tables"""
    return {name: int(parse.facts(machine.ok(f"dominfo {name}"))["Stage 2"], 16) for name in names}


class Frames:
    """Which frames guests map at one moment, by frame identity: whatever the host counts."""

    def __init__(self, machine, names):
        dump = Dump(machine)
        pages = contents(dump, tables(machine, names))
        dump.close()
        self.of = {name: {} for name in names}  # guest -> frame -> digest
        for (name, _), (frame, digest) in pages.items():
            self.of[name][frame] = digest

    def common(self, a, b):
        """The frames that both map, without the one of zeroes that is everybody's."""
        both = self.of[a].keys() & self.of[b].keys()
        zeroes = {frame for frame in both if self.of[a][frame] == ZERO}
        assert len(zeroes) <= 1, f"{a} and {b} have more than one frame of zeroes in common: {sorted(zeroes)}"
        return both - zeroes

    def alike(self, a, b):
        """How many different contents, other than zeroes, both have."""
        return len((set(self.of[a].values()) & set(self.of[b].values())) - {ZERO})
