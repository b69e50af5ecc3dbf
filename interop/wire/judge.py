"""Holds `exseal probe` against servers others wrote; `openssl s_client` says what they present.

usage: judge.py FOLDER EXSEAL

Runs as root in a network and mount namespace of its own (`unshare --net --mount`), so that standard ports are free and
nothing outlives it. Exits with 1 and the list of what differs.
"""

import hashlib
import json
import re
import shutil
import ssl
import subprocess
import sys
import time
from pathlib import Path

import hostile
import servers
from servers import run

failures = []


def hold(condition, words):
    if not condition:
        failures.append(words)


class Judge:
    def __init__(self, folder, exseal, roots):
        self.folder, self.exseal, self.roots = folder, exseal, roots

    def probe(self, *arguments, code=0):
        result = run(self.exseal, "probe", "--json", "--roots", self.roots, *arguments, check=False)
        hold(code is None or result.returncode == code, f"probe {arguments} ended with {result.returncode}: {result.stderr}")
        return json.loads(result.stdout) if result.stdout else {"sightings": [], "names": {}}

    def openssl(self, port, name, starttls=None, more=()):
        """The chain as `openssl s_client` sees it, the leaf first."""
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-showcerts", *more]
        command += ["-servername", name] if name else ["-noservername"]
        command += ["-starttls", starttls] if starttls else []
        output = run(*command, input="", check=False, timeout=20).stdout
        pem = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", output, re.S)
        return [hashlib.sha1(ssl.PEM_cert_to_DER_cert(one)).hexdigest().upper() for one in pem]


# port, protocol of exseal, of openssl, the name asked for
ENDPOINTS = [
    (443, "https", None, "mail.example.lab"),
    (443, "https", None, "ec.example.lab"),
    (443, "https", None, "other.example.lab"),
    (444, "https", None, "ex1.example.lab"),
    (8443, "https", None, "mail.example.lab"),
    (9443, "https", None, "nosan.example.lab"),
    (9446, "https", None, "v1.example.lab"),
    (9444, "https", None, "old.example.lab"),
    (9445, "https", None, "ended.example.lab"),
    (25, "smtp", "smtp", "mx.example.lab"),
    (25, "smtp", "smtp", "mail.example.lab"),
    (465, "smtp", "smtp", "ec.example.lab"),
    (587, "smtp", "smtp", "mail.example.lab"),
    (110, "pop", "pop3", "mail.example.lab"),
    (110, "pop", "pop3", "pop.example.lab"),
    (143, "imap", "imap", "mail.example.lab"),
    (993, "tls", None, "mail.example.lab"),
    (995, "tls", None, "pop.example.lab"),
]
OLD = [(14430, "TLS 1.0", ["-tls1"]), (14431, "TLS 1.1", ["-tls1_1"]), (14432, "TLS 1.2", ["-tls1_2"]), (14433, "TLS 1.0", ["-tls1"])]


def same_as_openssl(judge):
    compared = 0
    for port, protocol, starttls, name in ENDPOINTS:
        wanted = judge.openssl(port, name, starttls)
        unnamed = judge.openssl(port, None, starttls)
        place = f"{port}/{protocol} as {name}"
        hold(wanted, f"openssl saw nothing on {place}")
        for _ in range(3):
            seen = judge.probe(f"127.0.0.1:{port}/{protocol}", "--name", name, "--without-sni")["sightings"]
            for sighting, expected in zip(seen, (wanted, unnamed), strict=True):
                presented = sighting["presented"] or {"chain": [], "by": "", "key_proven": None}
                chain = [link["thumbprint"] for link in presented["chain"]]
                hold(chain == expected, f"{place}: openssl saw {expected}, exseal {chain} ({sighting['outcome']})")
                hold(presented["by"] == "handshake", f"{place}: not by a handshake")
                # The library cannot read a certificate of version 1 for its key, and says so.
                proven = None if name == "v1.example.lab" else True
                hold(presented["key_proven"] is proven, f"{place}: the key was not proven: {presented.get('unproven')}")
                compared += 1
    for port, version, more in OLD:
        wanted = judge.openssl(port, "old.example.lab", None, [*more, "-cipher", "ALL:@SECLEVEL=0"])
        hold(wanted, f"openssl saw nothing on {port}")
        for _ in range(3):
            (sighting,) = judge.probe(f"127.0.0.1:{port}/tls", "--name", "old.example.lab")["sightings"]
            presented = sighting["presented"] or {"chain": [], "by": "", "version": ""}
            chain = [link["thumbprint"] for link in presented["chain"]]
            hold(chain == wanted, f"{port}: openssl saw {wanted}, exseal {chain} ({sighting['outcome']})")
            hold(presented["by"] == "hello", f"{port}: {presented['by']} with a server of {version} alone")
            hold(presented["version"] == version, f"{port}: {presented['version']} instead of {version}")
            hold(presented.get("key_proven") is None, f"{port}: a look that verifies nothing says otherwise")
            compared += 1
    return compared


