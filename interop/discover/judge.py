"""Holds `exseal discover --live` against servers whose PowerShell remoting is psrpcore's and whose security is pyspnego's.

usage: judge.py EXSEAL

The servers answer Exchange's cmdlets with the objects of the sample's exports (examples/kiefer), `Select-Object` done by
them, and the helper's functions with JSON made of the same exports. Each situation is one run of the program. Exits with 1
and the list of what is otherwise than it should be.
"""

import base64
import hashlib
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import psrpcore_server as peer  # noqa: E402
from psrpcore import types  # noqa: E402
from psrpcore.types import PSCustomObject, PSString  # noqa: E402

SAMPLE = HERE.parent.parent / "examples/kiefer"
NOW = "2026-11-24T09:00:00Z"
USER, PASSWORD = "LAB\\admin", "pw"
DIRECTORIES = {
    "ADOwaVirtualDirectory": "Get-OwaVirtualDirectory",
    "ADEcpVirtualDirectory": "Get-EcpVirtualDirectory",
    "ADWebServicesVirtualDirectory": "Get-WebServicesVirtualDirectory",
    "ADMapiVirtualDirectory": "Get-MapiVirtualDirectory",
    "ADOabVirtualDirectory": "Get-OabVirtualDirectory",
    "ADMobileVirtualDirectory": "Get-ActiveSyncVirtualDirectory",
}
failures = []


def objects(path):
    """The objects of an exported file, each as psrpcore reads it."""
    content = path.read_bytes()
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return types.deserialize_clixml(content.decode(encoding), types.PSCryptoProvider())


def properties(value):
    own = value.PSObject
    listed = list(own.adapted_properties) + list(own.extended_properties)
    return {one.name: one.get_value(value) for one in listed}


def exports(folder):
    """Objects by cmdlet."""
    found = {}
    for path in sorted(folder.glob("Get-*.xml")):
        for value in objects(path):
            cmdlet = path.stem
            if cmdlet == "Get-VirtualDirectory":
                cmdlet = DIRECTORIES[value.PSTypeNames[0].rsplit(".", 1)[1]]
            found.setdefault(cmdlet, []).append(value)
    return found


def helper_of(folder, cmdlets):
    """What the helper's functions would give on the server of an export, as JSON."""
    store = []
    for value in cmdlets["Get-ExchangeCertificate"]:
        own = properties(value)
        store.append({
            "thumbprint": own["Thumbprint"] if "Thumbprint" in own else None,
            "der": base64.b64encode(bytes(own["RawData"])).decode(),
            "friendlyName": None, "hasPrivateKey": True, "key": None,
        })
    table = folder / "netsh-http-show-sslcert.txt"
    entries = []
    if table.exists():
        text = table.read_text(errors="replace")
        for port, found in re.findall(r":\s*(\S+:\d+)\s*\r?\n[^\n]*:\s*([0-9a-f]{40})", text):
            entries.append({
                "endpoint": port, "sni": False, "thumbprint": found.upper(), "store": "MY", "appId": None,
                "negotiateClientCertificate": False,
            })
    return {
        "Get-ExsealClock": [{"utc": NOW, "timeZone": "W. Europe Standard Time", "utcOffsetMinutes": 60}],
        "Get-ExsealStore My": store,
        "Get-ExsealHttpSys": entries,
        "Get-ExsealService": [{"name": "MSExchangeTransport", "state": "Running", "startMode": "Auto"}],
    }


