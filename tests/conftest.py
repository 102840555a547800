"""pytest's set-up: a deadline for each test, and the end of the serial lines' logs when one fails."""
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from harness.emulator import Unsupported  # noqa: E402
from harness.machine import FAULT, LOGS, SLOW, Late, Machine, out_of_time  # noqa: E402
from harness.machines import MACHINES  # noqa: E402

VERIFY_EVERY = 10  # seconds, while a test polls its machine
DEADLINE = 420  # seconds for a test with its fixtures; @pytest.mark.deadline(N) for another


def pytest_addoption(parser):
    parser.addoption("--machine", choices=sorted(MACHINES) + ["all"], default="qemu-svm",
                     help="the emulator to run on; all: QEMU, and what is marked for others there")


def pytest_configure(config):
    config.addinivalue_line("markers", "deadline(seconds): how long this test may take")
    config.addinivalue_line("markers", "long: too long for `make test`, run by `make test-long`")
    config.addinivalue_line("markers", "on(machines, only=False, long=False): runs on these too; only: not on QEMU; "
                                       "long: there it is too long for `make test`")


def machines_of(definition, chosen):
    """Name of a machine -> is the test long there?"""
    found = {"qemu-svm": False}
    for mark in definition.iter_markers("on"):
        if mark.kwargs.get("only"):
            found.pop("qemu-svm", None)
        found.update(dict.fromkeys(mark.args, mark.kwargs.get("long", False)))
    if chosen == "all":
        return found
    only = any(mark.kwargs.get("only") for mark in definition.iter_markers("on"))
    return {chosen: found.get(chosen, False)} if chosen in found or not only else {}


def pytest_generate_tests(metafunc):
    machines = machines_of(metafunc.definition, metafunc.config.getoption("--machine"))
    values = [pytest.param(name, marks=[pytest.mark.long] if long else []) for name, long in machines.items()]
    metafunc.parametrize("emulator", values, indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def emulator(request):
    """The class that a test's machines are of."""
    Machine.default = MACHINES[request.param]
    Machine.verify_every = VERIFY_EVERY
    return Machine.default


def machine_of(item):
    return MACHINES[item.callspec.params["emulator"]]


def pytest_collection_modifyitems(config, items):
    """The longest single test first: two workers then end together."""
    chosen = config.getoption("--machine")
    items[:] = [item for item in items if machines_of(item, chosen)]
    items.sort(key=lambda item: "test_memtest" not in item.nodeid)


def pytest_terminal_summary(terminalreporter):
    """Test by machine, and how long each machine took."""
    table, took = {}, dict.fromkeys(MACHINES, 0.0)
    for kind in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(kind, []):
            name, _, parameters = report.nodeid.partition("[")
            machine = next((m for m in MACHINES if m in parameters), None)
            if machine:
                cell = table.setdefault(name.replace("tests/system/", ""), {}).setdefault(machine, {})
                cell[kind] = cell.get(kind, 0) + 1
    for report in (r for reports in terminalreporter.stats.values() for r in reports if hasattr(r, "duration")):
        machine = next((m for m in MACHINES if m in report.nodeid), None)
        if machine:
            took[machine] += report.duration
    used = [m for m in MACHINES if any(m in row for row in table.values())]
    terminalreporter.section("test by machine")
    terminalreporter.write_line(f"{'':<64}" + "".join(f"{m:>16}" for m in used))
    for name, row in sorted(table.items()):
        cells = [" ".join(f"{n} {kind}" for kind, n in row.get(m, {}).items()) or "-" for m in used]
        terminalreporter.write_line(f"{name:<64}" + "".join(f"{cell:>16}" for cell in cells))
    terminalreporter.write_line(f"{'seconds':<64}" + "".join(f"{took[m]:>16.0f}" for m in used))
    report_late(terminalreporter)


def report_late(terminalreporter):
    """A line for each failure of a test all of whose failures are missed deadlines: run.py repeats these tests only."""
    failures = [r for kind in ("failed", "error") for r in terminalreporter.stats.get(kind, [])]
    other = {r.nodeid for r in failures if not getattr(r, "late", False)}
    for report in failures:
        if report.nodeid not in other:
            terminalreporter.write_line(f"late: {report.nodeid}")


def skip_of(reason):
    """The exception that makes pytest count a test as skipped."""
    try:
        pytest.skip(str(reason))
    except pytest.skip.Exception:
        return sys.exc_info()


def overdue(_signal, _frame):
    raise out_of_time("the test's deadline passed")


@pytest.fixture(autouse=True)
def memory_is_verified():
    """After every test, of the machines that go on (one that ends is verified by itself)."""
    yield
    for machine in Machine.running:
        if machine.at_prompt:
            machine.verify_memory()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    marker = item.get_closest_marker("deadline")
    signal.signal(signal.SIGALRM, overdue)
    signal.alarm(int((marker.args[0] if marker else DEADLINE) * SLOW * machine_of(item).slow))
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
        report.late = call.excinfo.errisinstance(Late) and not any(FAULT.search(m.text()) for m in Machine.running)
        for machine in Machine.running:
            where = os.path.relpath(machine.log_path, os.path.join(LOGS, "..", ".."))
            report.sections.append((f"end of {where}", machine.tail(60)))
