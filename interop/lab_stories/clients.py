"""The clients that judge: openssl, curl, ldapsearch, Python's smtplib and sockets, pypsrp. Nothing here is exseal's but the lab that runs."""

import base64
import datetime
import itertools
import json
import os
import smtplib
import socket
import ssl
import subprocess
import threading
import tomllib
import urllib.parse
import warnings
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID
from pypsrp.complex_objects import ObjectMeta
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

warnings.filterwarnings("ignore")
NOW = "2026-11-24T09:00:00Z"
USER, PASSWORD = "admin", "Simulated-1"
HELPER = Path(__file__).resolve().parents[2] / "helper" / "Exseal.psm1"
LOADER = (
    "param([string]$Text) New-Module -Name Exseal -ScriptBlock ([ScriptBlock]::Create($Text)) | "
    "Import-Module -Global -DisableNameChecking"
)

# Addresses of which other labs on this machine know nothing: what a server here does not have is not found at another's.
block = itertools.count()


class Certificate:
    """A certificate as a client sees it."""

    def __init__(self, parsed):
        self.parsed = parsed
        self.subject, self.issuer = parsed.subject.rfc4514_string(), parsed.issuer.rfc4514_string()
        self.begins, self.ends = parsed.not_valid_before_utc, parsed.not_valid_after_utc
        self.signature = parsed.signature_algorithm_oid.dotted_string
        self.thumbprint = parsed.fingerprint(hashes.SHA1()).hex().upper()
        try:
            names = parsed.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
            self.names = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
        except x509.ExtensionNotFound:
            self.names = []

    def covers(self, name):
        name = name.lower()
        return name in self.names or f"*.{name.partition('.')[2]}" in self.names

    def __repr__(self):
        return f"{self.subject} by {self.issuer} for {self.names} until {self.ends:%Y-%m-%d}, {self.thumbprint[:8]}"