class Organisation(peer.Endpoint):
    """One server's endpoint: Exchange's cmdlets, or the helper."""

    def __init__(self, options, cmdlets, helper):
        super().__init__(options)
        self.cmdlets, self.helper = cmdlets, helper

    def command(self, shell, pipeline):
        commands = pipeline.metadata.commands
        first = commands[0]
        name = first.command_text.strip()
        parameters = {key: value for key, value in first.parameters}

        def write(value):
            with shell.changed:
                # What was stopped writes no more.
                if pipeline.state == peer.PSInvocationState.Running:
                    pipeline.write_output(value)
                    shell.pump()

        if self.options.get("slow"):
            time.sleep(self.options["slow"])
        if self.options["name"].endswith("-exchange"):
            if first.is_script:
                raise peer.Ends("ScriptsNotAllowed", "The syntax is not supported by this runspace.")
            if self.options.get("german"):
                # In the server's language, and the id is not.
                if name == "Get-Queue":
                    raise peer.Ends("QueueDown,Get-Queue", "Der Dienst \u201eMicrosoft Exchange-Transport\u201c antwortet nicht.")
            selected = [str(one) for one in commands[1].parameters[0][1]] if len(commands) > 1 else None
            for value in self.cmdlets.get(name, []):
                own = properties(value)
                if self.options.get("half_empty") and name == "Get-ExchangeCertificate":
                    if selected:
                        write(PSCustomObject(**{one: None for one in selected}))
                    else:
                        write(value)
                    continue
                if selected is None:
                    write(value)
                else:
                    write(PSCustomObject(**{one: own.get(one) for one in selected}))
            return
        if first.is_script:
            if "Get-ExsealStore" not in str(parameters["Text"]):
                self.blame("the script does not bring the helper")
            return
        result = self.helper.get(f"{name} {parameters['Name']}" if "Name" in parameters else name, [])
        if commands[1].command_text != "ConvertTo-Json":
            self.blame(f"{name} without ConvertTo-Json")
        if len(result) == 1:
            write(PSString(json.dumps(result[0])))
        elif result:
            write(PSString(json.dumps(result)))


class Lab:
    """Endpoints that listen, and the connect.toml that leads to them."""

    def __init__(self, servers, places=""):
        self.ports, self.endpoints, self.listening = {}, {}, []
        for name, options in servers.items():
            for door in ("exchange", "server"):
                if options.get(door) == "dead":
                    self.ports[name, door] = 1
                    continue
                whole = {"name": f"{name}-{door}", "auth": "negotiate", "sealed": True, "user": USER, "password": PASSWORD}
                whole.update(options.get(door) or {})
                server = peer.Server(("127.0.0.1", 0), peer.Handler)
                server.endpoint = Organisation(whole, options["cmdlets"], options["helper"])
                self.ports[name, door] = server.server_address[1]
                self.endpoints[name, door] = server.endpoint
                threading.Thread(target=server.serve_forever, daemon=True).start()
                self.listening.append(server)
        text = f'user = "{USER}"\nscheme = "negotiate"\n'.replace("\\", "\\\\")
        for name in servers:
            text += (
                f'[servers."{name}.kiefer.example"]\naddress = "127.0.0.1"\n'
                f"ports = {{ 80 = {self.ports[name, 'exchange']}, 5985 = {self.ports[name, 'server']}"
                f"{''.join(f', {port} = {to}' for port, to in self.tls_ports(servers[name]))} }}\n"
            )
        text += places
        self.file = tempfile.NamedTemporaryFile("w", suffix=".toml", delete=False)
        self.file.write(text)
        self.file.close()

    @staticmethod
    def tls_ports(options):
        """Every port of a mailbox server: what this machine has on them is not the server's."""
        usual = (25, 110, 143, 443, 444, 465, 475, 587, 717, 993, 995, 1993, 1995, 2525)
        return [(port, options.get("tls", {}).get(port, 1)) for port in usual]

    def close(self):
        for server in self.listening:
            server.shutdown()
            server.server_close()
        os.unlink(self.file.name)

    def wrong(self):
        return [text for endpoint in self.endpoints.values() for text in endpoint.wrong]

    def shells(self):
        return sum(len(endpoint.shells) for endpoint in self.endpoints.values())


class Tls:
    """A certificate of its own behind TLS on a port of the system's choice."""

    def __init__(self, folder, name):
        key, pem, der = (f"{folder}/{name}.{end}" for end in ("key", "pem", "der"))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-keyout", key, "-out", pem,
             "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"], check=True, capture_output=True)
        subprocess.run(["openssl", "x509", "-in", pem, "-outform", "DER", "-out", der], check=True)
        self.thumbprint = hashlib.sha1(Path(der).read_bytes()).hexdigest().upper()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem, key)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                one, _ = self.socket.accept()
            except OSError:
                return
            try:
                with self.context.wrap_socket(one, server_side=True) as inside:
                    inside.recv(1)
            except OSError:
                pass


def organisation(**changes):
    """The sample's three servers; each knows its own and the organisation's objects."""
    shared = exports(SAMPLE / "organisation")
    servers = {}
    for name in ("ex1", "ex2", "ex3"):
        own = exports(SAMPLE / name)
        servers[name] = {"cmdlets": {**shared, **own}, "helper": helper_of(SAMPLE / name, own)}
        servers[name].update(changes.get(name, {}))
    return servers


