"""pytest's set-up: a deadline for each test, and the end of the serial lines' logs when one fails."""
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from harness.emulator import Unsupported  # noqa: E402
from harness.machine import LOGS, SLOW, Machine  # noqa: E402
from harness.machines import MACHINES  # noqa: E402

DEADLINE = 420  # seconds for a test with its fixtures; @pytest.mark.deadline(N) for another


def pytest_addoption(parser):
    parser.addoption("--machine", choices=sorted(MACHINES), default="qemu-svm", help="the emulator to run on")


def pytest_configure(config):
    Machine.default = MACHINES[config.getoption("--machine")]
    config.addinivalue_line("markers", "deadline(seconds): how long this test may take")
    config.addinivalue_line("markers", "long: too long for `make test`, run by `make test-long`")


def pytest_collection_modifyitems(items):
    """The longest single test first: two workers then end together."""
    items.sort(key=lambda item: "test_memtest" not in item.nodeid)


def skip_of(reason):
    """The exception that makes pytest count a test as skipped."""
    try:
        pytest.skip(str(reason))
    except pytest.skip.Exception:
        return sys.exc_info()


def overdue(_signal, _frame):
    raise TimeoutError("the test's deadline passed")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    marker = item.get_closest_marker("deadline")
    signal.signal(signal.SIGALRM, overdue)
    signal.alarm(int((marker.args[0] if marker else DEADLINE) * SLOW * Machine.default.slow))
    try:
        yield
    finally:
        signal.alarm(0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    if call.excinfo is not None and call.excinfo.errisinstance(Unsupported):
        call.excinfo = pytest.ExceptionInfo.from_exc_info(skip_of(call.excinfo.value))
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for machine in Machine.running:
            where = os.path.relpath(machine.log_path, os.path.join(LOGS, "..", ".."))
            report.sections.append((f"end of {where}", machine.tail(60)))
