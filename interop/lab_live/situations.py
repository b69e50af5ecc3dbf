"""What may come between exseal and an organisation while it looks: by name, each a function of program and folder."""

import json
import re
import time
from pathlib import Path

from running import Story, hold, ways

PRESETS = Path(__file__).resolve().parents[2] / "crates" / "exseal-lab" / "presets"
SERIOUS = ("critical", "error", "warning")
# The lab has no copy of a vendor's root.
HEALTHY_ALL_THE_SAME = {"root-for-exchange-online-missing"}


def text_of(name):
    """The organisation file of a preset, without its story: the lab takes it as somebody's own."""
    text = next(PRESETS.rglob(f"{name}.toml")).read_text()
    return re.sub(r"^\[story\]\n(?:[^\[\n].*\n| .*\n|\]\n)*", "", text, flags=re.M)


def complete(lab, inventory, servers=None):
    """Stores, http.sys, services and the wire are all there: what the lab has is what was seen."""
    state = lab.do("dump")["servers"]
    names = {server["name"].partition(".")[0].upper(): server for server in inventory["servers"]}
    for name, own in state.items():
        if servers is not None and name not in servers:
            continue
        seen = names[name]
        for store, key in (("My", "my"), ("Root", "root"), ("CA", "ca")):
            wanted = {one["thumbprint"] for one in own["stores"].get(store, [])}
            found = {one["thumbprint"] for one in seen[key]["items"]}
            hold(wanted == found, f"{lab.name}: {name}, {store}: expected {len(wanted)}, found {len(found)}, {sorted(wanted ^ found)}")
        for what, wanted in (("http_sys", own["httpSys"]), ("services", own["services"]), ("app_pools", own.get("appPools", {}))):
            found = seen[what]["items"]
            hold(len(found) >= min(len(wanted), 1), f"{lab.name}: {name}: {what}: none of {len(wanted)}")
        hosts = {one["host"].lower() for one in inventory["organisation"]["presented"]["items"]}
        hold(seen["fqdn"]["value"].lower() in hosts, f"{lab.name}: nothing presented by {name} among {sorted(hosts)}")


def from_directory(lab, inventory):
    """What cmdlets would have told of the organisation and of each server's connectors comes from the directory."""
    own = [way for way in inventory["organisation"].get("ways_in", {"items": []})["items"] if way["channel"] == "directory"]
    hold(own and all(way["open"]["value"] for way in own), f"{lab.name}: the directory is shut: {own}")
    for server in inventory["servers"]:
        found = server["receive_connectors"]["items"]
        hold(len(found) == 5, f"{lab.name}: {server['name']}: expected 5 receive connectors, found {len(found)}")
        hold(server["internal_transport"].get("value"), f"{lab.name}: {server['name']}: no internal transport certificate is known")
    hold(inventory["organisation"]["auth_config"]["current"].get("value"), f"{lab.name}: no Auth certificate is known")


def slow_server(exseal, folder):
    """A slow one keeps nobody from being seen, is seen itself, and beyond the deadline says so."""
    with Story(exseal, folder / "slow", "healthy-dag") as lab:
        lab.do("fault", "slow=1", "--server", "EX2", "--times", "always")
        inventory = lab.inventory()
        hold(all(is_open for is_open, _ in ways(inventory).values()), f"one is slow: {ways(inventory)}")
        complete(lab, inventory)
        lab.do("fault", "slow=60", "--server", "EX3", "--times", "always")
        begun = time.monotonic()
        inventory = lab.inventory("--deadline", "12")
        took = time.monotonic() - begun
        hold(took < 30, f"one is too slow: expected an end soon after 12 s, found {took:.0f} s")
        complete(lab, inventory, ["EX1", "EX2"])
        shut = {key: why for key, (is_open, why) in ways(inventory).items() if not is_open or why}
        hold(any(server.startswith("EX3") for server, _ in shut) and not any(server.startswith("EX1") for server, _ in shut),
             f"one is too slow, and what is said is {shut}")


def one_server_down(exseal, folder):
    """Of a server that is down everything is unknown and nothing is missing; the others are whole."""
    with Story(exseal, folder / "down", "healthy-dag") as lab:
        lab.do("fault", "unreachable", "--server", "EX2")
        inventory = lab.inventory()
        for (server, channel), (is_open, why) in ways(inventory).items():
            hold(is_open != server.startswith("EX2"), f"EX2 is down, and {channel} of {server} is {is_open}")
            hold(is_open or why, f"EX2 is down: {channel} does not say why")
        complete(lab, inventory, ["EX1", "EX3"])
        found = {(one["name"], one.get("server")) for one in lab.findings(inventory) if one["severity"] in SERIOUS}
        hold({name for name, _ in found} <= HEALTHY_ALL_THE_SAME, f"EX2 is down, and that is shown as {sorted(found)}")