def discover(program, lab, *arguments, password=PASSWORD):
    command = [program, "discover", "--live", "--connect", lab.file.name, "--password-stdin", "--json", "--now", NOW]
    begun = time.monotonic()
    result = subprocess.run(
        [*command, "--channel", "exchange", "server", *arguments], input=password, capture_output=True, text=True, timeout=120
    )
    result.took = time.monotonic() - begun
    return result


def value(observed):
    return observed.get("value") if isinstance(observed, dict) else None


def ways(inventory):
    """Which ways in of each server are open, and why one is not."""
    return {
        server["name"].lower(): {
            way["channel"]: (value(way["open"]), value(way.get("why", {})) or "") for way in server["ways_in"]["items"]
        }
        for server in inventory["servers"]
        if "ways_in" in server
    }


def check(what, holds, detail=""):
    if not holds:
        failures.append(f"{what}{': ' if detail else ''}{str(detail)[:600]}")


def situation(what, program, servers, *arguments, **options):
    lab = Lab(servers)
    try:
        result = discover(program, lab, *arguments, **options)
        check(what + ": the client did nothing wrong", not lab.wrong(), lab.wrong())
        check(what + ": no shell is left", lab.shells() == 0, lab.shells())
        inventory = json.loads(result.stdout) if result.returncode == 0 and result.stdout else None
        return inventory, result, lab
    finally:
        lab.close()


def server(inventory, name):
    return next(one for one in inventory["servers"] if one["name"].lower() == name)


def count(record, listing):
    return len(record[listing]["items"]) if listing in record else None


