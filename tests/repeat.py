#!/usr/bin/python3
"""Checks which failures run.py repeats: of a few tests that fail, each in its own way, only those that were late.

They run in pytest, with the system tests' conftest.py, on machines that are nothing but a log.
"""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import run  # noqa: E402

TESTS = '''
"""Tests that fail: those named late_* only by a deadline."""
import io
import signal
import pytest
from harness.machine import Failure, Machine, out_of_time


class Logged(Machine):
    def __init__(self, path, text):
        super().__init__("logged", "")
        self.log_path, self.log = str(path), io.StringIO()
        path.write_text(text)

    def unclean(self, *_):
        raise Failure("logged: ksm verify: ['error: guest alpha, address 1000: a shared frame is writable']")


@pytest.fixture
def machine(request, tmp_path):
    m = Logged(tmp_path / "log", getattr(request, "param", "quire> all is well\\r\\n"))
    Machine.running.append(m)
    yield m
    Machine.running.remove(m)


def waits_in_vain(machine):
    machine.poll(lambda: 1, lambda n: n == 2, 0.2, "two")


def test_passes():
    pass


def test_late_poll(machine):
    waits_in_vain(machine)


@pytest.mark.deadline(1)
def test_late_deadline(machine):
    signal.pause()


@pytest.mark.parametrize("machine", ["\\r\\nFAIL 3 words are wrong in round 2\\r\\n", "FAIL bytes\\r\\n",
                                     "\\r\\n*** Quire panic on CPU 0: x\\r\\n"], indirect=True)
def test_shows_a_fault(machine):
    waits_in_vain(machine)


@pytest.mark.parametrize("machine", ["FAIL bytes\\r\\n"], indirect=True)
@pytest.mark.deadline(1)
def test_deadline_with_a_fault(machine):
    signal.pause()


def test_asserts(machine):
    assert "FAIL" == ""


def test_fails(machine):
    raise Failure("an answer that must not be")


def test_is_late_and_unclean_at_its_machines_end(tmp_path):
    m = Logged(tmp_path / "log", "")
    m.at_prompt, m.verify_memory, m._end = True, m.unclean, lambda: None
    with pytest.raises(Failure, match="a shared frame is writable"):
        try:
            waits_in_vain(m)
        except AssertionError as e:
            m.__exit__(type(e), e, None)
            raise
    raise Failure("as it should be")


@pytest.fixture
def late_machine(machine):
    waits_in_vain(machine)


def test_late_set_up(late_machine):
    pass


@pytest.fixture(scope="module")
def unclean_machine(tmp_path_factory):
    m = Logged(tmp_path_factory.mktemp("unclean") / "log", "")
    m.at_prompt, m.verify_memory = True, m.unclean
    Machine.running.append(m)
    yield m
    Machine.running.remove(m)


def test_is_late_and_unclean(unclean_machine):
    waits_in_vain(unclean_machine)
'''


def late_tests():
    """What run.py finds in the output of these tests, and how often they failed."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "test_repeat.py"), "w", encoding="utf-8") as f:
            f.write(TESTS)
        env = dict(os.environ, PYTHONPATH=os.path.dirname(os.path.abspath(__file__)), QUIRE_SLOW="1")
        out = subprocess.run([sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "-n", "1",
                              "--rootdir", folder, folder], env=env, stdout=subprocess.PIPE, check=False)
    text = out.stdout.decode()
    return text, run.late_ones(text), run.counts(text, out.returncode)


def main():
    text, (late, failures), counted = late_tests()
    names = sorted(name.partition("::test_")[2].partition("[")[0] for name in late)
    good = names == ["late_deadline", "late_poll", "late_set_up"] and failures == 3 and counted == (1, 12)
    if not good:
        print(text, f"late: {names}, {failures} failures; passed, failed: {counted}")
    print(f"repeat: {int(good)} passed, {int(not good)} failed")
    return not good


if __name__ == "__main__":
    sys.exit(main())
