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
         "-Wno-unused-parameter -mno-red-zone -I.").split()
OUT = "build/unit"
SECONDS = 180  # a deadline, not an aim: the machine may be busy


def words_of(path, label):
    with open(path, encoding="utf-8") as f:
        head = f.read(4000)
    match = re.search(label + r":(.*?)\*/", head, re.S)
    return match.group(1).replace("*", " ").split() if match else []


def links_of(path):
    return [w for w in words_of(path, "links") if w.endswith(".c")]


def up_to_date(target, sources):
    if not os.path.exists(target):
        return False
    built = os.path.getmtime(target)
    return all(os.path.exists(s) and os.path.getmtime(s) <= built for s in sources)


def flags_of(path):
    return tuple(words_of(path, "flags")) or ("-DLOCK_CHECK=0",)


def object_of(source, flags):
    return os.path.join(OUT, "".join(flags).strip("-"), source[:-2] + ".o")


def compile_one(job):
    """An object is compiled once for all tests that link it; returns what went wrong."""
    source, flags = job
    target = object_of(source, flags)
    deps = target + ".deps"
    if os.path.exists(deps):
        with open(deps, encoding="utf-8") as f:
            seen = f.read().replace("\\\n", " ").split()[1:]
        if up_to_date(target, seen):
            return ""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    out = subprocess.run(["gcc", *FLAGS, *flags, "-MMD", "-MF", deps, "-c", source, "-o", target],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return out.stdout.decode(errors="replace") if out.returncode else ""


def compile_all(paths, pool):
    """Every object of the tests; (source, flags) -> what went wrong."""
    jobs = sorted({(source, flags_of(path)) for path in paths for source in [path, *links_of(path)]})
    return dict(zip(jobs, pool.map(compile_one, jobs)))


def link(path, program):
    flags = flags_of(path)
    objects = [object_of(source, flags) for source in [path, *links_of(path)]]
    if up_to_date(program, objects):
        return ""
    out = subprocess.run(["gcc", *FLAGS, *objects, "-lcmocka", "-o", program],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return out.stdout.decode(errors="replace") if out.returncode else ""


def run_one(path, problems):
    """(name, passed, failed, text to show)"""
    name = os.path.basename(path)[:-2]
    program = os.path.join(OUT, name)
    problem = "".join(problems[source, flags_of(path)] for source in [path, *links_of(path)]) or link(path, program)
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
        problems = compile_all(paths, pool)
        for name, good, bad, text in pool.map(lambda path: run_one(path, problems), paths):
            print(f"{'FAIL' if bad else 'ok  '} {name}: {good} passed" + (f", {bad} failed" if bad else ""))
            if text:
                print(text)
            passed, failed = passed + good, failed + bad
    print(f"unit: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
