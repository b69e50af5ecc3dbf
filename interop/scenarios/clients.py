"""Foreign clients: openssl's command, and OpenSSL through Python's ssl with STARTTLS spoken by hand."""

import json
import re
import socket
import ssl
import subprocess
import threading
import time

from common import count
from running import PASSWORD

# Ports that speak first, and what they are asked: a greeting, then words with the beginning of the answer to each.
SMTP = (b"220", ((b"EHLO watcher.example\r\n", b"250 "), (b"STARTTLS\r\n", b"220")))
POP = (b"+OK", ((b"STLS\r\n", b"+OK"),))
IMAP = (b"* OK", ((b"a STARTTLS\r\n", b"a OK"),))
STARTTLS = {25: SMTP, 587: SMTP, 717: SMTP, 2525: SMTP, 465: SMTP, 475: SMTP, 110: POP, 143: IMAP}
TLS = (443, 444, 993, 995)
LOOPBACK = "127.0.0.1:443"
USER = "admin"


def places(lab):
    """Every slot that a client can shake hands with: server, address, port as Exchange has it, port here."""
    found = []
    for server in lab.told["servers"]:
        for port in server["ports"]:
            if port["port"] in STARTTLS or port["port"] in TLS:
                found.append((server["fqdn"], server["address"], port["port"], port["at"]))
        for port in server["own_loopback_ports"]:
            if port["port"] == 443 and server["own_loopback"]:
                found.append((server["fqdn"], server["own_loopback"], LOOPBACK, port["at"]))
    return found


def presented(address, port):
    """The leaf that openssl's command is shown, as PEM within what it prints; None: no handshake."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"{address}:{port}", "-servername", "mail.contoso.lab"],
                          input="", capture_output=True, text=True, timeout=20)
    return done.stdout if "BEGIN CERTIFICATE" in done.stdout else None


def signature(address, port):
    """By which algorithm the leaf is signed, as openssl calls it."""
    pem = presented(address, port)
    shown = subprocess.run(["openssl", "x509", "-noout", "-text"], input=pem or "", capture_output=True, text=True, timeout=20)
    found = re.search(r"Signature Algorithm: (\S+)", shown.stdout)
    return found.group(1) if found else None


def leaf(address, port):
    """The SHA-1 of the leaf that openssl's command is shown; None: no handshake."""
    pem = presented(address, port)
    if pem is None:
        return None
    shown = subprocess.run(["openssl", "x509", "-noout", "-fingerprint", "-sha1"], input=pem, capture_output=True, text=True, timeout=20)
    return shown.stdout.strip().split("=")[-1].replace(":", "") or None


def reaches_mailbox(address, port, jar):
    """Whether a person who signs in to OWA with curl comes to the mailbox, which is behind 444."""
    page = ["curl", "-sk", "--max-time", "30", "--noproxy", "*"]
    fields = ("--data-urlencode", f"username={USER}", "--data-urlencode", f"password={PASSWORD.strip()}")
    subprocess.run([*page, "-c", str(jar), *fields, f"https://{address}:{port}/owa/auth.owa"], capture_output=True, timeout=60)
    shown = subprocess.run([*page, "-b", str(jar), f"https://{address}:{port}/owa/"], capture_output=True, text=True, timeout=60)
    return "logged on" in shown.stdout


def lines(plain, until):
    """Reads lines up to the one that begins so; another that ends a dialogue is an error."""
    got = b""
    while True:
        part = plain.recv(4096)
        if not part:
            raise ConnectionError(f"closed after {got[-60:]!r}")
        got += part
        if not got.endswith(b"\n"):
            continue
        last = got.splitlines()[-1]
        if last.startswith(until):
            return
        if last[3:4] == b" " or last[:1] in (b"-", b"a"):
            raise ConnectionError(f"answered {last[:60]!r}")


class Watcher(threading.Thread):
    """Shakes hands with every place, over and over, and keeps every failure with its moment."""

    def __init__(self, watched):
        super().__init__(daemon=True)
        self.over, self.failed, self.count = threading.Event(), [], 0
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        # What presents nothing at the beginning is the story's.
        self.places = [place for place in watched if self.shaken(place) is None]

    def shaken(self, place):
        server, address, port, at = place
        try:
            with socket.create_connection((address, at), 5) as plain:
                if port in STARTTLS:
                    greeting, dialogue = STARTTLS[port]
                    lines(plain, greeting)
                    for words, answer in dialogue:
                        plain.sendall(words)
                        lines(plain, answer)
                with self.context.wrap_socket(plain, server_hostname=server):
                    return None
        except OSError as error:
            return str(error)

    def run(self):
        while not self.over.is_set():
            for place in self.places:
                begun = time.monotonic()
                why = self.shaken(place)
                if why is None:
                    self.count += 1
                else:
                    self.failed.append((place[0], place[2], begun, time.monotonic(), why))

    def end(self, plan):
        """Stops it; what failed and was not announced, by place: the words and for how long it failed."""
        self.over.set()
        self.join(60)
        count("handshakes", self.count)
        wrong = []
        allowed = announced(plan)
        for server, port in sorted({(one[0], str(one[1])) for one in self.failed}):
            own = [one for one in self.failed if (one[0], str(one[1])) == (server, port)]
            seconds = own[-1][3] - own[0][2]
            if seconds <= allowed.get((server.lower(), port), 0):
                count("failed as announced", len(own))
            else:
                wrong.append(f"{server}:{port} for {seconds:.1f} s of {allowed.get((server.lower(), port), 0)} announced: {own[0][4]}")
        return wrong


def announced(plan):
    """For how many seconds a plan says that a place answers nobody, of all its steps together."""
    allowed = {}
    connectors = {}
    for server in plan["inventory"]["servers"]:
        for connector in server["receive_connectors"]["items"]:
            ports = sorted({int(number) for number in re.findall(r":(\d+)", json.dumps(connector["bindings"]))})
            for name in (server["name"], server["fqdn"]["value"]):
                connectors[name.lower(), connector["name"].lower()] = ports
    for one in (interruption for step in plan["steps"] for interruption in step["interrupts"]):
        server, slot = one["server"].lower(), one["slot"]
        kind, _, name = slot.partition("/")
        if kind == "receive-connector":
            ports = connectors[server, name.lower()]
        elif kind == "front-end":
            ports = [LOOPBACK] if name.startswith("127.0.0.1:443") else [443]
        else:
            ports = {"back-end": [444], "internal-transport": [25, 2525], "pop": [110, 995], "imap": [143, 993]}.get(kind, [])
        for port in ports:
            allowed[server, str(port)] = allowed.get((server, str(port)), 0) + one["seconds"]
    return allowed
