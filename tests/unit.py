#!/usr/bin/python3
"""Builds and runs the host unit tests: tests/unit/test_*.c under ASan and UBSan, with cmocka.

A test's first lines name what it links: `/* links: vmm/machine/pic.c kernel/lib/string.c */`, and what it
wants of the compiler besides: `/* flags: -DLOCK_CHECK=1 */` (kernel/lock.h's order check).
A program that does not build, crashes or hangs counts as one failed case.
Last line: `unit: N passed, N failed`.
"""
import concurrent.futures
import glob
import os
import re
import subprocess
import sys

FLAGS = ("-std=gnu11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -Wall -Wextra -Werror "
         "-Wno-unused-parameter -I.").split()
OUT = "build/unit"
SECONDS = 60


def words_of(path, label):
    with open(path, encoding="utf-8") as f:
        head = f.read(4000)
    match = re.search(label + r":(.*?)\*/", head, re.S)
    return match.group(1).replace("*", " ").split() if match else []


def links_of(path):
    return [w for w in words_of(path, "links") if w.endswith(".c")]


def newer_than(target, sources):
    if not os.path.exists(target):
        return False
    built = os.path.getmtime(target)
    return all(os.path.exists(s) and os.path.getmtime(s) <= built for s in sources)


def sources_seen(depfile):
    if not os.path.exists(depfile):
        return None
    with open(depfile, encoding="utf-8") as f:
        return f.read().replace("\\\n", " ").split()


def depend_on(sources):
    """What the sources include, as gcc tells it."""
    out = subprocess.run(["gcc", "-MM", "-I.", *sources], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return [w for w in out.stdout.decode().replace("\\\n", " ").split() if not w.endswith(".o:")]


def build(path, program):
    sources = [path, *links_of(path)]
    seen = sources_seen(program + ".deps")
    if seen and set(sources) <= set(seen) and newer_than(program, seen):
        return ""
    flags = words_of(path, "flags") or ["-DLOCK_CHECK=0"]
    out = subprocess.run(["gcc", *FLAGS, *flags, *sources, "-lcmocka", "-o", program],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if out.returncode == 0:
        with open(program + ".deps", "w", encoding="utf-8") as f:
            f.write(" ".join(depend_on(sources)))
    return out.stdout.decode(errors="replace") if out.returncode else ""


def run_one(path):
    """(name, passed, failed, text to show)"""
    name = os.path.basename(path)[:-2]
    program = os.path.join(OUT, name)
    problem = build(path, program)
    if problem:
        return name, 0, 1, problem
    try:
        out = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS)
    except subprocess.TimeoutExpired as e:
        return name, 0, 1, (e.stdout or b"").decode(errors="replace") + f"\nno end after {SECONDS} s"
    text = out.stdout.decode(errors="replace")
    passed = sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test", text))
    failed = sum(int(n) for n in re.findall(r"\[  FAILED  \] (?:.*?: )?(\d+) test", text))
    if out.returncode and not failed or not out.returncode and not passed:
        failed += 1
    return name, passed, failed, text if failed else ""


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    os.makedirs(OUT, exist_ok=True)
    words = sys.argv[1:]
    paths = [p for p in sorted(glob.glob("tests/unit/test_*.c")) if not words or any(w in p for w in words)]
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for name, good, bad, text in pool.map(run_one, paths):
            print(f"{'FAIL' if bad else 'ok  '} {name}: {good} passed" + (f", {bad} failed" if bad else ""))
            if text:
                print(text)
            passed, failed = passed + good, failed + bad
    print(f"unit: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