class Lab:
    """An organisation that runs until the end of the block."""

    def __init__(self, exseal, folder, name, now=NOW):
        self.exseal, self.name, self.folder, self.clock = exseal, name, folder / name, now
        self.folder.mkdir(parents=True)
        self.pools = {}

    def __enter__(self):
        command = [self.exseal, "lab", "run", "--story", self.name, "--until-stdin-closes", "--json", "--address", f"127.{100 + os.getpid() % 100}.{next(block) % 250}.1"]
        command += ["--connect-file", str(self.folder / "connect.toml"), *(["--now", self.clock] if self.clock else [])]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # One document over many lines, and the end of it is the only line that begins with a brace.
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.rstrip() == "}":
                break
        if not lines:
            raise RuntimeError(f"{self.name} did not start: {self.process.stderr.read()[-500:]}")
        self.told = json.loads("".join(lines))
        # What it says from here on is nobody's, and must not fill a pipe.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        self.servers = {server["name"]: server for server in self.told["servers"]}
        return self

    def __exit__(self, *_):
        for pool, wsman in self.pools.values():
            try:
                pool.close()
                wsman.close()
            except Exception:  # noqa: BLE001 - a session that died has been looked at
                pass
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(30)

    @property
    def now(self):
        return datetime.datetime.fromisoformat(self.told["now"].replace("Z", "+00:00"))

    def advance(self, by):
        subprocess.run([self.exseal, "lab", "do", "--lab", self.told["name"], "advance", by], check=True, capture_output=True)

    def dump(self):
        """The state behind the scenes: for what has no outside yet."""
        run = subprocess.run([self.exseal, "lab", "do", "--lab", self.told["name"], "--json", "dump"], check=True, capture_output=True)
        return json.loads(run.stdout)

    # Sockets

    def at(self, server, port, own=False):
        """Where a port of Exchange is here; None: the lab has none there."""
        if server not in self.servers:
            raise KeyError(f"{self.name} has no server {server}")
        one = self.servers[server]
        address, ports = (one["own_loopback"], one["own_loopback_ports"]) if own else (one["address"], one["ports"])
        if address is None:
            return None
        mapped = {entry["port"]: entry["at"] for entry in ports}
        if port in mapped:
            return address, mapped[port]
        # On Exchange's own ports a client finds out for itself.
        return (address, port) if all(own == there for own, there in mapped.items()) else None

    def answers(self, server, port):
        """Whether a port takes a connection."""
        at = self.at(server, port)
        if at is None:
            return False
        try:
            socket.create_connection(at, timeout=10).close()
            return True
        except OSError:
            return False

    def presented(self, place):
        """What a place presents: its certificate, or why there is none: refused, reset, not offered, or what SMTP answers.

        A place is SERVER:PORT, SERVER/own:PORT for the server's own 127.0.0.1, with /anonymous behind it for X-ANONYMOUSTLS,
        and @NAME for the name that is asked for.
        """
        place, _, name = place.partition("@")
        where, _, port = place.partition(":")
        port, _, verb = port.partition("/")
        server, _, own = where.partition("/")
        at = self.at(server, int(port), own == "own")
        if at is None:
            return "refused"
        if verb == "anonymous":
            return anonymous(at)
        starttls = {25: "smtp", 587: "smtp", 717: "smtp", 2525: "smtp", 465: "smtp", 110: "pop3", 143: "imap"}.get(int(port))
        if starttls == "smtp":
            try:
                with smtplib.SMTP(*at, timeout=20) as smtp:
                    smtp.ehlo()
                    if not smtp.has_extn("starttls"):
                        return "not offered"
                    code, words = smtp.docmd("STARTTLS")
                    if code != 220:
                        return f"{code} {words}"
            except ConnectionRefusedError:
                return "refused"
        run = openssl(at, name, starttls)
        found = x509.load_pem_x509_certificates(run.stdout) if b"BEGIN CERTIFICATE" in run.stdout else []
        if found:
            return Certificate(found[0])
        return "refused" if b"onnection refused" in run.stderr else "reset"

    def verified(self, place, name, authority):
        """Whether openssl trusts a place by one of the lab's authorities alone, at the lab's time; else its words."""
        where, _, port = place.partition(":")
        at = self.at(where, int(port))
        roots = tomllib.loads((self.folder / "connect.toml").read_text())["ca"].encode()
        file = self.folder / f"{authority}.pem"
        chosen = [one for one in x509.load_pem_x509_certificates(roots) if authority in one.subject.rfc4514_string()]
        file.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in chosen))
        more = ["-CAfile", str(file), "-no-CApath", "-no-CAstore", "-verify_hostname", name]
        run = openssl(at, name, None, *more, "-attime", str(int(self.now.timestamp())))
        words = [line for line in run.stdout.decode().splitlines() if "Verify return code" in line]
        return words[-1].partition(":")[2].strip() if words else f"no answer: {run.stderr.decode()[:200]}"

    def directory(self, what, *attributes):
        """Objects of the configuration partition by ldapsearch: of each its attributes, as bytes."""
        one = self.told["controllers"][0]
        port = next(entry["at"] for entry in one["ports"] if entry["port"] == 636)
        command = ["ldapsearch", "-LLL", "-x", "-H", f"ldaps://{one['address']}:{port}", "-D", "admin@contoso.lab", "-w", PASSWORD]
        command += ["-o", "ldif-wrap=no", "-b", "CN=Configuration,DC=contoso,DC=lab", what, *attributes]
        run = subprocess.run(command, capture_output=True, text=True, timeout=30, env={**os.environ, "LDAPTLS_REQCERT": "never"})
        if run.returncode:
            raise RuntimeError(f"ldapsearch {what}: {run.stderr}")
        found = []
        for entry in run.stdout.strip().split("\n\n"):
            values = {}
            for line in entry.splitlines():
                name, _, value = line.partition(":")
                raw = base64.b64decode(value[1:]) if value.startswith(":") else value.strip().encode()
                values.setdefault(name.partition(";")[0], []).append(raw)
            if values:
                found.append(values)
        return found

    # The pages

    def page(self, server, path, *more):
        at = self.at(server, 443)
        if at is None:
            return None, "", ""
        command = ["curl", "-sSk", "--max-time", "20", "--noproxy", "*", "-D", "-", *more]
        run = subprocess.run([*command, f"https://{at[0]}:{at[1]}{path}"], capture_output=True)
        if run.returncode:
            return None, "", run.stderr.decode()
        head, _, body = run.stdout.decode().partition("\r\n\r\n")
        return int(head.split()[1]), head, body

    def owa(self, server):
        """What a person gets of OWA: no answer, unavailable, blank, an error page, the form again, the mailbox."""
        status, _, form = self.page(server, "/owa/auth/logon.aspx")
        if status is None:
            return "no answer"
        if status == 503:
            return "unavailable"
        if status != 200 or "logonForm" not in form:
            return f"{status} {form[:80]}"
        jar = str(self.folder / f"{server}.jar")
        fields = urllib.parse.urlencode({"username": USER, "password": PASSWORD})
        status, head, _ = self.page(server, "/owa/auth.owa", "-c", jar, "--data", fields)
        if "cadata=" not in head:
            return "the form again" if status == 302 and "/owa/auth/logon.aspx" in head else f"{status} {head[:80]}"
        status, _, body = self.page(server, "/owa/", "-b", jar)
        if status == 200 and not body:
            return "blank"
        if status == 500 and "HMACProvider.GetCertificates" in body:
            return "an error page"
        return "the mailbox" if status == 200 and "logged on" in body else f"{status} {body[:80]}"

    # PowerShell

    def pool(self, server, door, user=USER):
        """A session, opened once: Exchange's own, with Full its payloads, or Windows'."""
        key = server, door, user
        if key in self.pools:
            return self.pools[key][0]
        exchange = door != "windows"
        at = self.at(server, 80 if exchange else 5985)
        if at is None:
            raise ConnectionRefusedError(f"{server} has no address")
        path = {"exchange": "PowerShell/", "full": "PowerShell/?serializationLevel=Full", "windows": "wsman"}[door]
        wsman = WSMan(
            at[0], port=at[1], ssl=False, path=path, username=f"CONTOSO\\{user}", password=PASSWORD, auth="ntlm",
            negotiate_service="HTTP", operation_timeout=10, read_timeout=20, reconnection_retries=0, no_proxy=True,
        )
        configuration = "Microsoft.Exchange" if exchange else "Microsoft.PowerShell"
        pool = RunspacePool(wsman, configuration_name=configuration)
        pool.open()
        if not exchange:
            load = PowerShell(pool)
            load.add_script(LOADER).add_parameter("Text", HELPER.read_text(encoding="utf-8"))
            load.invoke()
            if load.had_errors:
                raise RuntimeError(f"{server} took no helper: {load.streams.error[-1]}")
        self.pools[key] = pool, wsman
        return pool

    def shell(self, server):
        """The words a session is refused with; None: it opens."""
        try:
            self.pool(server, "exchange")
        except Exception as error:  # noqa: BLE001 - its words are looked at
            # pypsrp tells the status alone: the text is in the answer itself.
            at = self.at(server, 80)
            if at is None:
                return f"{error}"
            run = subprocess.run(
                ["curl", "-sS", "--max-time", "20", "--noproxy", "*", "-X", "POST", f"http://{at[0]}:{at[1]}/PowerShell/"],
                capture_output=True, text=True,
            )
            return f"{error} {run.stdout}{run.stderr}"
        return None

    def cmdlet(self, server, name, *properties, door="exchange", **parameters):
        """The objects of a cmdlet as dictionaries, and its errors."""
        shell = PowerShell(self.pool(server, door))
        shell.add_cmdlet(name)
        for key, value in parameters.items():
            shell.add_parameter(key, value)
        if properties:
            shell.add_cmdlet("Select-Object").add_parameter("Property", list(properties))
        out = [plain(one) for one in shell.invoke()]
        return out, list(shell.streams.error)

    def reading(self, server, name, **parameters):
        """A reading of the helper, over Windows' own remoting."""
        shell = PowerShell(self.pool(server, "windows"))
        shell.add_cmdlet(f"Get-Exseal{name}")
        for key, value in parameters.items():
            shell.add_parameter(key, value)
        shell.add_cmdlet("ConvertTo-Json").add_parameter("Depth", 8).add_parameter("Compress", True)
        text = "".join(shell.invoke())
        if shell.had_errors:
            raise RuntimeError(f"{name} on {server}: {shell.streams.error[-1]}")
        found = json.loads(text) if text else []
        return found if isinstance(found, list) else [found]

    def store(self, server, name="My"):
        found = self.reading(server, "Store", Name=name)
        for one in found:
            one["certificate"] = Certificate(x509.load_der_x509_certificate(base64.b64decode(one["der"])))
        return found


