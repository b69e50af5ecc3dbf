"""Stories from the finding to the proof: an organisation of the lab is broken, exseal finds it, plans, applies, verifies and takes back,
and openssl says what clients see meanwhile. Then the sweep (`sweep.py`) and bad manners (`manners.py`).

judge.py EXSEAL SCENARIOS FOLDER [--sweep none|some|all|NUMBER] [--only-sweep] [--jobs NUMBER] [STORY…]: the program; the stories as data; a folder to
work in. Exits with 1 and the list of what differs.
"""

import argparse
import base64
import json
import re
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lab_live"))
sys.dont_write_bytecode = True
import manners  # noqa: E402
from clients import LOOPBACK, Watcher, leaf, places, reaches_mailbox, signature  # noqa: E402
from common import POINTS, counts, differs, exseal, flat, planned, rescue, run, state, treated  # noqa: E402
from running import NOW, Story, failures, hold  # noqa: E402
from sweep import swept  # noqa: E402

# Into so many parts the whole sweep cuts a story.
PARTS = 3
# Events are older than the repair and stay where they are.
LATER = {"transport-reports-certificate-fault"}
# Findings that no plan may be silent about.
MUST = {"certificate-expired", "internal-transport-missing", "exchange-service-down", "services-disabled-by-setup"}


def certificate(inventory, thumbprint):
    """Subject, names and dates as openssl reads them."""
    der = base64.b64decode(inventory["certificates"][thumbprint]["der"])
    shown = subprocess.run(["openssl", "x509", "-inform", "der", "-noout", "-subject", "-issuer", "-startdate", "-enddate", "-ext", "subjectAltName", "-dateopt", "iso_8601"],
                           input=der, capture_output=True, timeout=20)
    lines = dict(line.split("=", 1) for line in shown.stdout.decode().splitlines() if "=" in line)
    names = re.findall(r"DNS:([^,\s]+)", shown.stdout.decode())
    return {"subject": lines["subject"].strip(), "issuer": lines["issuer"].strip(), "names": [name.lower() for name in names],
            "begins": lines["notBefore"], "ends": lines["notAfter"].replace(" ", "T")}


def public(lab, inventory):
    """The youngest certificate of a CA that covers the organisation's name and is in a store with its key."""
    found = set()
    for server in inventory["servers"]:
        for entry in server["my"]["items"]:
            own = certificate(inventory, entry["thumbprint"])
            fit = lab.told["namespace"].lower() in own["names"] and own["subject"] != own["issuer"] and own["ends"] > NOW
            if fit and entry["has_private_key"]["value"]:
                found.add((own["begins"], entry["thumbprint"]))
    return max(found)[1]


def goals_of(story, lab, inventory=None):
    """The story's goals, with the thumbprint a person would name."""
    if not any("PUBLIC" in goal for goal in story["goals"]):
        return story["goals"]
    thumbprint = public(lab, inventory or lab.inventory())
    return [goal.replace("PUBLIC", thumbprint) for goal in story["goals"]]


def alarms(findings):
    """What is wrong, by name and place."""
    return {
        (one["name"], one["server"], one["slot"]) for one in findings if one["severity"] in ("warning", "error", "critical")
    }


