"""The crash sweep: the program dies by SIGKILL before and after each line of its journal and each request, and each command of a run
meets each fault; then the run goes on, or is taken back.

strace kills: at the entrance of a system call, which then does not happen. So a point is exact, and nothing of the program knows of it.
"""

import collections
import json
import re
import shutil
import zlib

from common import count, differs, exseal, flat, like, locks, planned, state
from running import Story, hold

FAULTS = ("throws", "drops", "loses-reply")


class Run:
    """A story with the plan of its goals, as often as it is wanted in the state in which it began."""

    def __init__(self, program, folder, story, goals):
        self.program, self.folder, self.story, self.goals, self.number = program, folder / "sweep" / story["name"], story, goals, 0
        self.lab = None

    def fresh(self):
        """The lab as it began: the one that runs, where everything was taken back, else a new one."""
        if self.lab is not None and like(self.was, state(self.lab)) == self.before and not locks(self.lab):
            return self.lab
        self.end()
        self.number += 1
        self.lab = Story(self.program, self.folder / str(self.number), self.story["story"])
        self.lab.__enter__()
        self.was = state(self.lab)
        self.before = like(self.was, self.was)
        self.path = self.lab.folder / "plan.json"
        self.plan = planned(self.lab, self.goals(self.lab), self.path)
        return self.lab

    def end(self):
        if self.lab is not None:
            self.lab.__exit__()
            shutil.rmtree(self.lab.folder, ignore_errors=True)
            self.lab = None

    def journal(self, name):
        return self.lab.folder / name / f"exseal-{self.plan['id']}.journal"

    def apply(self, name, *before):
        return exseal(self.lab, "apply", str(self.path), "--yes", "--also-irreversible", "--journal", str(self.lab.folder / name), before=before)

    def now(self):
        return like(self.was, state(self.lab))


def traced(lines):
    """Of a run without a fault: how many lines its journal has, and its requests that carry a command: which call of writev each is, and
    which call of recvfrom reads the first of its answer. What fetches output or ends a command is not counted as a request."""
    calls = [re.match(r"(\d+) +(\w+)\((\d+),(.*)", line) for line in lines]
    calls = [found.groups() for found in calls if found]
    thread = calls[0][0] if calls else ""
    sizes = collections.Counter()
    ordinals, requests, waiting = collections.Counter(), [], []
    for own, call, _, rest in calls:
        if own != thread:
            continue
        ordinals[call] += 1
        length = re.findall(r"iov_len=(\d+)", rest)
        if call == "writev" and "POST /" in rest and len(length) == 2:
            sizes[length[1]] += 1
            waiting = [length[1], ordinals["writev"]]
        elif call == "recvfrom" and waiting:
            requests.append((*waiting, ordinals["recvfrom"]))
            waiting = []
    fetching = {size for size, _ in sizes.most_common(2)}
    return [(sent, read) for size, sent, read in requests if size not in fetching]


