"""An interrupt is delivered once, also where the emulator's budget of instructions ends in its handler
(docs/testing.md): each typed character is one, and a lost or doubled one shows in the line or hangs the guest."""
import hashlib

from harness.machine import Machine, linux

LINES = 8
LENGTH = 900


def test_long_typed_lines(emulator):
    with Machine("interrupts-once", linux("alpha"), cpus=1, icount=True) as m:
        m.wait_prompt(400)
        m.wait_ready("alpha", deadline=400)
        with m.attach("alpha") as console:
            for letter in "abcdefgh"[:LINES]:
                console.send(f"echo -n {letter * LENGTH} | md5sum\r")
                console.wait_for(hashlib.md5(letter.encode() * LENGTH).hexdigest(), 30)