def judged(judge):
    """What is said about what was seen."""
    def remarks(*arguments):
        (sighting,) = judge.probe(*arguments)["sightings"]
        return {remark["name"] for remark in sighting["remarks"]}, sighting

    said, sighting = remarks("127.0.0.1:443", "--name", "mail.example.lab", "--healthcheck")
    hold(not said, f"a good certificate: {said}")
    hold(sighting["presented"]["trusted"] and sighting["presented"]["covers"], "mail.example.lab is trusted and covered")
    pages = [page for page in sighting["health"] if page["status"] == 200]
    hold(len(pages) == 9, f"healthcheck pages: {sighting['health']}")
    for target, name, wanted in [
        ("127.0.0.1:443", "example.lab", {"name-not-covered"}),
        ("127.0.0.1:9443", "nosan.example.lab", {"name-not-covered", "not-trusted"}),
        ("127.0.0.1:9444", "old.example.lab", {"not-trusted", "signature-weak"}),
        ("127.0.0.1:444", "ex1.example.lab", set()),
        ("127.0.0.1:717", "mx.example.lab", {"starttls-not-offered"}),
    ]:
        said, _ = remarks(target, "--name", name)
        hold(said == wanted, f"{target} as {name}: {said} instead of {wanted}")
    said, _ = remarks("127.0.0.1:9445", "--name", "ended.example.lab", "--now", "2099-01-01T00:00:00Z")
    hold("expired" in said, f"an ended certificate: {said}")
    (sighting,) = judge.probe("127.0.0.1:443", "--name", "mail.example.lab", "--versions")["sightings"]
    spoken = [seen["version"] for seen in sighting["versions"] if seen["spoken"]]
    hold(spoken == ["TLS 1.2", "TLS 1.3"], f"versions of nginx: {sighting['versions']}")
    (sighting,) = judge.probe("127.0.0.1:14430/tls", "--name", "old.example.lab", "--versions")["sightings"]
    spoken = [seen["version"] for seen in sighting["versions"] if seen["spoken"]]
    hold(spoken == ["TLS 1.0"], f"versions of an old server: {sighting['versions']}")


def exchange(judge, certificates):
    behave = hostile.exchange(
        (certificates("mx"), certificates("mx", "key")), (certificates("transport"), certificates("transport", "key"))
    )
    hostile.serve(2525, behave)
    both = judge.probe("127.0.0.1:2525/smtp", "127.0.0.1:2525/smtp-anonymous", "--name", "ex1.example.lab")["sightings"]
    leaves = [sighting["presented"]["leaf"]["subject"] for sighting in both]
    hold(leaves == ["CN=mx.example.lab", "CN=EX1-transport"], f"X-ANONYMOUSTLS: {leaves}")


def hostiles(judge):
    first = 15000
    for at, (behave, _, _) in enumerate(hostile.HOSTILE):
        hostile.serve(first + at, behave)
    targets = [f"127.0.0.{at + 2}:{first + at}/{protocol}" for at, (_, protocol, _) in enumerate(hostile.HOSTILE)]
    connect = judge.folder / "connect.toml"
    lines = [f'[names."127.0.0.{at + 2}"]\naddress = "127.0.0.1"\n' for at in range(len(targets))]
    connect.write_text("\n".join(lines))
    begun = time.monotonic()
    found = judge.probe(*targets, "--connect", connect, "--deadline", "3", "--retries", "0")
    elapsed = time.monotonic() - begun
    hold(elapsed < 12, f"hostile servers took {elapsed:.1f} s with a deadline of 3 s")
    for (behave, protocol, wanted), sighting in zip(hostile.HOSTILE, found["sightings"], strict=True):
        word = sighting["outcome"]["is"]
        hold(word in wanted, f"{behave.__name__} by {protocol}: {sighting['outcome']} instead of {wanted}")
    return len(targets)


