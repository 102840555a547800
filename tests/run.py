#!/usr/bin/python3
"""run.py check|test|test-long: runs the steps and ends with one line, `N passed, N failed`, over all of them.

A step is counted by what it prints last; one that prints no counts is one case by its exit code.
"""
import os
import re
import subprocess
import sys
import time

JOBS = f"-j{os.cpu_count() or 2}"
MAKE = ["make", "-k", "--no-print-directory", JOBS]
PYTEST = [sys.executable, "-m", "pytest", "tests/system", "--machine=all", "-n", "2", "--dist", "loadfile"]
REPEATED_MAX = 20  # more failures than that are no accident
ALONE = [sys.executable, "-m", "pytest", "--machine=all", "-n", "1"]
CHECK = [
    ("build", [*MAKE, "all"]),
    ("clang", [*MAKE, "clang"]),
    ("image", ["sh", "tests/check_image.sh", "build/BOOTX64.EFI"]),
    ("style", [sys.executable, "tests/check.py"]),
    ("repeat", [sys.executable, "tests/repeat.py"]),
    ("unit", [sys.executable, "tests/unit.py"]),
]
DEBUG = "build/debug"  # the lock order is checked in it; the system tests run this program
BUILDS = [("guests", [*MAKE, "guests"]), ("debug", [*MAKE, f"B={DEBUG}", "DEBUG=1", "all"])]
MODEL = ("model", [sys.executable, "tests/model.py", "test"])
PLANTED = ("planted", [sys.executable, "tests/planted.py"])
MODEL_LONG = ("model, long", [sys.executable, "tests/model.py", "long", "120"])
WAITING_LONG = ("waiting, long", ["build/unit/test_waiting", "500"])
TEST = [*CHECK, MODEL, PLANTED, *BUILDS, ("system", [*PYTEST, "-m", "not long"])]
STEPS = {"check": CHECK, "test": TEST, "test-long": [*TEST[:-1], WAITING_LONG, MODEL_LONG, ("system", PYTEST)]}


def counts(text, code):
    """(passed, failed) of a step from the last line that tells both or, as pytest does, either."""
    for line in reversed(text.splitlines()):
        passed = re.search(r"(\d+) passed", line)
        failed = [int(n) for n in re.findall(r"(\d+) (?:failed|errors?)\b", line)]
        if passed or failed:
            bad = sum(failed)
            return (int(passed.group(1)) if passed else 0), bad if bad or not code else 1
    return (0, 1) if code else (1, 0)


def run_step(name, command, env):
    """(passed, failed, its output)"""
    print(f"==> {name}: {' '.join(command)}", flush=True)
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env)
    text = []
    for raw in process.stdout:
        line = raw.decode(errors="replace")
        text.append(line)
        sys.stdout.write(line)
        sys.stdout.flush()
    passed, failed = counts("".join(text), process.wait())
    if name in ("build", "clang", "guests", "debug"):
        passed, failed = (0, 1) if process.returncode else (1, 0)
    print(f"<== {name}: {passed} passed, {failed} failed in {time.monotonic() - began:.0f} s", flush=True)
    return passed, failed, "".join(text)


def late_ones(text):
    """(tests of a pytest output whose failures were all missed deadlines, how many failures these are)"""
    found = re.findall(r"^late: (.+?)\r?$", text, re.M)
    return list(dict.fromkeys(found)), len(found)


def repeat_late(passed, failed, text, env):
    """A busy host can be late: a test that missed a deadline, and did nothing worse, is tried once more, alone; what
    fails twice has failed.  Whatever else failed is not repeated: a race may show itself only once.  (docs/testing.md)
    """
    late, failures = late_ones(text)
    if not late or failed > REPEATED_MAX:
        return passed, failed
    again, still, _ = run_step("system, the late ones again", [*ALONE, *late], env)
    if again + still < len(late):  # something else went wrong: the first result stands
        return passed, failed
    print(f"==> {again} were late at first and passed when repeated", flush=True)
    return passed + again, failed - failures + still


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    env["QUIRE_PROGRAM"] = f"{DEBUG}/BOOTX64.EFI"
    total, began = [], time.monotonic()
    for name, command in STEPS[sys.argv[1]]:
        passed, failed, text = run_step(name, command, env)
        if name == "system":
            passed, failed = repeat_late(passed, failed, text, env)
        total.append((passed, failed))
    passed, failed = sum(p for p, _ in total), sum(f for _, f in total)
    print(f"{sys.argv[1]} took {(time.monotonic() - began) / 60:.1f} minutes")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
