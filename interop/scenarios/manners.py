"""Bad manners of the world, each of which ends safely: an exit code, a clear word, the state as it was or whole, and what to type next."""

import re
import shutil
from contextlib import contextmanager

from common import differs, exseal, flat, like, locks, planned, state
from running import NOW, Story, hold
from sweep import Run, gone_on

RENEW = ["back-end renew"]
KINDS = ("answers-null", "answers-empty", "answers-two")
UNDONE = tuple(f"{kind}=undone" for kind in KINDS)
# What is answered wrongly, how, and the words that stop the run; without words nothing hangs on that answer, and the run is whole.
WRONG = {
    "New-ExsealCertificate": {
        **dict.fromkeys((*KINDS, *UNDONE)),
        "answers-empty=undone": "expected that the certificate of step 1 is in My with its key, found no certificate of that serial number",
        "makes-no-key": "is in My with its key, found it is there without its key",
    },
    "Set-ExsealHttpSysCertificate": {**dict.fromkeys((*KINDS, *UNDONE)), "answers-empty=undone": "the call gave no error, but expected that *:444 carries"},
    "Enable-ExchangeCertificate": dict.fromkeys(KINDS),
    "Get-ExchangeCertificate": dict.fromkeys(KINDS),
    "Get-ExsealStore": {**dict.fromkeys(KINDS), "answers-null": "the store of EX1.contoso.lab was not read whole"},
    "Get-ExsealHttpSys": {
        "answers-null": "http.sys was not read whole",
        "answers-empty": "the entry of http.sys could not be read",
        "answers-two": "http.sys showed the entry twice, with two certificates",
    },
}


@contextmanager
def begun(program, folder, name, story="back-end-expires", goals=None):
    with Story(program, folder / "manners" / name, story) as lab:
        path = lab.folder / "plan.json"
        plan = planned(lab, goals(lab) if goals else RENEW, path)
        yield lab, path, lab.folder / f"exseal-{plan['id']}.journal", state(lab)


def stopped(place, done, *words):
    """It ended with 1, said these words, and what to type next."""
    said = flat(done.stderr)
    hold(done.returncode == 1, f"{place}: expected exit code 1, found {done.returncode}: {said[-400:]}")
    for word in (*words, "exseal rollback"):
        hold(word in said, f"{place}: expected {word!r}, found {said[-600:]}")


def ended_well(place, lab, journal, was, done):
    """Wherever it stopped: it goes on to the end, is proven, and can be taken back whole."""
    if done.returncode != 0:
        stopped(place, done, "--resume")
        done = exseal(lab, "apply", "--resume", str(journal), "--yes")
    hold(done.returncode == 0, f"{place}: ended with {done.returncode}: {flat(done.stderr)[-500:]}")
    verified = exseal(lab, "verify", str(journal))
    hold(verified.returncode == 0, f"{place}: {verified.stdout[-400:]}")
    taken_back(place, lab, journal, was)


def taken_back(place, lab, journal, was):
    back = exseal(lab, "rollback", str(journal), "--yes")
    hold(back.returncode == 0, f"{place}: rollback ended with {back.returncode}: {flat(back.stderr)[-500:]}")
    differs(f"{place}, taken back", like(was, state(lab)), like(was, was))
    hold(not locks(lab), f"{place}: still locked")


def the_journal_cannot_be_written(program, folder):
    """The disk is full from some line on: nothing is begun whose line is not there."""
    for line in (2, 6):
        with begun(program, folder, f"full-{line}") as (lab, path, journal, was):
            full = ("strace", "-f", "-qq", "-o", "/dev/null", "-P", str(journal), "-e", "trace=write", "-e", f"inject=write:error=ENOSPC:when={line}+")
            done = exseal(lab, "apply", str(path), "--yes", before=full)
            place = f"disk full at line {line}"
            stopped(place, done, "the journal cannot be written")
            if line == 2:
                differs(place, like(was, state(lab)), like(was, was))
            ended_well(place, lab, journal, was, exseal(lab, "apply", "--resume", str(journal), "--yes"))


def a_second_operator(program, folder):
    """Another person, with the same plan elsewhere, while the server is still locked by a run that died."""
    with begun(program, folder, "second") as (lab, path, journal, was):
        dies = ("strace", "-f", "-qq", "-o", "/dev/null", "-P", str(journal), "-e", "trace=fdatasync", "-e", "inject=fdatasync:signal=KILL:when=7")
        exseal(lab, "apply", str(path), "--yes", before=dies)
        between = state(lab)
        elsewhere = lab.folder / "elsewhere"
        elsewhere.mkdir()
        shutil.copy(path, elsewhere)
        second = exseal(lab, "apply", str(elsewhere / "plan.json"), "--yes")
        stopped("second operator", second, "is locked")
        differs("second operator", state(lab), between)
        ended_well("second operator", lab, journal, was, exseal(lab, "apply", "--resume", str(journal), "--yes"))


def the_session_dies_in_the_middle_of_444(program, folder):
    for fault in ("loses-reply", "drops", "reboot"):
        with begun(program, folder, f"444-{fault}") as (lab, path, journal, was):
            lab.do("fault", fault, "--step", "Set-ExsealHttpSysCertificate")
            done = exseal(lab, "apply", str(path), "--yes")
            hold('"step-failed"' in journal.read_text(), f"{fault} at 444: was not met")
            ended_well(f"{fault} at 444", lab, journal, was, done)


def the_clock_is_wrong_by_an_hour(program, folder):
    for seconds in (3600, -3600):
        with begun(program, folder, f"clock{seconds}") as (lab, path, journal, was):
            lab.do("fault", f"clock-skew={seconds}", "--server", "EX1")
            ended_well(f"clock {seconds} s", lab, journal, was, exseal(lab, "apply", str(path), "--yes"))


