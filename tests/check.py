#!/usr/bin/python3
"""The house rules that a machine can check: layers, layout, lengths, comments, blanks.

Each rule is a function that yields `path:line: text` for what breaks it.  The last line is
`check: N passed, N failed`, counted in rules; the exit code is 1 if one failed.
"""
import os
import re
import subprocess
import sys

TOP = {".ci", ".gitignore", "LICENSE", "Makefile", "README.md", "arch", "boot", "docs", "drivers", "kernel",
       "tests", "vmm"}
FREESTANDING = {"stdint.h", "stdbool.h", "stddef.h", "stdarg.h", "limits.h"}
FILE_LINES = 500
FUNCTION_LINES = 60
COLUMNS = 120

# Folder -> what its include lines may begin with.  The longest folder that matches counts.
LAYERS = {
    "kernel/lib": ["kernel/lib/"],
    "arch/x86_64": ["kernel/lib/", "kernel/abi.h", "arch/x86_64/"],
    "kernel": ["kernel/", "arch/x86_64/"],
    "kernel/main.c": ["kernel/", "arch/x86_64/", "drivers/"],  # the boot order names everybody
    "drivers": ["kernel/", "arch/x86_64/", "drivers/"],
    "boot": ["boot/", "kernel/boot_info.h", "kernel/abi.h", "kernel/lib/", "arch/x86_64/registers.h",
             "arch/x86_64/virt_options.h"],
    "vmm/lib": ["vmm/lib/", "kernel/abi.h", "kernel/lib/"],
    "vmm/machine": ["vmm/machine/", "vmm/lib/", "kernel/abi.h", "kernel/lib/"],
    "vmm/monitor": ["vmm/monitor/", "vmm/lib/", "kernel/abi.h", "kernel/lib/"],
    "tests/guests": ["tests/guests/"],
    "tests": [""],
}
BACK_ENDS = re.compile(r"arch/x86_64/(svm|vmx)/")
INCLUDE = re.compile(r'^\s*[#%]\s*include\s+(["<])([^">]+)[">]')
C_LIKE = (".c", ".h")
TEXT = (".c", ".h", ".asm", ".py", ".sh", ".mk", ".lds", ".inc", ".md", ".conf")


def listed_files():
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], stdout=subprocess.PIPE, check=True)
    return sorted({p for p in out.stdout.decode().splitlines() if os.path.isfile(p)})