def of_story(program, folder, story):
    name = story["name"]
    with Story(program, folder / name, story["story"]) as lab:
        inventory = lab.inventory()
        if inventory is None:
            return
        before = lab.findings(inventory)
        if story["finding"]:
            hold(story["finding"] in {one["name"] for one in before}, f"{name}: expected {story['finding']}, found {sorted({one['name'] for one in before})}")
        if story.get("severity"):
            severe = {one["severity"] for one in before if one["name"] == story["finding"]}
            hold(severe == {story["severity"]}, f"{name}: expected {story['finding']} to be of severity {story['severity']}, found {severe}")
        for never in story.get("never-found", []):
            hold(never not in {one["name"] for one in before}, f"{name}: {never} must never be found here")
        if story.get("asked"):
            answered(lab, story, inventory, before)
            return
        if story.get("rescue"):
            rescued(lab, story, before)
            return
        goals = goals_of(story, lab, inventory)
        path = lab.folder / "plan.json"
        plan = planned(lab, goals, path)
        if plan is None:
            return
        commands = " ".join(step["command"] for step in plan["steps"])
        for never in story.get("never-planned", []):
            hold(never.lower() not in commands.lower(), f"{name}: {never} must never be planned, found {commands}")
        if story.get("ends-in-words"):
            hold(plan["steps"] == [], f"{name}: expected words, found steps {commands}")
            hold(any(wait["kind"] == story["ends-in-words"] for wait in plan["waits"]), f"{name}: expected {story['ends-in-words']}, found {plan['waits']}")
            return
        if not plan["steps"]:
            hold(not story["renewed"] and story["finding"] not in MUST, f"{name}: nothing is planned: {plan['waits']}")
            return
        if goals != story["goals"]:
            # Asked for whatever can be mended it comes to the certificate that a person named.
            fixed = exseal(lab, "plan", "fix", "--live", "--now", NOW, "-o", str(lab.folder / "fix"))
            hold(fixed.returncode == 0, f"{name}: plan fix ended with {fixed.returncode}: {fixed.stderr[-500:]}")
            named = {goal.get("certificate") for one in (lab.folder / "fix").glob("*.json") for goal in json.loads(one.read_text())["goals"]}
            hold(public(lab, inventory) in named, f"{name}: plan fix came to {named}")
        rehearsed = run(lab.exseal, "rehearse", str(path), timeout=200)
        hold(rehearsed.returncode == 0, f"{name}: rehearse ended with {rehearsed.returncode}: {flat(rehearsed.stdout + rehearsed.stderr)[-500:]}")
        for fault in story.get("faults", []):
            lab.do("fault", *fault)
        carried_out(lab, story, goals, path, plan, before)


def answered(lab, story, inventory, before):
    """A question that ends in words: what each command says of it, what none may say, and that nothing was changed by asking."""
    name = story["name"]
    was = state(lab)
    seen = lab.folder / "seen.json"
    seen.write_text(json.dumps(inventory))
    places = {"SEEN": str(seen), "PLAN": str(lab.folder / "plan.json"), "NOW": NOW}
    said = ""
    for asked in story["asked"]:
        words = [places.get(word, word) for word in asked.split()]
        done = run(lab.exseal, *words, timeout=120)
        hold(done.returncode in (0, 3), f"{name}: {asked} ended with {done.returncode}: {flat(done.stderr)[-500:]}")
        said += flat(done.stdout).replace("- ", "-") + "\n"
    for word in story["says"]:
        hold(word in said, f"{name}: expected {word!r}, found {said[:1500]}")
    for word in story.get("never-says", []):
        hold(word.lower() not in said.lower(), f"{name}: {word!r} must never be said, found {said[:1500]}")
    if story.get("as-found-in"):
        # The twin, which differs in language alone, is found to be the same.
        with Story(lab.exseal, lab.folder / "twin", story["as-found-in"]) as twin:
            other = twin.findings(twin.inventory())
        mine, its = ({(one["name"], one["severity"], one["server"], one["slot"]) for one in each} for each in (before, other))
        hold(mine == its and mine, f"{name}: found {sorted(map(str, mine ^ its))} in one language alone")
    differs(name, state(lab), was)


