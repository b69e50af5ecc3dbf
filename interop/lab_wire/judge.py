"""Judges the sockets of the lab by openssl, curl, smtplib, poplib and imaplib; no code of exseal looks at them.

judge.py FOLDER PROGRAM KDC: the program is the lab's example lab-wire, KDC is interop/kdc/kdc.py.
"""

import imaplib
import json
import os
import pathlib
import poplib
import re
import smtplib
import socket
import ssl
import subprocess
import sys

ORGANISATION = """
domain = "contoso.lab"

[[certificate]]
id = "public"
subject = "CN=public"
names = ["mail.contoso.lab", "PLAIN.contoso.lab", "RULE.contoso.lab"]
age_days = 40

[[certificate]]
id = "newer-public"
subject = "CN=newer-public"
names = ["mail.contoso.lab"]
age_days = 20

[[certificate]]
id = "newest-self"
subject = "CN=newest-self"
names = ["mail.contoso.lab", "pop.contoso.lab"]
issuer = "self"
age_days = 2

[[certificate]]
id = "ended"
subject = "CN=ended"
names = ["mail.contoso.lab"]
age_days = 10
days_left = -1

[[certificate]]
id = "wildcard"
subject = "CN=wildcard"
names = ["*.other.lab"]

[[certificate]]
id = "only-self"
subject = "CN=only-self"
names = ["self.contoso.lab"]
issuer = "self"

[[certificate]]
id = "own"
subject = "CN=own-loopback"
names = ["RULE.contoso.lab"]

[[server]]
name = "PLAIN"
pop = { running = true }
imap = { running = true }

[[server]]
name = "RULE"
front_end = "public"
front_end_loopback = "own"
pop = { running = true, x509_certificate_name = "pop.contoso.lab" }
imap = { running = true, x509_certificate_name = "mail.contoso.lab" }
store = [
  { certificate = "public", smtp = true },
  { certificate = "newer-public", smtp = true },
  { certificate = "newest-self", smtp = true },
  { certificate = "ended", smtp = true },
  { certificate = "wildcard", smtp = true },
  { certificate = "only-self", smtp = true },
  { certificate = "own" },
]
receive_connector = [
  { name = "Default Frontend RULE", fqdn = "mail.contoso.lab" },
  { name = "Client Frontend RULE", fqdn = "host.other.lab" },
  { name = "Outbound Proxy Frontend RULE", fqdn = "self.contoso.lab" },
  { name = "Default RULE", fqdn = "nobody.example" },
]

[[server]]
name = "STRICT"
virtual_directory = [
  { name = "EWS", extended_protection = "Require" },
  { name = "mapi", extended_protection = "Allow" },
  { name = "OAB", windows = false, basic = true },
  { name = "Microsoft-Server-ActiveSync", basic = false, windows = true },
]

[[server]]
name = "BROKEN"
back_end = "none"

[[server]]
name = "EDGE"
role = "edge"
"""

# What facts/exchange.md 2.7 has each port present: server, port, how TLS begins, common name.
TABLE = [
    ("PLAIN", 443, None, "PLAIN"),
    ("PLAIN", 444, None, "PLAIN"),
    ("PLAIN", 25, "smtp", "PLAIN"),
    ("PLAIN", 465, "smtp", "PLAIN"),
    ("PLAIN", 587, "smtp", "PLAIN"),
    ("PLAIN", 2525, "smtp", "PLAIN"),
    ("PLAIN", 110, "pop3", "PLAIN"),
    ("PLAIN", 995, None, "PLAIN"),
    ("PLAIN", 143, "imap", "PLAIN"),
    ("PLAIN", 993, None, "PLAIN"),
    ("RULE", 443, None, "public"),
    ("RULE", "own 443", None, "own-loopback"),
    # Newest of a CA that has not ended: before the newer self-signed one and the newer one that ended.
    ("RULE", 25, "smtp", "newer-public"),
    # A wildcard counts.
    ("RULE", 587, "smtp", "wildcard"),
    # Without one of a CA, a self-signed one.
    ("RULE", 717, "smtp", "only-self"),
    # Nobody has the name: not advertised.
    ("RULE", 2525, "smtp", None),
    ("RULE", 995, None, "newest-self"),
    ("RULE", 110, "pop3", "newest-self"),
    ("RULE", 444, None, "RULE"),
    ("BROKEN", 443, None, "BROKEN"),
    ("BROKEN", 444, None, None),
    ("EDGE", 25, "smtp", "EDGE"),
    ("EDGE", 50636, None, "EDGE"),
]


