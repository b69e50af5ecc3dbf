"""The crash sweep: the program dies by SIGKILL before and after each line of its journal and each request, and each command of a run
meets each fault; from there the run goes on, and, from the same state once more, is taken back.

strace kills: at the entrance of a system call, which then does not happen. So a point is exact, and nothing of the program knows of it.
Between two points, and between going on and taking back, the lab is taken back to a checkpoint, which it keeps outside of the program.
"""

import collections
import json
import re
import shutil
import subprocess
import time
import zlib

from common import count, differs, exseal, flat, like, locks, planned, rescue, state, treated
from running import Story, hold

# A request is lost, its reply is lost, an error, no answer.
FAULTS = ("drops", "loses-reply", "throws", "times-out")
# What a command that is never answered may take: the run waits for it, and then for what it reads.
SECONDS = "2"
LINES = ("write", "fdatasync")


class Run:
    """A story with the plan of its goals, as often as it is wanted in the state in which it began."""

    def __init__(self, program, folder, story, goals):
        self.story, self.lab = story, Story(program, folder, story["story"])
        self.lab.__enter__()
        self.was = state(self.lab)
        self.before = like(self.was, self.was)
        self.lab.do("checkpoint", "before")
        if story.get("rescue"):
            # Its plan, which it carries out itself, is carried out once more and broken.
            done, self.plan, self.path = rescue(self.lab, self.lab.folder / "rescue")
            hold(self.plan, f"{story['name']}: rescue made no plan: {flat(done.stderr)[-500:]}")
            self.lab.do("revert", "before")
        else:
            self.path = self.lab.folder / "plan.json"
            self.plan = planned(self.lab, goals(self.lab), self.path)

    def fresh(self):
        self.lab.do("revert", "before")
        return self.lab

    def end(self):
        self.lab.__exit__()
        shutil.rmtree(self.lab.folder, ignore_errors=True)

    def journal(self, name):
        return self.lab.folder / name / f"exseal-{self.plan['id']}.journal"

    def apply(self, name, *more, before=()):
        return exseal(self.lab, "apply", str(self.path), "--yes", "--also-irreversible", "--journal", str(self.lab.folder / name), *treated(self.lab, self.story), *more, before=before)

    def commands(self):
        """How many commands came to the lab until now that a fault could have met."""
        return self.lab.do("faults")["commands"]

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