def wrong_password(exseal, folder):
    """The directory refuses it: nobody else is asked. Without the directory one server says that it refused, and of several no third
    one is asked, so that the account is not locked."""
    by_server = ("--channel", "exchange", "--channel", "server")
    with Story(exseal, folder / "wrong", "healthy") as lab:
        seen = lab.discover(password="wrong\n")
        hold(seen.returncode == 1 and "wrong" in seen.stderr and "locked" in seen.stderr,
             f"a wrong password for the directory: {seen.returncode}, {seen.stderr[-300:]}")
        seen = lab.discover(*by_server, password="wrong\n")
        shut = ways(json.loads(seen.stdout)) if seen.returncode == 0 else {}
        fine = all(why and "refused" in why for _, why in shut.values()) if shut else "refused" in seen.stderr
        hold(fine, f"a wrong password, one server: {seen.returncode}, {shut}, {seen.stderr[-300:]}")
    with Story(exseal, folder / "wrong", "healthy-dag") as lab:
        seen = lab.discover(*by_server, password="wrong\n")
        hold(seen.returncode == 1 and "locked" in seen.stderr, f"a wrong password, three servers: {seen.returncode}, {seen.stderr[-300:]}")


def half_empty_objects(exseal, folder):
    """The Auth certificate has ended, so objects come without what rebuilds them: nothing is lost by that."""
    with Story(exseal, folder / "half", "auth-expired") as lab:
        inventory = lab.inventory()
        hold(all(is_open for is_open, _ in ways(inventory).values()), f"half-empty objects: {ways(inventory)}")
        complete(lab, inventory)
        findings = lab.findings(inventory)
        found = {one["name"] for one in findings if one["severity"] in SERIOUS}
        hold({"auth-current-expired", "payload-signing-broken"} & found, f"half-empty objects: {sorted(found)}")
        hold(found <= HEALTHY_ALL_THE_SAME | {"auth-current-expired", "payload-signing-broken", "next-update-would-fail",
                                              "certificate-expired", "auth-next-missing"}, f"half-empty objects: {sorted(found)}")


def german(exseal, folder):
    """The same organisation in German and in English gives the same findings: kinds, servers, slots, severities."""

    def found(name, language):
        text = f'language = "{language}"\n' + re.sub(r"^language = .*\n", "", text_of(name), flags=re.M)
        with Story(exseal, folder / language, name, text) as lab:
            # Events are texts, too.
            lab.do("advance", "25h")
            findings = lab.findings(lab.inventory())
            return sorted((one["name"], one["severity"], str(one.get("server")), str(one.get("slot")), len(one.get("also", []))) for one in findings)

    for name in ("german-server", "back-end-deleted", "auth-missing-on-one", "connector-name-outdated", "services-down", "edge-expired"):
        english, own = found(name, "en"), found(name, "de")
        hold(english, f"{name}: nothing was found, so nothing was compared")
        hold(english == own, f"{name}: German and English differ: {sorted(set(english) ^ set(own))}")


def shell_dead_everywhere(exseal, folder):
    """444 is dead on all servers: what the others tell is still whole."""
    text = text_of("healthy-dag") + "".join(f'\n[[server]]\nname = "EX{n}"\nback_end = "none"\n' for n in (4, 5))
    text = re.sub(r'(name = "EX[123]"\n)', r'\1back_end = "none"\n', text)
    with Story(exseal, folder, "dead", text) as lab:
        inventory = lab.inventory()
        shut = {(server, why) for (server, channel), (is_open, why) in ways(inventory).items() if channel == "exchange" and not is_open}
        hold(len(shut) == 5 and all(why for _, why in shut), f"the shell is dead everywhere: {shut}")
        hold(all(is_open for (_, channel), (is_open, _) in ways(inventory).items() if channel in ("server", "wire")),
             f"the shell is dead, and {ways(inventory)}")
        complete(lab, inventory)
        from_directory(lab, inventory)
        found = {(one["name"], str(one.get("server")).lower()) for one in lab.findings(inventory)}
        for n in range(1, 6):
            hold(("back-end-unbound", f"ex{n}.contoso.lab") in found, f"the shell is dead: EX{n} is not in {sorted(found)}")


def no_endpoint(exseal, folder):
    """No server offers Exchange's endpoint, because the pools behind it do not run: that is a fact, and the rest is whole."""
    pools = 'stopped_pools = ["MSExchangePowerShellFrontEndAppPool", "MSExchangePowerShellAppPool"]\n'
    text = re.sub(r'(name = "EX[123]"\n)', rf"\1{pools}", text_of("healthy-dag"))
    with Story(exseal, folder, "no-endpoint", text) as lab:
        inventory = lab.inventory()
        found = {server: why for (server, channel), (is_open, why) in ways(inventory).items() if channel == "exchange" and not is_open}
        hold(len(found) == 3 and all("503" in why for why in found.values()), f"no endpoint: {found}")
        complete(lab, inventory)
        from_directory(lab, inventory)


def rights(exseal, folder):
    """Who may only look is let in by Exchange and by nobody else, and that suffices there."""
    with Story(exseal, folder / "viewer", "healthy") as lab:
        looked = lab.inventory("--user", "CONTOSO\\viewer", "--channel", "exchange")
        hold(ways(looked)[("EX1", "exchange")][0] is True, "the viewer is let in by Exchange")
        hold(looked["servers"][0]["my"]["items"], "the viewer sees certificates")
        hold(not looked.get("errors"), f"the viewer is refused nothing: {looked.get('errors')}")
        server = lab.discover("--user", "CONTOSO\\viewer", "--channel", "server")
        hold(server.returncode == 1 and "denied" in server.stderr.lower(), f"no administrator, and WinRM said {server.stderr[-300:]}")


ALL = (
    slow_server, one_server_down, wrong_password, half_empty_objects, german, shell_dead_everywhere, no_endpoint, rights,
)
