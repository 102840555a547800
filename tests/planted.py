#!/usr/bin/python3
"""Does the model check find what it is for?  Plants one bug after the other in a copy of the sources and demands
that the model check fails, and that it does not without a bug.

A bug is a pattern that must match exactly once in its file, and what it is replaced by: a change of the code that
takes the pattern away makes this script fail until the bug is planted anew.  Last line: `planted: N passed, N
failed`.
"""
import os
import re
import shutil
import sys

import model

SECONDS = 60  # to find one; most take less than one
MAP, GMEM, MERGE = "kernel/gmem_map.c", "kernel/gmem.c", "kernel/merge.c"
SCAN, REPLACE, COMPRESS = "kernel/merge_scan.c", "kernel/merge_replace.c", "kernel/gmem_compress.c"
LARGE, COLLAPSE = "kernel/gmem_large.c", "kernel/collapse.c"
BUGS = [
    ("a missed flush", SCAN, r"\tif \(flush\)\n\t\tm->shootdown\(m\);\n(\tif \(member->uniform\))", r"\1"),
    ("a flush too late", MAP, r"(\t\tm->shootdown\(m\);\n)(\t\twhile \(n\)\n.*\n)", r"\2\1"),
    ("writable before the flush", GMEM, r"(set_leaf\(m, r, entry, frame, )false(\);\n\tm->shootdown)", r"\1true\2"),
    ("a wrong reference count", REPLACE, r"\tframe_get\(frame\);\n(\treturn frame;)", r"\1"),
    ("a skipped compare", REPLACE, r"if \(equal\(f->frame, f->target\)\)", "if (equal(f->frame, f->frame))"),
    ("a leaked frame", REPLACE, r"\t\t\tmerge_frame_put\(f->target\);\n", "\t\t\t(void)0;\n"),
    ("a missed flush in compression", COMPRESS, r"\tif \(b\.flush\)\n\t\tm->shootdown\(m\);\n", ""),
    ("a compressed page that is forgotten", MAP, r"\t\tgmem_compressed_put\(m, \*entry\);\n", "\t\t(void)0;\n"),
    ("a frame that the ledger does not get back", COMPRESS, r"(zstore_drop\(.*\)\))\n\t\tledger_put\(m->account, 1\);",
     r"\1\n\t\t(void)0;"),
    ("a collapse without its flush", COLLAPSE, r"(ACQ_REL\);\n\n)\tm->shootdown\(m\);\n(\tif \(!complete)", r"\1\2"),
    ("a dirty bit lost in a collapse", COLLAPSE, r"m->format->accessed \| m->format->dirty", "m->format->accessed"),
    ("a write lost in a collapse", "kernel/gmem_leaf.h", r"\tif \(\*entry & LEAF_COPIED\)\n.*\n", ""),
    ("a split that forgets a page", LARGE, r"for \(u64 i = 0; i < LARGE_PAGES", "for (u64 i = 0; i < LARGE_PAGES - 1"),
    ("a known page of a uniform group that may be written", REPLACE, r" && !m->uniform", ""),
    ("a missed flush of what was moved", REPLACE, r"\tif \(flush\)\n\t\tm->shootdown\(m\);\n(\tfor .*\n\t\tif .*old)",
     r"\1"),
    ("a share-group mix-up", MERGE, r"members\[i\] && !strcmp\(members\[i\]->name, name\)", "members[i]"),
    ("a file's frames in two share groups", MERGE, r"owner == group \|\| owner", "owner != group || owner"),
]


def plant(number, path, pattern, replacement):
    """A copy of the sources with the bug; its root."""
    root = f"build/planted/{number}"
    shutil.rmtree(root, ignore_errors=True)
    for folder in ("kernel", "arch", "tests/model", "tests/unit", "build/lz4"):
        shutil.copytree(folder, os.path.join(root, folder))
    target = os.path.join(root, path)
    with open(target, encoding="utf-8") as f:
        text = f.read()
    changed, count = re.subn(pattern, replacement, text)
    if count != 1:
        raise ValueError(f"{path}: the pattern matches {count} times, not once: {pattern}")
    with open(target, "w", encoding="utf-8") as f:
        f.write(changed)
    return root


def find(number, name, path, pattern, replacement):
    """Is it found?  True and how."""
    try:
        root = plant(number, path, pattern, replacement)
    except ValueError as e:
        return False, str(e)
    program = model.build("model-fast", model.FAST, root=root)
    os.makedirs(os.path.join(root, model.OUT), exist_ok=True)
    _, code, text = model.run(program, "random", 100 + number, SECONDS)
    said = re.findall(r"^(?:model|panic): (?!saved)(.*)", text, re.M)
    if not code:
        return False, f"not found in {SECONDS} s"
    return True, "; ".join(said[:1]) or f"exit code {code}"


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    passed = failed = 0
    _, code, text = model.run(model.build("model-fast", model.FAST), "random", 100, 5)
    results = [("no bug", not code, text.splitlines()[-1] if text else "")]
    for number, bug in enumerate(BUGS, 1):
        results.append((bug[0], *find(number, *bug)))
    for name, good, how in results:
        print(f"{'ok  ' if good else 'FAIL'} {name}: {how}")
        passed, failed = passed + good, failed + (not good)
    print(f"planted: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