def points(name, journal, requests, commands, sweep):
    """Where the program dies, and what goes wrong at which command."""
    lines = [(call, number) for number in range(1, journal + 1) for call in LINES]
    sent = [point for call, read in requests for point in (("writev", call), ("recvfrom", read))]
    if sweep == "all":
        return lines + sent + [(fault, number) for number in range(commands) for fault in FAULTS]
    # Neighbours are of different kinds, at different commands.
    faults = [(FAULTS[at % len(FAULTS)], at * commands // len(FAULTS) % commands) for at in range(len(FAULTS) * commands)]
    # Some, spread over the run: the same every time, and others in each story.
    many = 1 if sweep == "some" else int(sweep)
    first = zlib.crc32(name.encode())
    return spread(lines, many + 1, first) + spread(sent, many, first) + spread(faults, many, first)


def spread(all_of_them, many, first):
    return [all_of_them[(first + at * len(all_of_them) // many) % len(all_of_them)] for at in range(min(many, len(all_of_them)))]


def swept(program, folder, story, goals, sweep, part=(0, 1), told=lambda words: None):
    """Tries the points of one story, or one part of so many of them."""
    at, parts = part
    own = Run(program, folder / "sweep" / f"{story['name']}-{at + 1}", story, goals)
    try:
        name = story["name"]
        if not own.plan or not own.plan["steps"]:
            return
        log = own.lab.folder / "calls"
        come = own.commands()
        straight = own.apply("straight", before=("strace", "-f", "--seccomp-bpf", "-qq", "-o", str(log), "-e", "trace=writev,recvfrom"))
        hold(straight.returncode == 0, f"{name}: apply under strace ended with {straight.returncode}: {straight.stderr[-500:]}")
        if straight.returncode != 0:
            return
        commands = own.commands() - come
        own.target = own.now()
        lines = own.journal("straight").read_bytes().count(b"\n")
        requests = traced(log.read_text(errors="replace").splitlines())
        hold(len(requests) > commands > len(own.plan["steps"]), f"{name}: only {len(requests)} requests and {commands} commands were seen")
        back = exseal(own.lab, "rollback", str(own.journal("straight")), "--yes")
        hold(back.returncode == 0, f"{name}: rollback ended with {back.returncode}: {back.stderr[-500:]}")
        own.back = own.now()
        mine = points(name, lines, requests, commands, sweep)[at::parts]
        words = f"{name}, part {at + 1} of {parts}: {len(mine)} points of {lines} lines, {len(requests)} requests and {commands} commands"
        told(words)
        begun = time.monotonic()
        for tried, (what, number) in enumerate(mine, 1):
            try:
                (met if what in FAULTS else killed)(own, what, number)
            except subprocess.TimeoutExpired as error:
                hold(False, f"{name}: {what} {number}: no end: {error}")
            if tried % 50 == 0 or tried == len(mine):
                told(f"{name}, part {at + 1} of {parts}: {tried} of {len(mine)} points tried in {time.monotonic() - begun:.0f} s")
    finally:
        own.end()


def killed(own, call, number):
    own.fresh()
    name = f"{call}-{number}"
    journal = own.journal(name)
    only = ["-P", str(journal)] if call in LINES else []
    died = own.apply(name, before=("strace", "-f", "-qq", "-o", "/dev/null", *only, "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"))
    place = f"{own.story['name']}: killed at {call} {number}"
    if died.returncode == 0:
        count("not reached")
    else:
        count("killed at lines" if call in LINES else "killed at requests")
        hold(died.returncode in (-9, 137), f"{place}: ended with {died.returncode} {died.stderr[-300:]}")
    if not journal.exists() or b"\n" not in journal.read_bytes():
        # It died before its first line: nothing was begun, and the same plan may be applied.
        differs(place, own.now(), own.before)
    else:
        gone_on(own, place, journal)
    shutil.rmtree(journal.parent, ignore_errors=True)


def met(own, fault, number):
    lab = own.fresh()
    name = f"{fault}-{number}"
    lab.do("fault", fault, "--after", str(number))
    own.apply(name, *(("--command-time", SECONDS) if fault == "times-out" else ()))
    waiting = lab.do("faults")["waiting"]
    count("not reached" if waiting else fault)
    lab.do("heal")
    gone_on(own, f"{own.story['name']}: {fault} at command {number + 1}", own.journal(name))
    shutil.rmtree(own.journal(name).parent, ignore_errors=True)


def gone_on(own, place, journal):
    """After whatever happened: the run goes on and is as planned; and, as if it had not gone on, is taken back and is as before."""
    lab = own.lab
    lab.do("checkpoint", "broken")
    again = journal.parent / "again" / journal.name
    again.parent.mkdir()
    shutil.copy(journal, again)
    if not over(journal):
        done = exseal(lab, "apply", "--resume", str(journal), "--yes", "--also-irreversible")
        hold(done.returncode == 0, f"{place}: resume ended with {done.returncode}: {flat(done.stderr)[-900:]}")
        count("resumed")
    differs(f"{place}, resumed", own.now(), own.target)
    hold(not locks(lab), f"{place}, resumed: still locked: {locks(lab)}")
    lab.do("revert", "broken")
    done = exseal(lab, "rollback", str(again), "--yes")
    hold(done.returncode == 0, f"{place}: rollback ended with {done.returncode}: {flat(done.stderr)[-900:]}")
    count("taken back")
    # What never worked stays repaired, with as much of the new certificate's use as there was; everything else is as it was.
    differs(f"{place}, taken back", own.now(), own.before, own.back, but=("NEW/services", "NEW/key/readers"))
    hold(not locks(lab), f"{place}, taken back: still locked: {locks(lab)}")


def over(journal):
    return json.loads(journal.read_text().splitlines()[-1])["entry"] == "ended"
