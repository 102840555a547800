"""What a test sees of guests that run fill.elf: they write all of their memory, and tell of it on their consoles."""
import re

WARM = 256 << 10    # bytes: the kernel keeps some small objects for the next time


def begin(machine, name):
    """Lets a guest that was started fill its memory."""
    with machine.attach(name) as console:
        console.wait_for("WAITING", 60)
        console.send("g")


def output(machine, name):
    """What a guest wrote in its present run."""
    with machine.attach(name):
        pass
    return machine.line.before.split("*** run")[-1]


def filled(machine, name):
    return "FILLED" in output(machine, name)


def rounds(machine, name):
    """The last round that a guest finished, 0 for none; no word was ever wrong."""
    text = output(machine, name)
    assert "FAIL" not in text, text[-300:]
    return max([0] + [int(n) for n in re.findall(r"ROUND (\d+)\r", text)])


def goes_on(machine, name):
    last = rounds(machine, name)
    machine.poll(lambda: rounds(machine, name), lambda now: now >= last + 2, 60, f"{name} to go on")


def wait_full_or_starved(machine, name, deadline=90):
    """Is it starved?  Else it filled its memory."""
    state = machine.poll(lambda: (machine.states()[name], filled(machine, name)),
                         lambda now: now[0] == "starved" or now[1], deadline, f"{name} to fill its memory")
    return state[0] == "starved"


def none_ended(machine, names, ended):
    """Of these guests only that one was ended; the first, whose claim is the highest, runs, and never waited."""
    states = {name: state for name, state in machine.states().items() if name in names and name != ended}
    assert set(states.values()) <= {"running", "starved"} and states[names[0]] == "running", states
    log = "\n".join(machine.ok("dmesg"))
    assert not re.search(rf"guest \d+ {names[0]}: waits", log)


def destroy_all(machine, names):
    for name in names:
        if machine.states()[name] != "off":
            machine.destroy(name)


def end_round(machine, names, free):
    """Ends these guests; the host has as much free memory as before they were started."""
    destroy_all(machine, names)
    machine.poll(machine.free, lambda now: now >= free - WARM, 10, f"{free} bytes free again")