def a_second_certificate_appears(program, folder):
    """Somebody makes another one right before ours, which takes over internal transport: ours is known by its serial number, what
    moved stops the run, and theirs is left alone."""
    with begun(program, folder, "two") as (lab, path, journal, was):
        lab.do("fault", "second-operator", "--step", "New-ExsealCertificate")
        done = exseal(lab, "apply", str(path), "--yes")
        stopped("two certificates", done, "internal transport certificate")
        made = [line for line in journal.read_text().splitlines() if line.startswith('{"entry":"made"')]
        hold(len(made) == 1, f"two certificates: {len(made)} were made")
        mine = {one["thumbprint"] for own in was.values() for one in own.get("stores", {}).get("My", [])}
        new = {one["thumbprint"] for own in state(lab).values() for one in own.get("stores", {}).get("My", [])} - mine
        hold(len(new) == 2, f"two certificates: expected ours and theirs, found {len(new)}")
        back = exseal(lab, "rollback", str(journal), "--yes")
        hold(back.returncode == 0, f"two certificates: rollback ended with {back.returncode}: {flat(back.stderr)[-500:]}")
        left = {one["thumbprint"] for own in state(lab).values() for one in own.get("stores", {}).get("My", [])} - mine
        hold(len(left) == 1 and left < new, f"two certificates: theirs alone should be left, found {len(left)}")


def the_key_is_lost_behind_the_plan(program, folder):
    """The certificate is still there and presents nothing: a client's look takes the binding back at once."""
    wanted = []

    def goals(lab):
        dump = lab.do("dump")
        servers = dump.get("state", dump)["servers"]
        wanted.append(servers["EX1"]["httpSys"]["0.0.0.0:443"]["thumbprint"])
        return [f"front-end rebind {wanted[0]}"]

    with begun(program, folder, "key", "outlook-prompts", goals) as (lab, path, journal, was):
        lab.do("break", "--server", "EX2", "lose-key", wanted[0])
        was = state(lab)
        done = exseal(lab, "apply", str(path), "--yes")
        stopped("key lost", done)
        taken_back("key lost", lab, journal, was)


def an_answer_is_wrong(program, folder):
    """Nothing, empty thumbprints, or two of them from the commands of a run, whether they acted or not, and a certificate that appears
    without its key: the run is whole or stops with a word, goes on, and is taken back whole."""
    story = {"name": "wrong answer", "story": "back-end-expires"}
    own = Run(program, folder / "manners" / "answers", story, lambda _: RENEW)
    try:
        straight = own.apply("straight")
        hold(straight.returncode == 0, f"wrong answers: apply ended with {straight.returncode}: {flat(straight.stderr)[-500:]}")
        own.target = own.now()
        exseal(own.lab, "rollback", str(own.journal("straight")), "--yes")
        own.back = own.now()
        for command, fault, words in ((command, *one) for command, faults in WRONG.items() for one in faults.items()):
            own.fresh()
            place, name = f"{command} {fault}", re.sub(r"\W+", "-", f"{command}-{fault}")
            own.lab.do("fault", fault, "--step", command)
            done = own.apply(name)
            hold(not own.lab.do("faults")["waiting"], f"{place}: {command} did not come")
            own.lab.do("heal")
            if words is None:
                hold(done.returncode == 0, f"{place}: apply ended with {done.returncode}: {flat(done.stderr)[:600]}")
            else:
                stopped(place, done, words, "--resume")
            if fault == "makes-no-key":
                # Nothing goes on with such a certificate: the run says the same again, and is taken back.
                stopped(place, exseal(own.lab, "apply", "--resume", str(own.journal(name)), "--yes"), words)
                taken_back(place, own.lab, own.journal(name), own.was)
            else:
                gone_on(own, place, own.journal(name))
    finally:
        own.end()


def the_account_ends_in_a_dollar(program, folder):
    """Exchange's shell refuses it with the fault of a dead back end: the account is named, and nobody is told to mend 444."""
    organisation = 'domain = "contoso.lab"\nnamespace = "mail.contoso.com"\npublic = "public"\n' \
                   '[[certificate]]\nid = "public"\nnames = ["mail.contoso.com"]\nissuer = "public-ca"\ndays_left = 200\n' \
                   '[[server]]\nname = "EX1"\n[[user]]\nname = "admin"\n[[user]]\nname = "adm$"\n'
    with Story(program, folder / "manners" / "dollar", "dollar", organisation) as lab:
        before = {one["name"] for one in lab.findings(lab.inventory())}
        named = re.sub(r"(?m)^(user = .*?)admin", r"\1adm$", lab.connect.read_text())
        hold("adm$" in named, f"dollar: no user in {named[:200]}")
        lab.connect.write_text(named)
        seen = exseal(lab, "discover", "--live", "--now", NOW, "-o", str(lab.folder / "seen.json"))
        found = exseal(lab, "diagnose", "--live", "--now", NOW)
        checked = exseal(lab, "session", "check", "--server", "ex1.contoso.lab")
        for what, said in (("discover", seen.stdout + seen.stderr), ("diagnose", found.stdout + found.stderr), ("session check", checked.stdout + checked.stderr)):
            hold("adm$ ends in $" in flat(said), f"dollar: {what} should doubt the account, found {flat(said)[-900:]}")
        told = {one["name"] for one in lab.findings(lab.inventory())}
        hold(not any("back-end" in name for name in told - before), f"dollar: found {sorted(told - before)}")


ALL = (the_journal_cannot_be_written, a_second_operator, the_session_dies_in_the_middle_of_444, the_clock_is_wrong_by_an_hour,
       a_second_certificate_appears, the_key_is_lost_behind_the_plan, an_answer_is_wrong, the_account_ends_in_a_dollar)