def presented(at, starttls):
    """The common name openssl is shown; None: no certificate."""
    command = ["openssl", "s_client", "-connect", at, "-servername", "x.example"]
    command += ["-starttls", starttls] if starttls else []
    run = subprocess.run(command, input="", capture_output=True, text=True, timeout=20)
    if "BEGIN CERTIFICATE" not in run.stdout:
        return None
    name = re.search(r"^subject=.*?CN ?= ?([^,\n]+)", run.stdout, re.M)
    return name.group(1).strip() if name else "?"


def curl(*arguments):
    run = subprocess.run(["curl", "-sSki", "--max-time", "20", "--noproxy", "*", *arguments], capture_output=True, text=True)
    return run.stdout if run.returncode == 0 else f"curl {run.returncode} {run.stderr}"


# What setup leaves, and what STRICT's settings say: server, path, what 401 offers.
OFFERS = [
    ("PLAIN", "/ews/exchange.asmx", {"Negotiate", "NTLM"}),
    ("PLAIN", "/mapi/emsmdb/", {"Negotiate", "NTLM"}),
    ("PLAIN", "/oab/", {"Negotiate", "NTLM"}),
    ("PLAIN", "/Microsoft-Server-ActiveSync", {"Basic"}),
    ("PLAIN", "/autodiscover/autodiscover.xml", {"Negotiate", "NTLM", "Basic"}),
    ("PLAIN", "/rpc/rpcproxy.dll", {"Negotiate", "NTLM", "Basic"}),
    ("STRICT", "/oab/", {"Basic"}),
    ("STRICT", "/Microsoft-Server-ActiveSync", {"Negotiate", "NTLM"}),
    ("STRICT", "/ews/exchange.asmx", {"Negotiate", "NTLM"}),
]


def log_ons(at, user, hold):
    """The ways into the front end's directories, by curl's own NTLM, SPNEGO and Basic."""
    known, wrong = f"{user['name']}:{user['password']}", f"{user['name']}:wrong"

    def get(server, path, *arguments):
        # By the name the keytab has a key of.
        host, _, port = at[server, 443].rpartition(":")
        return curl("--connect-to", f"localhost:{port}:{host}:{port}", *arguments, f"https://localhost:{port}{path}")

    def is_in(page):
        return "HTTP/1.1 200" in page and f"{user['name']} logged on" in page

    for server, path, expected in OFFERS:
        page = get(server, path)
        found = {line.split(":", 1)[1].split()[0] for line in page.splitlines() if line.lower().startswith("www-authenticate:")}
        hold(f"{server} {path} offers {sorted(expected)}", " 401 " in page and found == expected, page)
        page = get(server, path, "--ntlm", "-u", known)
        # curl's NTLM binds to no channel: refused where Extended Protection requires one.
        fine = "NTLM" in expected and (server, path) != ("STRICT", "/ews/exchange.asmx")
        hold(f"{server} {path} by NTLM: {fine}", is_in(page) == fine, page)
        hold(f"{server} {path} by NTLM with a wrong password", not is_in(get(server, path, "--ntlm", "-u", wrong)))
        page = get(server, path, "--basic", "-u", known)
        hold(f"{server} {path} by Basic: {'Basic' in expected}", is_in(page) == ("Basic" in expected), page)
        hold(f"{server} {path} by Basic with a wrong password", not is_in(get(server, path, "--basic", "-u", wrong)))
    for path, fine in (("/ews/exchange.asmx", True), ("/oab/", True), ("/Microsoft-Server-ActiveSync", False)):
        page = get("PLAIN", path, "--negotiate", "-u", ":")
        hold(f"PLAIN {path} by Kerberos: {fine}", is_in(page) == fine, page)
    page = get("STRICT", "/mapi/emsmdb/", "--ntlm", "-u", known)
    hold("Extended Protection that allows lets in without a binding", is_in(page), page)
    # One log-on, two requests, one connection.
    host, _, port = at["PLAIN", 443].rpartition(":")
    twice = curl("--ntlm", "-u", known, f"https://{host}:{port}/ews/exchange.asmx", f"https://{host}:{port}/mapi/emsmdb/")
    hold("who logged on once is in for the connection", twice.count("logged on") == 2, twice)


