"""What every judgement over a story needs: exseal over a running lab, its state, and where two states differ."""

import json
import re
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lab_live"))
from running import NOW, PASSWORD, failures, hold, run  # noqa: E402

counting = threading.Lock()
# The points of the sweep by kind, and what came of them.
POINTS = ("killed at lines", "killed at requests", "drops", "loses-reply", "throws", "times-out")
counts = dict.fromkeys(("handshakes", "failed as announced", *POINTS, "not reached", "resumed", "taken back"), 0)


def count(what, number=1):
    with counting:
        counts[what] += number


def flat(text):
    """Words as one line, without the frame of a message."""
    return " ".join(text.replace("│", " ").split())


def exseal(lab, *arguments, text=PASSWORD, timeout=300, before=()):
    return run(*before, lab.exseal, *arguments, "--connect", str(lab.connect), "--password-stdin", text=text, timeout=timeout)


def planned(lab, goals, path):
    made = exseal(lab, "plan", *goals, "--live", "--now", NOW, "-o", str(path), "--json")
    hold(made.returncode == 0, f"{lab.name}: plan ended with {made.returncode}: {made.stderr[-500:]}")
    return json.loads(made.stdout) if made.returncode == 0 else None


def rescue(lab, folder):
    """The outage ended by one command: how it ended, and its plan where there was something to do, with its file."""
    folder.mkdir(exist_ok=True)
    done = exseal(lab, "rescue", "--live", "--now", NOW, "--yes", "--journal", str(folder))
    path = next(folder.glob("exseal-rescue-*.json"), None)
    return done, json.loads(path.read_text()) if path else None, path


def treated(lab, story):
    """How apply is told to treat servers, where the story says so."""
    if "policy" not in story:
        return ()
    path = lab.folder / "policy.toml"
    path.write_text(story["policy"])
    return ("--policy", str(path))


def state(lab):
    """What a run may change, without clocks, logs and what only names the moment."""
    dump = lab.do("dump")
    dump = dump.get("state", dump)
    kept = {}
    for name, server in dump["servers"].items():
        kept[name] = {what: server[what] for what in ("httpSys", "stores", "services", "webSites", "components", "activationPolicy", "activationDisabled")}
    # Enabling for SMTP writes the certificate beside the server, for direct trust (facts/exchange.md 2.1); no cmdlet takes it away.
    kept["directory"] = {
        site["name"]: {key: value for key, value in site["directory"].items() if not key.startswith("direct-trust/")} for site in dump["sites"]
    }
    return kept


def locks(lab):
    dump = lab.do("dump")
    return [name for name, server in dump.get("state", dump)["servers"].items() if server["lock"]]


def like(was, now):
    """A state with certificates named by what they are instead of by a thumbprint that is another one in every lab; those that came
    since are NEW. So two runs can be compared, also over two labs."""
    names = {}
    for server, own in was.items():
        for certificate in (one for store in own.get("stores", {}).values() for one in store):
            names.setdefault(certificate["thumbprint"], " ".join((certificate["subject"], certificate["issuer"], certificate["notBefore"], certificate["notAfter"])))
    gone = set(re.findall(r"\b[0-9A-F]{40}\b", json.dumps(was))) - set(names)
    text = re.sub(r"\b[0-9A-F]{40}\b", lambda found: names.get(found[0], "GONE" if found[0] in gone else "NEW").replace('"', "'").replace("\\", ""), json.dumps(now))
    state = json.loads(re.sub(r'"serial": "[^"]*"', '"serial": ""', text))
    for own in state.values():
        for name, store in own.get("stores", {}).items():
            own["stores"][name] = {f"{at} {one['thumbprint']}": one for at, one in enumerate(sorted(store, key=lambda one: json.dumps(one, sort_keys=True)))}
    return state


def leaves(value, place=""):
    if isinstance(value, dict) and value:
        for key, own in value.items():
            yield from leaves(own, f"{place}/{key}")
    else:
        yield place, json.dumps(value, sort_keys=True)


def differs(name, now, *allowed, but=()):
    """Holds every value of a state to be that of one of the states that are allowed, but for places that end so."""
    allowed = [dict(leaves(own)) for own in allowed]
    now = dict(leaves(now))
    for place in sorted(set(now).union(*allowed)):
        if place.endswith(tuple(but)):
            continue
        values = [own.get(place) for own in allowed]
        hold(now.get(place) in values, f"{name}: {place} should be {' or '.join(str(value)[:300] for value in values)} and is {str(now.get(place))[:300]}")