def openssl(at, name, starttls, *more):
    command = ["openssl", "s_client", "-connect", f"{at[0]}:{at[1]}", *more]
    command += ["-servername", name] if name else ["-noservername"]
    command += ["-starttls", starttls] if starttls else []
    return subprocess.run(command, input=b"", capture_output=True, timeout=30)


def anonymous(at):
    """What X-ANONYMOUSTLS presents, which openssl does not know."""
    anyone = ssl._create_unverified_context()
    try:
        with smtplib.SMTP(*at, timeout=20) as smtp:
            smtp.ehlo()
            if not smtp.has_extn("x-anonymoustls"):
                return "not offered"
            code, words = smtp.docmd("X-ANONYMOUSTLS")
            if code != 220:
                return f"not offered: {words}"
            tls = anyone.wrap_socket(smtp.sock)
            smtp.sock, smtp.file = tls, None
            return Certificate(x509.load_der_x509_certificate(tls.getpeercert(binary_form=True)))
    except ConnectionRefusedError:
        return "refused"
    except (ssl.SSLError, ConnectionError):
        return "reset"


def plain(value, is_inner=False):
    """An object of pypsrp as what Python has: its properties, and those that are objects as they show themselves."""
    if isinstance(value, (list, tuple)):
        return [plain(one, True) for one in value]
    if is_inner and getattr(value, "to_string", None) is not None:
        return value.to_string
    properties = {**getattr(value, "adapted_properties", {}), **getattr(value, "extended_properties", {})}
    if properties:
        return {name: plain(one, True) for name, one in properties.items()}
    items = getattr(value, "property_sets", None)
    return [plain(one, True) for one in items] if items else getattr(value, "to_string", None) or value


def secret(pool, text):
    pool.exchange_keys()
    return pool.serialize(text, ObjectMeta("SS"))