def lines_of(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read().split("\n")


def layer_of(path):
    fits = [d for d in LAYERS if path == d or path.startswith(d + "/")]
    return max(fits, key=len) if fits else None


def include_problem(path, layer, kind, name):
    if kind == "<":
        if name in FREESTANDING or layer == "tests" or layer == "boot" and name.startswith("efi"):
            return None
        if name == "xxhash.h" and layer == "kernel/lib":
            return None
        return f"<{name}> is not for {layer}: only boot/ sees the firmware's headers, nobody sees libc"
    if name.startswith("build/"):
        return None
    if not any(name.startswith(p) for p in LAYERS[layer]):
        return f'"{name}" is not for {layer}: it may include {", ".join(LAYERS[layer])}'
    if BACK_ENDS.match(name) and not path.startswith(("arch/", "tests/", "kernel/main.c")):
        return f'"{name}": a back end is seen only through arch/x86_64/virt.h'
    return None


def rule_layers(files):
    for path in files:
        layer = layer_of(path)
        if layer is None or not path.endswith(C_LIKE + (".asm", ".inc")):
            continue
        for number, line in enumerate(lines_of(path), 1):
            match = INCLUDE.match(line)
            problem = match and include_problem(path, layer, match.group(1), match.group(2))
            if problem:
                yield f"{path}:{number}: {problem}"


def rule_layout(files):
    for path in files:
        if path.split("/")[0] not in TOP:
            yield f"{path}:1: not a place of the layout: {', '.join(sorted(TOP))}"
        elif path.endswith(C_LIKE) and layer_of(path) is None:
            yield f"{path}:1: no layer has this folder"


def rule_file_length(files):
    for path in files:
        count = len(lines_of(path)) - 1
        if path.endswith(TEXT) and not path.endswith(".md") and count > FILE_LINES:
            yield f"{path}:1: {count} lines, at most {FILE_LINES}"


def functions_of(lines):
    """(name, first line, length) by the style's shape: it begins in column 0 and ends with a `}` there."""
    start = name = None
    for number, line in enumerate(lines, 1):
        if start is None and line.endswith("{") and line[:1] not in ("", " ", "\t", "#", "}"):
            head = line if "(" in line or line != "{" else lines[number - 2]
            match = re.search(r"(\w+)\s*\([^=]*$", head)
            if match and "=" not in line and not re.match(r"(struct|enum|union|typedef)\b[^(]*\{", line):
                start, name = number, match.group(1)
        elif start is not None and line.startswith("}"):
            yield name, start, number - start - 1
            start = None


def rule_function_length(files):
    for path in files:
        if path.endswith(C_LIKE):
            for name, start, count in functions_of(lines_of(path)):
                if count > FUNCTION_LINES:
                    yield f"{path}:{start}: {name}() has {count} lines, at most {FUNCTION_LINES}"


def rule_line_length(files):
    for path in files:
        if not path.endswith(TEXT) or path.endswith(".md"):
            continue
        for number, line in enumerate(lines_of(path), 1):
            columns = len(line.expandtabs(4))
            if columns > COLUMNS:
                yield f"{path}:{number}: {columns} columns, at most {COLUMNS}"


def rule_head_comment(files):
    begins = {".c": "/*", ".h": "/*", ".lds": "/*", ".asm": ";", ".inc": ";", ".py": ("#", '"""'), ".sh": "#",
              ".mk": "#"}
    for path in files:
        want = begins.get(os.path.splitext(path)[1])
        if want and not lines_of(path)[0].startswith(want):
            yield f"{path}:1: says not what lives here"


def without_strings(line):
    return re.sub(r'"(\\.|[^"\\])*"|\'(\\.|[^\'\\])*\'', '""', line)


def rule_comments(files):
    for path in files:
        if not path.endswith(C_LIKE):
            continue
        for number, line in enumerate(lines_of(path), 1):
            code = re.sub(r"/\*.*?(\*/|$)", "", without_strings(line))
            if "//" in code and not re.match(r"\s*\*|.*https?:", line) and not in_block(path, number):
                yield f"{path}:{number}: // comment"


def in_block(path, number):
    before = "\n".join(lines_of(path)[:number - 1])
    return before.rfind("/*") > before.rfind("*/")


def rule_blanks(files):
    for path in files:
        if not path.endswith(TEXT) and os.path.basename(path) != "Makefile":
            continue
        lines = lines_of(path)
        for number, line in enumerate(lines, 1):
            if line != line.rstrip():
                yield f"{path}:{number}: blanks at the end of the line"
        if lines[-1] != "" or len(lines) > 1 and lines[-2] == "":
            yield f"{path}:{len(lines)}: a file ends with one newline"


def rule_unit_links(files):
    for path in files:
        if re.match(r"tests/unit/test_\w+\.c$", path) and "links:" not in "".join(lines_of(path)[:4]):
            yield f"{path}:2: no /* links: ... */ line"


def text_of(path):
    return "\n".join(lines_of(path)) if os.path.isfile(path) else ""


def strings_in(path, begin, pattern, end="\n};"):
    """What pattern's group finds between `begin` and the next `end`."""
    text = text_of(path)
    at = text.find(begin)
    return re.findall(pattern, text[at:text.find(end, at)]) if at >= 0 else []


def first_cells(heading):
    """The `code` in the first column of the tables under a heading of README.md."""
    section = re.search(rf"^{re.escape(heading)}$(.*?)(?=^##|\Z)", text_of("README.md"), re.S | re.M)
    cells = re.findall(r"^\| `((?:[^`])*)` \|", section.group(1), re.M) if section else []
    return [cell.replace("\\|", "|") for cell in cells]


def host_keys():
    return (strings_in("boot/options.c", "host_keys[] =", r'\n\t\{ "([^"]+)"')
            + strings_in("arch/x86_64/virt_options.h", "#define VIRT_OPTIONS", r'X\(\w+, \d+, "([^"]+)"\)', "\n\n"))


def guest_keys():
    return strings_in("vmm/monitor/definitions.c", "struct key keys[] =", r'\{ "([^"]+)", set_')


def settings_keys():
    return (strings_in("vmm/machine/settings.c", "monitor_keys[] =", r'"([^"]+)"')
            + strings_in("vmm/machine/settings.c", "settings_pair(", r'strcmp\(item->key, "([^"]+)"\)', "\n}"))


def commands():
    rows = strings_in("vmm/monitor/command_table.c", "command_table[] =", r'\{ "([^"]+)", "([^"]*)", \d')
    return [f"{name} {arguments}".strip() for name, arguments in rows]


def rule_reference(files):
    """README's tables and the tables in the code have the same rows."""
    tables = [("## The monitor", commands(), "vmm/monitor/command_table.c"),
              ("### `[host]`", host_keys(), "boot/options.c"),
              ("### `[guest NAME]`", guest_keys(), "vmm/monitor/definitions.c")]
    for heading, code, path in tables:
        shown = first_cells(heading)
        if not code or not shown:
            yield f"README.md:1: {heading}: {len(shown)} rows here, {len(code)} in {path}: not understood"
        for row in sorted(set(code) - set(shown)):
            yield f"README.md:1: {heading} lacks `{row}` of {path}"
        for row in sorted(set(shown) - set(code)):
            yield f"README.md:1: {heading} has `{row}`, which {path} does not"
        for row in sorted({row for row in shown if shown.count(row) > 1}):
            yield f"README.md:1: {heading} has `{row}` twice"
    for key in sorted(set(guest_keys()) ^ set(settings_keys())):
        yield f"vmm/machine/settings.c:1: `{key}` is not a key of both this file and vmm/monitor/definitions.c"


RULES = [rule_layers, rule_layout, rule_file_length, rule_function_length, rule_line_length,
         rule_head_comment, rule_comments, rule_blanks, rule_unit_links, rule_reference]


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    files = listed_files()
    failed = 0
    for rule in RULES:
        problems = list(rule(files))
        failed += bool(problems)
        for problem in problems:
            print(f"{problem}  [{rule.__name__[5:].replace('_', ' ')}]")
    print(f"check: {len(RULES) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
