#!/usr/bin/python3
"""trace_json.py [FILE] >trace.json: makes `trace show`'s text (a log of the serial line will do) into the JSON that
chrome://tracing and ui.perfetto.dev open: CPUs with what ran on them, and each guest with its vCPUs' exits and
injections, and a row for its memory: what was merged, and written since.
"""
import json
import re
import sys

HEAD = re.compile(r"trace tsc-hz=(\d+) cpus=(\d+)")
LINE = re.compile(r"(\d+) (\d+) (\d+) (run|exit|inject|merge|unshare) (\S+) (\d+|-) (\S+)")
CPUS = 1  # the process number of the row of CPUs; guests follow
MEMORY = 1000  # the thread number of a guest's memory, behind its vCPUs


def parse(text):
    """TSC Hz, and records (cpu, tsc, cycles, kind, guest, vcpu, detail) of the text's last trace."""
    hz, records = 0, []
    for line in text.replace("\r", "").split("\n"):
        head, match = HEAD.search(line), LINE.fullmatch(line.strip())
        if head:
            hz, records = int(head.group(1)), []
        elif match and hz:
            cpu, tsc, cycles, kind, guest, vcpu, detail = match.groups()
            records.append((int(cpu), int(tsc), int(cycles), kind, guest, vcpu, detail))
    return hz, records


def chrome(hz, records):
    """Chrome's trace event format: X is a slice, i an instant, M a name; times in microseconds."""
    first = min((r[1] for r in records), default=0)
    pids, events, named = {}, [], set()

    def name(pid, process, tid, thread):
        if (pid, tid) not in named:
            named.add((pid, tid))
            events.append(dict(ph="M", name="process_name", pid=pid, tid=tid, args=dict(name=process)))
            events.append(dict(ph="M", name="thread_name", pid=pid, tid=tid, args=dict(name=thread)))

    for cpu, tsc, cycles, kind, guest, vcpu, detail in sorted(records, key=lambda r: r[1]):
        event = dict(ts=(tsc - first) * 1e6 / hz, args=dict(detail=detail))
        if kind == "run":
            what = "Quire" if guest == "-" else f"{guest} machine" if vcpu == "-" else f"{guest}/{vcpu}"
            name(CPUS, "CPUs", cpu, f"CPU {cpu}")
            event.update(ph="X", name=what, cat="run", pid=CPUS, tid=cpu, dur=cycles * 1e6 / hz)
        else:
            pid, tid = pids.setdefault(guest, CPUS + 1 + len(pids)), MEMORY if vcpu == "-" else int(vcpu)
            name(pid, guest, tid, "memory" if tid == MEMORY else f"vCPU {tid}")
            event.update(name=detail, cat=kind, pid=pid, tid=tid)
            event["args"]["cpu"] = cpu
            event.update(dict(ph="i", s="t") if kind == "inject" else dict(ph="X", dur=cycles * 1e6 / hz))
        events.append(event)
    return dict(traceEvents=events, displayTimeUnit="ns")


def main():
    text = open(sys.argv[1], errors="replace").read() if len(sys.argv) > 1 else sys.stdin.read()
    hz, records = parse(text)
    if not records:
        sys.exit("trace_json.py: no trace in this text")
    json.dump(chrome(hz, records), sys.stdout)


if __name__ == "__main__":
    main()
