"""memtest86+, Debian's package: a foreign kernel that speaks Linux's boot protocol, over a small guest."""
import pytest

from harness.machine import Machine, guest


@pytest.mark.deadline(1200)
def test_first_pass():
    text = guest("memtest", "memtest.bin", memory="12M", cmdline="console=ttyS0,115200", autostart="yes")
    with Machine("memtest", text) as m:
        m.wait_prompt(90)
        with m.attach("memtest") as console:
            console.wait_for(r"Memtest86", 60)
            match = console.wait_for(r"Pass complete|PASS COMPLETE|Pass:?\s+1\b|Errors?:\s+[1-9]", 1000)
            assert "rror" not in match.group(0), "memtest found errors"