def points(name, journal, requests, sweep):
    """Where the program dies, and what goes wrong at which command."""
    kills = [(call, number) for number in range(1, journal + 1) for call in ("write", "fdatasync")]
    kills += [point for sent, read in requests for point in (("writev", sent), ("recvfrom", read))]
    if sweep == "all":
        return kills, [(fault, number) for number in range(len(requests)) for fault in FAULTS]
    # Some requests open sessions; commands are half of them at least.
    faults = [(fault, number) for number in range(len(requests) // 2) for fault in FAULTS]
    # Some, spread over the run: the same every time, and others in each story.
    many = 1 if sweep == "some" else int(sweep)
    first = zlib.crc32(name.encode())
    lines = kills[: journal * 2]
    rest = kills[journal * 2:]
    return spread(lines, many + 1, first) + spread(rest, many, first), spread(faults, many, first)


def spread(all_of_them, many, first):
    return [all_of_them[(first + at * len(all_of_them) // many) % len(all_of_them)] for at in range(min(many, len(all_of_them)))]


def swept(program, folder, story, goals, sweep):
    """Tries every point of one story."""
    own = Run(program, folder, story, goals)
    try:
        own.fresh()
        name = story["name"]
        if not own.plan or not own.plan["steps"]:
            return
        log = own.lab.folder / "calls"
        straight = own.apply("straight", "strace", "-f", "--seccomp-bpf", "-qq", "-o", str(log), "-e", "trace=writev,recvfrom")
        hold(straight.returncode == 0, f"{name}: apply under strace ended with {straight.returncode}: {straight.stderr[-500:]}")
        if straight.returncode != 0:
            return
        own.target = own.now()
        lines = own.journal("straight").read_bytes().count(b"\n")
        requests = traced(log.read_text(errors="replace").splitlines())
        hold(len(requests) > len(own.plan["steps"]), f"{name}: only {len(requests)} requests were seen")
        back = exseal(own.lab, "rollback", str(own.journal("straight")), "--yes")
        hold(back.returncode == 0, f"{name}: rollback ended with {back.returncode}: {back.stderr[-500:]}")
        own.back = own.now()
        kills, faults = points(name, lines, requests, sweep)
        for at, (call, number) in enumerate(kills):
            killed(own, call, number, at % 2 == 0)
        for at, (fault, number) in enumerate(faults):
            if not met(own, fault, number, (at + number) % 2 == 0) and sweep == "all":
                break
    finally:
        own.end()


def killed(own, call, number, resumed):
    lab = own.fresh()
    name = f"{call}-{number}"
    journal = own.journal(name)
    only = ["-P", str(journal)] if call in ("write", "fdatasync") else []
    died = own.apply(name, "strace", "-f", "-qq", "-o", "/dev/null", *only, "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}")
    place = f"{own.story['name']}: killed at {call} {number}"
    if died.returncode == 0:
        count("not reached")
    else:
        count("killed")
        hold(died.returncode in (-9, 137), f"{place}: ended with {died.returncode} {died.stderr[-300:]}")
    if not journal.exists() or not journal.read_bytes().endswith(b"\n") and b"\n" not in journal.read_bytes():
        # It died before its first line: nothing was begun, and the same plan may be applied.
        differs(place, own.now(), own.before)
        shutil.rmtree(journal.parent, ignore_errors=True)
        return
    gone_on(own, lab, place, journal, resumed)


def met(own, fault, number, resumed):
    """False: the run has fewer commands."""
    lab = own.fresh()
    name = f"{fault}-{number}"
    lab.do("fault", fault, "--after", str(number))
    own.apply(name)
    place = f"{own.story['name']}: {fault} at command {number + 1}"
    dump = lab.do("dump")
    waiting = dump.get("state", dump)["faults"]
    count("not reached" if waiting else "faults")
    lab.do("heal")
    gone_on(own, lab, place, own.journal(name), resumed)
    return not waiting


def gone_on(own, lab, place, journal, resumed):
    """After whatever happened: the run goes on and is as planned, and is taken back and is as before."""
    if resumed:
        if not over(journal):
            done = exseal(lab, "apply", "--resume", str(journal), "--yes", "--also-irreversible")
            hold(done.returncode == 0, f"{place}: resume ended with {done.returncode}: {flat(done.stderr)[-900:]}")
        differs(f"{place}, resumed", own.now(), own.target)
        hold(not locks(lab), f"{place}, resumed: still locked: {locks(lab)}")
    done = exseal(lab, "rollback", str(journal), "--yes")
    hold(done.returncode == 0, f"{place}: rollback ended with {done.returncode}: {flat(done.stderr)[-900:]}")
    # What never worked stays repaired, with as much of the new certificate's use as there was; everything else is as it was.
    differs(f"{place}, taken back", own.now(), own.before, own.back, but=("NEW/services", "NEW/key/readers"))
    hold(not locks(lab), f"{place}, taken back: still locked: {locks(lab)}")


def over(journal):
    return json.loads(journal.read_text().splitlines()[-1])["entry"] == "ended"
