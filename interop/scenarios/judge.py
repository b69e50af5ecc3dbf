"""Stories from the finding to the proof: an organisation of the lab is broken, exseal finds it, plans, applies, verifies and takes back,
and openssl says what clients see meanwhile.

judge.py EXSEAL SCENARIOS FOLDER [STORY…]: the program; the stories as data; a folder to work in. Exits with 1 and the list of what differs.
"""

import base64
import json
import re
import shutil
import signal
import ssl
import socket
import subprocess
import sys
import threading
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lab_live"))
from running import NOW, PASSWORD, Story, failures, hold, run  # noqa: E402

# Events are older than the repair and stay where they are.
LATER = {"transport-reports-certificate-fault"}
# Behind this line of the journal a second operator comes.
SECOND = 7
counts = {"handshakes": 0, "kills": 0}
counting = threading.Lock()


def leaf(address, port):
    """The SHA-1 of the leaf that openssl is shown; None: no handshake."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"{address}:{port}", "-servername", "mail.contoso.lab"],
                          input="", capture_output=True, text=True, timeout=20)
    if "BEGIN CERTIFICATE" not in done.stdout:
        return None
    shown = subprocess.run(["openssl", "x509", "-noout", "-fingerprint", "-sha1"], input=done.stdout, capture_output=True, text=True, timeout=20)
    return shown.stdout.strip().split("=")[-1].replace(":", "") or None


class Watcher(threading.Thread):
    """Shakes hands with ports all the time, by OpenSSL, and keeps every failure."""

    def __init__(self, places):
        super().__init__(daemon=True)
        self.places, self.over, self.failed, self.count = places, threading.Event(), [], 0
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE

    def run(self):
        while not self.over.is_set():
            for server, address, port, at in self.places:
                try:
                    with socket.create_connection((address, at), 5) as plain, self.context.wrap_socket(plain, server_hostname=server):
                        self.count += 1
                except OSError as error:
                    self.failed.append((server, port, str(error)))

    def end(self):
        self.over.set()
        self.join(30)
        with counting:
            counts["handshakes"] += self.count


def places(lab, ports):
    return [
        (server["fqdn"], server["address"], port["port"], port["at"])
        for server in lab.told["servers"] for port in server["ports"] if port["port"] in ports
    ]


def state(lab):
    """What a run may change, without clocks, logs and what only names the moment."""
    dump = lab.do("dump")
    dump = dump.get("state", dump)
    kept = {}
    for name, server in dump["servers"].items():
        kept[name] = {what: server[what] for what in ("httpSys", "stores", "services", "webSites", "components")}
    # Enabling for SMTP writes the certificate beside the server, for direct trust (facts/exchange.md 2.1); no cmdlet takes it away.
    kept["directory"] = [
        {key: value for key, value in site["directory"].items() if not key.startswith("direct-trust/")} for site in dump["sites"]
    ]
    return json.loads(json.dumps(kept))


def exseal(lab, *arguments, text=PASSWORD, timeout=120):
    return run(lab.exseal, *arguments, "--connect", str(lab.connect), "--password-stdin", text=text, timeout=timeout)


def planned(lab, goals, path):
    made = run(lab.exseal, "plan", *goals, "--live", "--connect", str(lab.connect), "--password-stdin", "--now", NOW, "-o", str(path), "--json", text=PASSWORD)
    hold(made.returncode == 0, f"{lab.name}: plan ended with {made.returncode}: {made.stderr[-500:]}")
    return json.loads(made.stdout) if made.returncode == 0 else None


def certificate(inventory, thumbprint):
    """Subject, names and dates as openssl reads them."""
    der = base64.b64decode(inventory["certificates"][thumbprint]["der"])
    shown = subprocess.run(["openssl", "x509", "-inform", "der", "-noout", "-subject", "-issuer", "-startdate", "-enddate", "-ext", "subjectAltName", "-dateopt", "iso_8601"],
                           input=der, capture_output=True, timeout=20)
    lines = dict(line.split("=", 1) for line in shown.stdout.decode().splitlines() if "=" in line)
    names = re.findall(r"DNS:([^,\s]+)", shown.stdout.decode())
    return {"subject": lines["subject"].strip(), "issuer": lines["issuer"].strip(), "names": [name.lower() for name in names],
            "begins": lines["notBefore"], "ends": lines["notAfter"].replace(" ", "T")}


def public(lab):
    """The youngest certificate of a CA that covers the organisation's name and is in a store with its key."""
    inventory = lab.inventory()
    found = set()
    for server in inventory["servers"]:
        for entry in server["my"]["items"]:
            own = certificate(inventory, entry["thumbprint"])
            fit = lab.told["namespace"].lower() in own["names"] and own["subject"] != own["issuer"] and own["ends"] > NOW
            if fit and entry["has_private_key"]["value"]:
                found.add((own["begins"], entry["thumbprint"]))
    return max(found)[1]


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
        goals = [goal.replace("PUBLIC", public(lab)) if "PUBLIC" in goal else goal for goal in story["goals"]]
        path = lab.folder / "plan.json"
        plan = planned(lab, goals, path)
        if plan is None:
            return
        if story.get("ends-in-words"):
            hold(plan["steps"] == [], f"{name}: expected words, found steps {[step['command'] for step in plan['steps']]}")
            hold(any(wait["kind"] == story["ends-in-words"] for wait in plan["waits"]), f"{name}: expected {story['ends-in-words']}, found {plan['waits']}")
            return
        if not plan["steps"]:
            hold(not story["renewed"] and story["finding"] not in {"certificate-expired", "internal-transport-missing", "exchange-service-down", "services-disabled-by-setup"},
                 f"{name}: nothing is planned: {plan['waits']}")
            return
        for fault in story.get("faults", []):
            lab.do("fault", *fault)
        was = state(lab)
        watched = places(lab, [*story["never-moves"], *story["renewed"]])
        shown = {place: leaf(place[1], place[3]) for place in watched}
        watcher = Watcher([place for place in watched if shown[place]])
        watcher.start()
        applied = exseal(lab, "apply", str(path), "--yes")
        journal = next(lab.folder.glob("*.journal"), None)
        tries = 0
        while applied.returncode != 0 and journal and tries < 3:
            # What a story breaks on the way ends in words that say how to go on.
            hold("--resume" in applied.stderr.replace("\n", " "), f"{name}: stopped without saying how to go on: {applied.stderr[-500:]}")
            applied = exseal(lab, "apply", "--resume", str(journal), "--yes")
            tries += 1
        watcher.end()
        if story.get("faults"):
            hold('"step-failed"' in journal.read_text(), f"{name}: no fault was met")
        hold(applied.returncode == 0, f"{name}: apply ended with {applied.returncode}: {applied.stderr[-700:]}")
        if applied.returncode != 0:
            return
        hold(not watcher.failed, f"{name}: handshakes failed outside of what was announced: {watcher.failed[:5]}")
        verified = exseal(lab, "verify", str(journal))
        hold(verified.returncode == 0, f"{name}: verify ended with {verified.returncode}: {verified.stdout[-600:]}")
        touched = {step["change"]["server"].lower() for step in plan["steps"]}
        for place in watched:
            after = leaf(place[1], place[3])
            if place[2] in story["never-moves"]:
                hold(after == shown[place], f"{name}: {place[0]}:{place[2]} presented {shown[place]} and presents {after}")
            elif place[0].lower() in touched and any("http" in step["command"].lower() or "HttpSys" in step["command"] for step in plan["steps"]):
                hold(after is not None, f"{name}: {place[0]}:{place[2]} presents nothing")
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
        if story.get("taken-back"):
            differs(name, was, state(lab))