def rescued(lab, story, before):
    """One command and one yes: what was dead answers foreign clients again, the rest stays, what remains is named; run again it has
    nothing to do; and the way back ends. What is left by it the sweep compares."""
    name = story["name"]
    watched = places(lab)
    judged = [place for place in watched if place[2] in (443, 444, LOOPBACK)]
    shown = {place: leaf(place[1], place[3]) for place in judged}
    was_dead = [dead for dead in before if dead["name"] in story["finding"].split()]
    hold(was_dead, f"{name}: expected {story['finding']}, found {sorted({one['name'] for one in before})}")
    fronts = [place for place in watched if place[2] == 443]
    # Where the sweep leaves it out its steps are those of a goal that is swept.
    same = planned(lab, ["services start"], lab.folder / "same.json") if story.get("swept-as") else None
    jar = lab.folder / "cookies"
    for place in fronts if 444 in story["renewed"] else []:
        hold(not reaches_mailbox(place[1], place[3], jar), f"{name}: OWA of {place[0]} reaches a dead back end")
    watcher = Watcher(watched)
    watcher.start()
    done, plan, path = rescue(lab, lab.folder / "rescue")
    wrong = watcher.end(plan) if plan else ["no plan"]
    if same:
        steps, others = ([step["command"] for step in one["steps"]] for one in (plan, same))
        hold(steps == others, f"{name}: expected the steps of {story['swept-as']}, found {steps} instead of {others}")
    hold(not wrong, f"{name}: handshakes failed outside of what was announced: {wrong}")
    hold(done.returncode == (0 if story.get("mailbox", True) else 3), f"{name}: rescue ended with {done.returncode}: {flat(done.stderr)[-700:]}")
    for word in story.get("says", []):
        hold(word in flat(done.stdout + done.stderr), f"{name}: expected {word!r}, found {flat(done.stdout + done.stderr)[-1500:]}")
    for place in judged:
        after = leaf(place[1], place[3])
        if place[2] in story["never-moves"]:
            hold(after == shown[place], f"{name}: {place[0]}:{place[2]} presented {shown[place]} and presents {after}")
        if place[2] in story["renewed"]:
            hold(after is not None, f"{name}: {place[0]}:{place[2]} presents nothing")
    for place in fronts:
        wanted = story.get("mailbox", True)
        hold(reaches_mailbox(place[1], place[3], jar) == wanted, f"{name}: a person {'does not come' if wanted else 'comes'} to the mailbox by OWA of {place[0]}")
    opened = exseal(lab, "session", "check", "--server", lab.told["servers"][0]["fqdn"], "--channel", "exchange")
    hold(opened.returncode == 0, f"{name}: the shell is still dead: {flat(opened.stdout + opened.stderr)[-400:]}")
    again, _, _ = rescue(lab, lab.folder / "again")
    hold(again.returncode in (0, 3) and not list((lab.folder / "again").glob("*.journal")), f"{name}: rescue found something to do again: {flat(again.stdout)[-400:]}")
    back = exseal(lab, "rollback", str(next(path.parent.glob("*.journal"))), "--yes")
    hold(back.returncode == 0, f"{name}: rollback ended with {back.returncode}: {flat(back.stderr)[-600:]}")


def carried_out(lab, story, goals, path, plan, before):
    name = story["name"]
    was = state(lab)
    watched = places(lab)
    moved = [443, LOOPBACK] if 443 in story["never-moves"] else []
    never_moves = [*story["never-moves"], *moved]
    judged = [place for place in watched if place[2] in (443, 444, LOOPBACK)]
    shown = {place: leaf(place[1], place[3]) for place in judged}
    watcher = Watcher(watched)
    watcher.start()
    applied = exseal(lab, "apply", str(path), "--yes", *treated(lab, story))
    journal = next(lab.folder.glob("*.journal"), None)
    tries = 0
    while applied.returncode != 0 and journal and tries < 3:
        # What a story breaks on the way ends in words that say how to go on.
        hold("--resume" in flat(applied.stderr), f"{name}: stopped without saying how to go on: {applied.stderr[-500:]}")
        applied = exseal(lab, "apply", "--resume", str(journal), "--yes")
        tries += 1
    wrong = watcher.end(plan)
    hold(not wrong, f"{name}: handshakes failed outside of what was announced: {wrong}")
    if story.get("policy"):
        hold('"maintenance-over"' in journal.read_text(), f"{name}: nothing was in maintenance")
    if story.get("faults"):
        hold('"step-failed"' in journal.read_text(), f"{name}: no fault was met")
    hold(applied.returncode == 0, f"{name}: apply ended with {applied.returncode}: {applied.stderr[-700:]}")
    if applied.returncode != 0:
        return
    verified = exseal(lab, "verify", str(journal))
    hold(verified.returncode == 0, f"{name}: verify ended with {verified.returncode}: {verified.stdout[-600:]}")
    touched = {step["change"]["server"].lower() for step in plan["steps"]}
    binds = any("HttpSys" in step["command"] for step in plan["steps"])
    for place in judged:
        after = leaf(place[1], place[3])
        if place[2] in never_moves:
            hold(after == shown[place], f"{name}: {place[0]}:{place[2]} presented {shown[place]} and presents {after}")
        elif place[0].lower() in touched and binds:
            hold(after is not None, f"{name}: {place[0]}:{place[2]} presents nothing")
    for place in judged:
        if story.get("signed") and place[2] in story["renewed"]:
            signed = signature(place[1], place[3])
            hold(signed == story["signed"], f"{name}: {place[0]}:{place[2]} is expected to be signed by {story['signed']}, found {signed}")
    left = lab.findings(lab.inventory())
    # The old certificate stays until `cleanup`: told, but of no slot.
    new = {one for one in alarms(left) - alarms(before) if one[2] or one[0] != story["finding"]}
    hold({one[0] for one in new} <= LATER | set(story.get("remains", [])), f"{name}: new findings {sorted(map(str, new))}")
    severe = {one[0] for one in alarms(left) if one[2] or not story.get("slotted", True)}
    hold(story["finding"] not in severe, f"{name}: {story['finding']} is still found")
    again = planned(lab, goals, lab.folder / "again.json")
    hold(again is not None and again["steps"] == [], f"{name}: the plan of what was left is not empty: {[step['command'] for step in (again or {}).get('steps', [])]}")
    refused = exseal(lab, "apply", str(path), "--yes")
    hold(refused.returncode == 1 and "begun already" in refused.stderr, f"{name}: applied twice: {refused.returncode} {refused.stderr[-300:]}")
    back = exseal(lab, "rollback", str(journal), "--yes")
    hold(back.returncode == 0, f"{name}: rollback ended with {back.returncode}: {back.stderr[-600:]}")
    # What never worked, and what the plan says of it that it stays, stays repaired.
    stays = {step["change"]["endpoint"].replace("*:", "") for step in plan["steps"] if step["change"]["change"] == "bind-certificate" and "nothing" in step["inverse"]}
    for place in judged:
        if str(place[2]) in stays:
            continue
        again = leaf(place[1], place[3])
        hold(shown[place] is None or again == shown[place], f"{name}: {place[0]}:{place[2]} presented {shown[place]} and after the rollback {again}")
    if story.get("taken-back"):
        differs(name, state(lab), was)