def main():
    program = sys.argv[1]
    began = time.monotonic()
    users = tempfile.NamedTemporaryFile("w", suffix=".users")
    users.write(USER.replace("\\", ":", 1) + ":" + PASSWORD + "\n")
    users.flush()
    os.environ["NTLM_USER_FILE"] = users.name

    lab = Lab(organisation())
    result, again = discover(program, lab), discover(program, lab)
    check("healthy: the client did nothing wrong", not lab.wrong(), lab.wrong())
    check("healthy: no shell is left", lab.shells() == 0, lab.shells())
    lab.close()
    check("twice gives the same", result.stdout == again.stdout)
    healthy = json.loads(result.stdout) if result.returncode == 0 else None
    check("healthy: done", healthy is not None, result.stderr)
    if healthy is None:
        return
    for name in ("ex1", "ex2", "ex3"):
        own = server(healthy, name)
        check(f"healthy: {name} is whole", all(count(own, listing) for listing in ("my", "receive_connectors", "services")), own.keys())
        check(f"healthy: {name}'s build", value(own.get("build", {})) is not None)
        channels = {source["channel"] for source in healthy["sources"]}
        check("healthy: both channels", {"exchange", "server"} <= channels, channels)
    check("healthy: the organisation", value(healthy["organisation"]["auth_config"]["current"]) is not None)
    open_ways = {name: {channel for channel, (is_open, _) in own.items() if is_open} for name, own in ways(healthy).items()}
    check("healthy: all ways open", all(own == {"exchange", "server"} for own in open_ways.values()), ways(healthy))

    dead = {name: {"exchange": {"front_end": True}} for name in ("ex1", "ex2", "ex3")}
    seen, result, _ = situation("shell dead everywhere", program, organisation(**dead))
    check("shell dead: done", seen is not None, result.stderr)
    if seen:
        for name in ("ex1", "ex2", "ex3"):
            is_open, why = ways(seen)[name]["exchange"]
            check(f"shell dead: said with its reason on {name}", not is_open and "Cafe-SendFailure" in why, why)
            check(f"shell dead: {name}'s store is there", count(server(seen, name), "my"), server(seen, name).keys())
            # Nobody could say it: unknown, and never an empty list.
            check(f"shell dead: {name}'s connectors are unknown", "receive_connectors" not in server(seen, name))

    none = {name: {"exchange": "dead"} for name in ("ex1", "ex2", "ex3")}
    seen, result, _ = situation("no Exchange endpoint", program, organisation(**none))
    check("no endpoint: done", seen is not None and count(server(seen, "ex2"), "my"), result.stderr)

    seen, result, _ = situation("one down", program, organisation(ex2={"exchange": "dead", "server": "dead"}))
    check("one down: done", seen is not None, result.stderr)
    if seen:
        check("one down: said", not any(is_open for is_open, _ in ways(seen)["ex2"].values()), ways(seen))
        check("one down: the others are whole", count(server(seen, "ex1"), "my") and count(server(seen, "ex3"), "my"))

    seen, result, _ = situation("one slow", program, organisation(ex3={"exchange": {"slow": 3}}), "--deadline", "8")
    check("one slow: done", seen is not None, result.stderr)
    if seen:
        is_open, why = ways(seen)["ex3"]["exchange"]
        check("one slow: what came is kept and the rest is said", is_open and "time it was given" in why, ways(seen))
        check("one slow: its certificates came", count(server(seen, "ex3"), "my"))
        check("one slow: it ended in time", result.took < 20, result.took)

    lab = Lab(organisation())
    result = discover(program, lab, password="not-the-password")
    refused = sum(endpoint.calls.get("refused", 0) for endpoint in lab.endpoints.values())
    lab.close()
    check("wrong password: an error", result.returncode == 1, (result.returncode, result.stderr))
    check("wrong password: not shown", "not-the-password" not in result.stderr + result.stdout)
    check("wrong password: few are asked, so that the account is not locked", refused <= 4, refused)

    seen, result, _ = situation("Auth certificate expired", program, organisation(ex1={"exchange": {"half_empty": True}}),
                                "--only", "ex1", "--channel", "exchange")
    check("half-empty: done", seen is not None, result.stderr)
    if seen:
        own = server(seen, "ex1")
        check("half-empty: RawData was read", count(own, "my") == count(server(healthy, "ex1"), "my"), own.keys())
        check("half-empty: others were left out", [one["name"].lower() for one in seen["servers"]] == ["ex1"])

    seen, result, _ = situation("German", program, organisation(ex1={"exchange": {"german": True}}), "--except", "ex2", "ex3")
    check("German: done", seen is not None, result.stderr)
    if seen:
        told = [error for error in seen.get("errors", []) if error["at"] == "Get-Queue"]
        check("German: the error is told by its id", told and told[0]["found"].startswith("QueueDown,Get-Queue"), told)
        check("German: everything else is there", count(server(seen, "ex1"), "receive_connectors"))

    with tempfile.TemporaryDirectory() as folder:
        own, front = Tls(folder, "ex1.kiefer.example"), Tls(folder, "mail.kiefer.example")
        servers = organisation(ex1={"tls": {443: own.port}})
        name = f'[names."mail.kiefer.example"]\naddress = "127.0.0.1"\nports = {{ 443 = {front.port} }}\n'
        for other in ("autodiscover", "mail2", "outlook"):
            name += f'[names."{other}.kiefer.example"]\naddress = "127.0.0.1"\nports = {{ 443 = 1 }}\n'
        lab = Lab(servers, name)
        result = discover(program, lab, "--only", "ex1", "--channel", "wire")
        seen = json.loads(result.stdout) if result.returncode == 0 else None
        check("wire: done", seen is not None, result.stderr)
        if seen:
            leaves = {
                (one["host"], one["port"]): value(one["leaf"]) for one in seen["organisation"]["presented"]["items"]
                if "leaf" in one
            }
            wanted = {("ex1.kiefer.example", 443): own.thumbprint, ("mail.kiefer.example", 443): front.thumbprint}
            check("wire: the leaves are those of the servers", leaves == wanted, (leaves, wanted))
            check("wire: open", ways(seen)["ex1"]["wire"][0], ways(seen))
        command = [program, "diagnose", "--live", "--connect", lab.file.name, "--password-stdin", "--json", "--now", NOW]
        result = subprocess.run([*command, "--only", "ex1"], input=PASSWORD, capture_output=True, text=True, timeout=120)
        found = [one["name"] for one in json.loads(result.stdout)["findings"]] if result.returncode == 0 else result.stderr
        check("diagnose --live: what is presented is held against the configuration",
              "presented-differs-from-configured" in found, found)
        check("diagnose --live: the balancer is judged by Extended Protection", "balancer-differs-from-servers" in found, found)
        lab.close()

    print(f"11 situations of 3 servers in {time.monotonic() - began:.0f} s")


main()
if failures:
    sys.exit("\n".join(failures))