def names(judge, anchor):
    found = judge.probe(
        "mail.example.lab:443", "--names", "--resolver", "127.0.0.1", "--autodiscover", "example.lab",
        "--mx", "example.lab", "plain.lab", "--trust-anchor", anchor,
    )["names"]
    outside = [one for one in found["resolved"] if one["resolver"] == "127.0.0.1"]
    dig = run("dig", "+short", "@127.0.0.1", "mail.example.lab", "A").stdout.split()
    hold([one["addresses"] for one in outside] == [dig], f"addresses: dig says {dig}, exseal {outside}")
    (way,) = found["autodiscover"]
    steps = {step["by"]: step for step in way["steps"]}
    hold("root-domain-answers" in {remark["name"] for remark in way["remarks"]}, f"the web hoster: {way['remarks']}")
    hold(steps["autodiscover-host"]["sighting"]["presented"]["covers"] is True, "the Autodiscover host has the wildcard")
    hold(steps["http-redirect"].get("leads_to", "").startswith("https://mail."), f"redirect: {steps['http-redirect']}")
    hold(steps["srv"].get("leads_to") == "mail.example.lab:443", f"SRV: {steps['srv']}")
    signed, plain = found["mail"]
    hold(signed["dnssec"] == "secure", f"MX of a signed zone: {signed['dnssec']}")
    fits = [(host["name"], host["dnssec"], [one["fits"] for one in host["tlsa"]]) for host in signed["hosts"]]
    wanted = [("mx.example.lab", "secure", [True]), ("late.example.lab", "secure", [False])]
    hold(fits == wanted, f"TLSA: {fits} instead of {wanted}")
    said = {remark["name"] for remark in signed["remarks"]}
    hold(said == {"tlsa-does-not-fit"}, f"what is said about TLSA: {said}")
    hold(plain["dnssec"] == "insecure", f"MX of a zone without signatures: {plain['dnssec']}")


def merged(judge, certificates):
    """What was seen elsewhere goes into an inventory with its place."""
    seen = judge.folder / "seen.json"
    run(judge.exseal, "probe", "127.0.0.1:443", "--name", "mail.example.lab", "-o", seen, "--seen-from", "the DMZ")
    inventory = json.loads(run(judge.exseal, "discover", "--from", seen, "--json").stdout)
    (one,) = inventory["organisation"]["presented"]["items"]
    leaf = hashlib.sha1(ssl.PEM_cert_to_DER_cert(certificates("mail", "pem").read_text())).hexdigest().upper()
    hold(one["leaf"]["value"] == leaf and one["seen_from"] == "the DMZ", f"merged: {one}")
    said = run(judge.exseal, "discover", "--from", seen).stdout
    hold("seen from the DMZ: 1 certificates presented" in said, f"discover: {said}")
    ends = json.loads(run(judge.exseal, "diagnose", "--from", seen, "--json", "--now", "2099-01-01T00:00:00Z").stdout)
    found = [finding["found"] for finding in ends["findings"] if finding["name"] == "presented-certificate-ends"]
    hold(len(found) == 1 and "seen from the DMZ" in found[0], f"an end seen from elsewhere: {found}")
    result = run(judge.exseal, "probe", "127.0.0.1:717", "--nagios", check=False)
    hold(result.returncode == 2 and "STARTTLS is not offered" in result.stdout, f"nagios: {result.stdout}")


def main():
    folder, exseal = Path(sys.argv[1]).resolve(), sys.argv[2]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    certificates = servers.Certificates(folder / "tls")
    try:
        servers.nginx(folder / "nginx", certificates)
        servers.postfix(folder / "postfix", certificates)
        servers.dovecot(folder / "dovecot", certificates)
        key = run("openssl", "x509", "-in", certificates("mx", "pem"), "-pubkey", "-noout").stdout
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key.encode(), capture_output=True).stdout
        anchor = servers.bind(folder / "bind", hashlib.sha256(der).hexdigest())
        servers.weak(folder / "weak", certificates)
        hosts = folder / "hosts"
        hosts.write_text("127.0.0.1 localhost mail.example.lab mx.example.lab\n")
        run("mount", "--bind", hosts, "/etc/hosts")
        resolv = folder / "resolv.conf"
        resolv.write_text("nameserver 127.0.0.1\n")
        run("mount", "--bind", resolv, "/etc/resolv.conf")

        judge = Judge(folder, exseal, certificates("root", "pem"))
        compared = same_as_openssl(judge)
        judged(judge)
        exchange(judge, certificates)
        bad = hostiles(judge)
        names(judge, anchor)
        merged(judge, certificates)
    finally:
        servers.stop()
    if failures:
        sys.exit("\n".join(failures))
    print(f"{compared} looks as openssl s_client has them, {bad} hostile servers, names with DNSSEC and TLSA")


main()