def main():
    asked = argparse.ArgumentParser()
    asked.add_argument("program")
    asked.add_argument("data", type=Path)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--sweep", default="some", help="none, some, all, or how many points of each kind in each story")
    asked.add_argument("--only-sweep", action="store_true", help="nothing but the sweep, told as it goes")
    asked.add_argument("--jobs", type=int, default=4, help="so many at once")
    asked.add_argument("stories", nargs="*")
    asked = asked.parse_intermixed_args()
    begun = time.monotonic()
    stories = [{"name": path.stem, **tomllib.loads(path.read_text())} for path in sorted(asked.data.glob("*.toml"))]
    stories = [story for story in stories if not asked.stories or story["name"] in asked.stories]
    unknown = set(asked.stories) - {story["name"] for story in stories} - {"manners"}
    if unknown:
        sys.exit(f"expected stories of {asked.data}, found {', '.join(sorted(unknown))}")
    told = lambda words: print(words, flush=True)  # noqa: E731
    # A story's points are shared among labs: the longest story is not waited for in the end.
    parts = PARTS if asked.only_sweep else 1
    with ThreadPoolExecutor(asked.jobs) as pool:
        work = {}
        if not asked.only_sweep:
            work = {pool.submit(of_story, asked.program, asked.folder, story): story["name"] for story in stories}
        breakable = []
        for story in stories:
            if asked.sweep != "none" and not any(story.get(key) for key in ("asked", "ends-in-words", "faults", "swept-as")):
                breakable.append(story)
                goals = lambda lab, story=story: goals_of(story, lab) if "goals" in story else None  # noqa: E731
                for at in range(parts):
                    tried = pool.submit(swept, asked.program, asked.folder, story, goals, asked.sweep, (at, parts), told if asked.only_sweep else lambda _: None)
                    work[tried] = f"sweep of {story['name']}"
        if not asked.only_sweep and (not asked.stories or "manners" in asked.stories):
            for one in manners.ALL:
                work[pool.submit(one, asked.program, asked.folder)] = one.__name__
        for one, name in work.items():
            try:
                one.result()
            except Exception as error:  # noqa: BLE001 - the others are still judged
                failures.append(f"{name}: {type(error).__name__}: {error}")
    tried = sum(counts[kind] for kind in POINTS)
    if breakable and not tried:
        failures.append("no point of the sweep was reached")
    if failures:
        print("\n".join(failures))
    straight = "" if asked.only_sweep else (f"{len(stories)} stories from finding to proof, {counts['handshakes']} handshakes of every slot meanwhile, "
                                            f"{counts['failed as announced']} failed as announced and none else; ")
    kinds = ", ".join(f"{counts[kind]} {kind}" for kind in (*POINTS, "not reached"))
    print(f"{straight}{tried} points tried ({kinds}), {counts['resumed']} runs resumed, {counts['taken back']} taken back; "
          f"{time.monotonic() - begun:.0f} s")
    sys.exit(1 if failures else 0)


main()