def differs(name, was, now, place=""):
    if was == now:
        return
    if isinstance(was, dict) and isinstance(now, dict) and was.keys() == now.keys():
        for key in was:
            differs(name, was[key], now[key], f"{place}/{key}")
    else:
        hold(False, f"{name}: {place} was {json.dumps(was)[:300]} and is {json.dumps(now)[:300]}")


def killed(program, folder, number, back):
    """The program dies behind the journal's line of this number; then the run is resumed, or taken back. False: it has fewer lines."""
    with Story(program, folder / f"{number}-{back}", "back-end-expires") as lab:
        path = lab.folder / "plan.json"
        plan = planned(lab, ["back-end renew"], path)
        was = state(lab)
        child = subprocess.Popen([program, "apply", str(path), "--yes", "--connect", str(lab.connect), "--password-stdin"],
                                 stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
        child.stdin.write(PASSWORD)
        child.stdin.close()
        died = False
        while child.poll() is None:
            journal = next(lab.folder.glob("*.journal"), None)
            if journal and journal.read_bytes().count(b"\n") >= number:
                child.send_signal(signal.SIGKILL)
                died = True
                break
            time.sleep(0.0005)
        child.wait(30)
        if not died:
            return False
        with counting:
            counts["kills"] += 1
        journal = next(lab.folder.glob("*.journal"))
        place = f"killed behind line {number}, {'taken back' if back else 'resumed'}"
        over = json.loads(run(program, "journal", "show", str(journal), "--json").stdout)[-1]["entry"] == "ended"
        if number == SECOND:
            # Another person, with the same plan elsewhere, while the server is still locked by the run that died.
            elsewhere = lab.folder / "elsewhere"
            elsewhere.mkdir()
            shutil.copy(path, elsewhere)
            second = exseal(lab, "apply", str(elsewhere / "plan.json"), "--yes")
            hold(second.returncode == 1 and "is locked" in " ".join(second.stderr.replace("│", " ").split()), f"{place}: a second operator was let in: {second.stderr[-400:]}")
            hold(state(lab) != was or number < 3, f"{place}: nothing was begun")
        if back:
            done = exseal(lab, "rollback", str(journal), "--yes")
            hold(done.returncode == 0, f"{place}: rollback ended with {done.returncode}: {done.stderr[-500:]}")
            differs(place, was, state(lab))
        elif not over:
            done = exseal(lab, "apply", "--resume", str(journal), "--yes")
            hold(done.returncode == 0, f"{place}: resume ended with {done.returncode}: {done.stderr[-500:]}")
        if not back:
            verified = exseal(lab, "verify", str(journal))
            hold(verified.returncode == 0, f"{place}: {verified.stdout[-500:]}")
            made = [line for line in journal.read_text().splitlines() if '"made"' in line[:20]]
            hold(len(made) == 1, f"{place}: {len(made)} certificates were made")
            inventory = lab.inventory()
            own = [entry for entry in inventory["servers"][0]["my"]["items"] if certificate(inventory, entry["thumbprint"])["subject"].replace(" ", "") == "CN=EX1"]
            hold(len(own) == 2, f"{place}: expected the old and the new certificate, found {len(own)}")
            left = planned(lab, ["back-end renew"], lab.folder / "again.json")
            hold(left["steps"] == [], f"{place}: the plan of what was left is not empty")
        return True


def main():
    program, data, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    stories = [{"name": path.stem, **tomllib.loads(path.read_text())} for path in sorted(data.glob("*.toml"))]
    wanted = sys.argv[4:]
    if wanted:
        stories = [story for story in stories if story["name"] in wanted]
    with ThreadPoolExecutor(2) as pool:
        work = {pool.submit(of_story, program, folder, story): story["name"] for story in stories}
        if not wanted:
            # The journal of that plan has some thirty lines.
            for number in range(1, 32):
                work[pool.submit(killed, program, folder / "killed", number, number % 2 == 0)] = f"kill {number}"
        for one, name in work.items():
            try:
                one.result()
            except Exception as error:  # noqa: BLE001 - the others are still judged
                failures.append(f"{name}: {type(error).__name__}: {error}")
    if failures:
        print("\n".join(failures))
        sys.exit(1)
    hold_kills = counts["kills"] if not wanted else 1
    if hold_kills < 1:
        print("the program was never killed")
        sys.exit(1)
    print(f"{len(stories)} stories from finding to proof, {counts['handshakes']} handshakes meanwhile, none failed; killed and gone on {counts['kills']} times")


main()
