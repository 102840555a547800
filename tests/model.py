#!/usr/bin/python3
"""The randomised model check of guest memory (tests/model/, docs/testing.md).

model.py test            what `make test` (tests/run.py) runs: random episodes from several seeds, all short sequences
model.py long MINUTES    the same for so long, with seeds of its own, and libFuzzer
model.py fuzz SECONDS    libFuzzer alone, its corpus in build/model/corpus
Failed episodes are kept: build/model/model replay build/model/fail-SEED.  Last line: `model: N passed, N failed`.
"""
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import time

OUT = "build/model"
LINKS = """kernel/gmem.c kernel/gmem_compress.c kernel/gmem_uniform.c kernel/zstore.c kernel/lz4.c kernel/gmem_map.c
    kernel/gmem_large.c kernel/gmem_region.c kernel/table.c kernel/frame.c kernel/lock.c kernel/collapse.c kernel/heap.c
    kernel/ledger.c kernel/lib/string.c kernel/lib/fmt.c arch/x86_64/table_format.c
    tests/unit/fake_arch.c tests/unit/fake_trace.c tests/unit/fake_trap.c""".split()
LINKED = ("kernel/merge*.c", "tests/model/*.c")  # as well, but not:
NOT_LINKED = ("kernel/merge_thread.c", "tests/model/main.c")
FLAGS = "-std=gnu11 -g -Wall -Wextra -Werror -Wno-unused-parameter -I. -DLOCK_CHECK=1".split()
SANITIZED = "-O1 -fsanitize=address,undefined -fno-sanitize-recover=all".split()
FAST = ["-O2"]
SECONDS = 15
LENGTH, LENGTH_LONG = 4, 5  # of the exhaustive run's sequences


def build(name, flags, compiler="gcc", mains=("tests/model/main.c",), root="."):
    """Links tests/model with the kernel's sources under root; returns the program's path."""
    program = os.path.abspath(os.path.join(root, OUT, name))
    os.makedirs(os.path.dirname(program), exist_ok=True)
    parts = [os.path.relpath(path, root) for some in LINKED for path in sorted(glob.glob(os.path.join(root, some)))]
    parts = [path for path in parts if path not in NOT_LINKED]
    out = subprocess.run([compiler, *FLAGS, *flags, *mains, *parts, *LINKS, "-o", program], cwd=root,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if out.returncode:
        raise SystemExit(out.stdout.decode(errors="replace") + f"\nmodel: {name} does not build: 0 passed, 1 failed")
    return program


def run(program, *arguments):
    """(what was run, exit code, output)"""
    out = subprocess.run([program, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return " ".join([os.path.basename(program), *map(str, arguments)]), out.returncode, out.stdout.decode()


def run_all(jobs):
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for name, code, text in pool.map(lambda job: run(*job), jobs):
            steps = re.findall(r"^model: (\d+) steps", text, re.M)
            print(f"{'FAIL' if code else 'ok  '} {name}: {steps[-1] if steps else 'no'} steps", flush=True)
            if code:
                print(text)
            passed, failed = passed + (not code), failed + bool(code)
    return passed, failed


def random_jobs(first_seed, seconds):
    checked, fast = build("model", SANITIZED), build("model-fast", FAST)
    return [(checked, "random", first_seed, seconds), (fast, "random", first_seed + 1, seconds),
            (checked, "random", first_seed + 2, seconds), (fast, "random", first_seed + 3, seconds)]


def fuzz_job(seconds):
    program = build("fuzz", ["-O1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"], "clang",
                    ("tests/fuzz/fuzz_memory.c",))
    corpus = os.path.join(OUT, "corpus")
    os.makedirs(corpus, exist_ok=True)
    return (program, f"-max_total_time={seconds}", "-max_len=4096", "-verbosity=0",
            f"-artifact_prefix={OUT}/fuzz-", corpus)


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    mode = sys.argv[1] if len(sys.argv) > 1 else "test"
    if mode == "test":
        jobs = random_jobs(1, SECONDS)
        jobs.append((os.path.abspath(os.path.join(OUT, "model-fast")), "small", LENGTH))
    elif mode == "long":
        seconds = 60 * int(sys.argv[2]) // 3  # five jobs that take the time, on two processors
        jobs = [*random_jobs(int(time.time()), seconds), fuzz_job(seconds)]
        jobs.append((os.path.abspath(os.path.join(OUT, "model-fast")), "small", LENGTH_LONG))
    else:
        jobs = [fuzz_job(int(sys.argv[2]))]
    passed, failed = run_all(jobs)
    print(f"model: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