def main():
    folder, program = pathlib.Path(sys.argv[1]), sys.argv[2]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "organisation.toml"
    file.write_text(ORGANISATION)
    realm = {"users": {"admin": "Simulated-1"}, "tickets": ["admin"]}
    kdc = subprocess.Popen([sys.executable, sys.argv[3], json.dumps(realm)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    centre = json.loads(kdc.stdout.readline())
    os.environ["KRB5_CONFIG"] = centre["krb5_conf"]
    os.environ["KRB5CCNAME"] = centre["ccaches"]["admin"]
    lab = subprocess.Popen(
        [program, str(file), centre["service_keytab"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    wrong, judged = [], 0

    def hold(what, fine, found=""):
        nonlocal judged
        judged += 1
        if not fine:
            wrong.append(f"{what}: found {str(found)[:300]!r}")

    try:
        line = lab.stdout.readline()
        if not line:
            raise SystemExit("the lab did not start")
        told = json.loads(line)
        user = told["users"][0]
        at = {(s["server"], f"own {s['port']}" if s["own"] else s["port"]): s["socket"] for s in told["sockets"]}
        for server, port, starttls, expected in TABLE:
            found = presented(at[server, port], starttls)
            hold(f"{server} {port} presents {expected}", found == expected, found)

        def split(server, port):
            host, _, number = at[server, port].rpartition(":")
            return host, int(number)

        anyone = ssl._create_unverified_context()
        with smtplib.SMTP(*split("PLAIN", 25), timeout=20) as smtp:
            smtp.starttls(context=anyone)
            refused = smtp.sendmail("a@contoso.lab", ["b@contoso.lab"], "Subject: x\r\n\r\nbody\r\n")
            hold("mail is taken after STARTTLS", refused == {}, refused)
            hold("no second STARTTLS", "starttls" not in smtp.esmtp_features, smtp.esmtp_features)
        with smtplib.SMTP(*split("PLAIN", 475), timeout=20) as smtp:
            smtp.ehlo()
            features = set(smtp.esmtp_features)
            hold("475 offers X-ANONYMOUSTLS alone", "x-anonymoustls" in features and "starttls" not in features, features)
        pop = poplib.POP3(*split("PLAIN", 110), timeout=20)
        pop.stls(context=anyone)
        hold("POP says it is a simulation", b"simulation" in pop.getwelcome(), pop.getwelcome())
        pop.quit()
        imap = imaplib.IMAP4(*split("PLAIN", 143), timeout=20)
        imap.starttls(ssl_context=anyone)
        hold("IMAP says it is a simulation", b"simulation" in imap.welcome, imap.welcome)
        imap.logout()

        health = curl(f"https://{at['PLAIN', 443]}/owa/healthcheck.htm")
        hold("health", health.endswith("200 OK<br/>PLAIN.CONTOSO.LAB"), health)
        for path in ("/ews/exchange.asmx", "/mapi/", "/rpc/", "/autodiscover/autodiscover.xml"):
            page = curl(f"https://{at['PLAIN', 443]}{path}")
            hold(f"{path} asks who it is", " 401 " in page and "NTLM" in page, page)
        for server, expected in (("PLAIN", True), ("BROKEN", False)):
            base = f"https://{at[server, 443]}"
            form = curl(f"{base}/owa/auth/logon.aspx")
            hold(f"{server}: the form shows", "logonForm" in form and "simulation" in form, form)
            jar = str(folder / f"{server}.jar")
            fields = ["--data-urlencode", f"username={user['name']}", "--data-urlencode", f"password={user['password']}"]
            page = curl("-c", jar, *fields, f"{base}/owa/auth.owa")
            page = curl("-b", jar, f"{base}/owa/")
            body = page.partition("\n\n")[2] or page.partition("\r\n\r\n")[2]
            hold(f"{server}: behind the form", "logged on" in body if expected else page.startswith("HTTP/1.1 200") and body == "", page)
            shell = curl(f"{base}/PowerShell/")
            hold(f"{server}: the shell", ("Cafe-SendFailure" in shell) != expected, shell)

        log_ons(at, user, hold)

        half_open = [socket.create_connection(split("PLAIN", 443), timeout=20) for _ in range(50)]
        for port in (443, 25, 143, 995):
            with socket.create_connection(split("PLAIN", port), timeout=20) as garbage:
                try:
                    garbage.sendall(b"\xff" * 200_000)
                    while garbage.recv(65_536):
                        pass
                except (ConnectionError, TimeoutError):
                    pass
        hold("others are served beside hostile clients", presented(at["PLAIN", 443], None) == "PLAIN")
        for client in half_open:
            client.close()
    finally:
        lab.stdin.close()
        lab.wait(timeout=20)
        kdc.stdin.close()
        kdc.wait(timeout=20)
    hold("the lab ends cleanly", lab.returncode == 0, lab.returncode)
    if wrong:
        raise SystemExit("\n".join(wrong))
    print(f"{judged} statements about {len(TABLE)} certificates and what is spoken hold")


main()
