"""Judges the lab's domain controllers by ldapsearch, openssl, Samba's ldbsearch and Python's ldap3; no code of exseal asks them.

judge.py FOLDER EXSEAL: a folder to work in; the program, whose `lab run` is what is judged.
Exits with 1 and the list of what differs.
"""

import hashlib
import json
import os
import re
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import ldap3
from ldap3.core.exceptions import LDAPException

FOLDER, EXSEAL = Path(sys.argv[1]), sys.argv[2]
NOW = "2026-11-24T09:00:00Z"
PASSWORD = "Simulated-1"
ADMIN = "admin@contoso.lab"
HOST = "dc1.contoso.lab"
DOMAIN = "DC=contoso,DC=lab"
CONFIGURATION = f"CN=Configuration,{DOMAIN}"
ORGANISATION = """
domain = "contoso.lab"
[[server]]
name = "EX1"
[[server]]
name = "EX2"
version = "2016"
[[server]]
name = "EDGE1"
role = "edge"
[[edge_subscription]]
edge = "EDGE1"
[[send_connector]]
name = "Fax, old"
address_spaces = ["SMTP:fax.contoso.lab;1"]
"""
failures = []


def hold(condition, words):
    if not condition:
        failures.append(words)


class Lab:
    """A lab that runs, until the end of the block."""

    def __init__(self, name, more=""):
        self.folder = FOLDER / name
        self.folder.mkdir(parents=True)
        (self.folder / "organisation.toml").write_text(ORGANISATION + more)

    def __enter__(self):
        command = [EXSEAL, "lab", "run", str(self.folder / "organisation.toml"), "--now", NOW, "--until-stdin-closes",
                   "--json", "--connect-file", str(self.folder / "connect.toml")]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.said = ""
        # One document, printed over many lines.
        while True:
            line = self.process.stdout.readline()
            if not line:
                sys.exit("the lab did not start")
            self.said += line
            try:
                self.started = json.loads(self.said)
                break
            except json.JSONDecodeError:
                continue
        controller = self.started["controllers"][0]
        self.address = controller["address"]
        self.ports = {port["port"]: port["at"] for port in controller["ports"]}
        text = (self.folder / "connect.toml").read_text()
        self.roots = self.folder / "roots.pem"
        self.roots.write_text("\n".join(re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", text.replace("\\n", "\n"), re.S)))
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(20)

    def url(self, tls=False):
        return f"ldaps://{self.address}:{self.ports[636]}" if tls else f"ldap://{self.address}:{self.ports[389]}"

    def tool(self, program, *arguments, tls=False, who=(), environment=()):
        """A tool of OpenLDAP, which takes any certificate: names lead nowhere here. Openssl and ldap3 judge the certificate."""
        own = {"LDAPTLS_REQCERT": "never"}
        return subprocess.run([program, "-H", self.url(tls), *who, *arguments], capture_output=True, text=True, timeout=60,
                              env={**os.environ, **own, **dict(environment)})

    def search(self, *arguments, tls=True, who=None, scope="sub", base=CONFIGURATION, environment=()):
        who = ("-x", "-D", ADMIN, "-w", PASSWORD) if who is None else who
        # Lines are not folded, so that they can be told apart.
        found = self.tool("ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-b", base, "-s", scope, *arguments, tls=tls, who=who, environment=environment)
        return Found(found)

    def openssl(self, port, *more):
        command = ["openssl", "s_client", "-connect", f"{self.address}:{self.ports[port]}", "-CAfile", str(self.roots), "-no-CApath", "-no-CAstore",
                   "-verify_return_error", "-verify_hostname", HOST, "-servername", HOST, *more]
        return subprocess.run(command, input="", capture_output=True, text=True, timeout=30)

    def python(self, tls=False, **how):
        trust = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(self.roots), valid_names=[HOST])
        server = ldap3.Server(self.address, port=self.ports[636 if tls else 389], use_ssl=tls, tls=trust, get_info=ldap3.DSA, connect_timeout=10)
        return ldap3.Connection(server, receive_timeout=20, **how)


class Found:
    def __init__(self, result):
        self.code, self.text = result.returncode, result.stdout
        self.why = result.stderr
        self.names = re.findall(r"^dn:(?:: \S+| (.*))$", self.text, re.M)
        self.references = re.findall(r"^# refldap://(\S+)", self.text, re.M)

    def values(self, name):
        return re.findall(rf"^{name}: (.*)$", self.text, re.M)


def tls(lab):
    for port, more in ((636, ()), (389, ("-starttls", "ldap"))):
        seen = lab.openssl(port, *more)
        hold(seen.returncode == 0 and "Verification: OK" in seen.stdout, f"openssl at {port}: {seen.stderr[-300:]}")
    other = lab.openssl(636, "-verify_hostname", "dc9.contoso.lab")
    hold(other.returncode != 0, "openssl takes the certificate for another name")


def log_on(lab):
    root = lab.search("defaultNamingContext", "configurationNamingContext", "dnsHostName", "supportedControl", "vendorName",
                      tls=False, who=("-x",), scope="base", base="")
    hold(root.values("defaultNamingContext") == [DOMAIN] and root.values("configurationNamingContext") == [CONFIGURATION], f"rootDSE: {root.text}")
    hold(root.values("dnsHostName") == [HOST] and "1.2.840.113556.1.4.319" in root.values("supportedControl"), f"rootDSE: {root.text}")
    hold("simulation" in root.text, "rootDSE does not say that it is a simulation")
    anonymous = lab.search("(objectClass=*)", who=("-x",))
    hold(anonymous.code == 1 and "successful bind must be completed" in anonymous.why, f"anonymous: {anonymous.code} {anonymous.why}")
    for name in (ADMIN, "CONTOSO\\admin", "contoso.lab\\viewer", f"CN=admin,CN=Users,{DOMAIN}"):
        for how in ((True, ()), (False, ("-ZZ",)), (False, ())):
            found = lab.search("(cn=EX1)", tls=how[0], who=("-x", *how[1], "-D", name, "-w", PASSWORD), scope="sub")
            hold(found.code == 0 and found.names, f"{name} {how}: {found.code} {found.why}")
    for name, password, data in ((ADMIN, "wrong", "52e"), ("nobody@contoso.lab", PASSWORD, "525"), ("admin@other.lab", PASSWORD, "525")):
        refused = lab.search("(cn=EX1)", who=("-x", "-D", name, "-w", password))
        hold(refused.code == 49 and f"data {data}" in refused.why, f"{name} {password}: {refused.code} {refused.why}")
    me = lab.tool("ldapwhoami", "-x", "-D", ADMIN, "-w", PASSWORD, tls=True)
    hold(me.stdout.strip() == "u:CONTOSO\\admin", f"ldapwhoami: {me.stdout} {me.stderr}")


def searches(lab):
    servers = "(objectCategory=msExchExchangeServer)"
    for rule, bits, expected in (("803", 2, {"EX1", "EX2"}), ("803", 66, set()), ("804", 66, {"EX1", "EX2", "EDGE1"}), ("803", 64, {"EDGE1"})):
        found = lab.search(f"(&{servers}(msExchCurrentServerRoles:1.2.840.113556.1.4.{rule}:={bits}))", "cn")
        hold(set(found.values("cn")) == expected, f"rule {rule} with {bits}: {found.values('cn')}")
    for filter_, expected in (
        ("(networkAddress=ncacn_ip_tcp:ex2.*)", {"EX2"}),
        ("(&" + servers + "(!(cn=EX1)))", {"EX2", "EDGE1"}),
        ("(msExchCurrentServerRoles>=16439)", {"EX2"}),
        ("(msExchCurrentServerRoles<=64)", {"EDGE1"}),
        ("(&" + servers + "(noSuchAttribute=1))", set()),
        ("(cn=Fax\\2c old)", {"Fax, old"}),
    ):
        found = lab.search(filter_, "cn")
        hold(found.code == 0 and set(found.values("cn")) == expected, f"{filter_}: {found.code} {found.values('cn')}")
    hold(lab.search("(cn=EX1)").references == ["contoso.lab/CN=Schema,CN=Configuration,DC=contoso,DC=lab"], "no reference to the schema")
    below = lab.search("(objectClass=*)", "name", scope="one")
    hold(below.values("name") == ["Partitions", "Services", "Sites"], f"one level: {below.values('name')}")
    name = lab.search("(cn=Fax\\2c old)", "1.1").names
    hold(name and name[0].startswith("CN=Fax\\, old,CN=Connections,"), f"escaped name: {name}")
    base = lab.search("(objectClass=*)", "+", base=name[0], scope="base")
    hold(base.values("canonicalName") and not base.values("cn"), f"+: {base.text}")
    everything = lab.search("(objectClass=*)", "*", base=name[0], scope="base")
    hold(everything.values("cn") and not everything.values("canonicalName"), f"*: {everything.text}")
    types = lab.search("-A", "(objectClass=*)", "cn", base=name[0], scope="base")
    hold("cn:" in types.text and not types.values("cn"), f"types only: {types.text}")
    for base, code, words in (("DC=other,DC=example", 10, "ldap://other.example/DC=other,DC=example"), (f"CN=Nobody,CN=Users,{DOMAIN}", 32, f"CN=Users,{DOMAIN}"),
                              ("nobody", 34, "BAD_NAME")):
        found = lab.search("(objectClass=*)", base=base)
        hold(found.code == code and words in found.why, f"{base}: {found.code} {found.why}")
    equal = lab.tool("ldapcompare", "-x", "-D", ADMIN, "-w", PASSWORD, name[0], "msExchSmtpSendPort:25", tls=True)
    other = lab.tool("ldapcompare", "-x", "-D", ADMIN, "-w", PASSWORD, name[0], "msExchSmtpSendPort:26", tls=True)
    hold((equal.returncode, other.returncode) == (6, 5), f"compare: {equal.returncode} {other.returncode}")
    deleted = lab.tool("ldapdelete", "-x", "-D", ADMIN, "-w", PASSWORD, name[0], tls=True)
    hold(deleted.returncode == 53 and lab.search("(cn=Fax\\2c old)", "1.1").names, f"delete: {deleted.returncode} {deleted.stderr}")
    unknown = lab.tool("ldapexop", "-x", "-D", ADMIN, "-w", PASSWORD, "1.2.3.4", tls=True)
    hold("Protocol error (2)" in unknown.stdout + unknown.stderr, f"unknown operation: {unknown.stdout} {unknown.stderr}")
    critical = lab.search("-E", "!1.2.3.4", "(cn=EX1)")
    hold(critical.code == 12, f"unknown control: {critical.code} {critical.why}")
    held = lab.search("(&" + servers + "(cn=EX1))", "msExchServerInternalTLSCert")
    value = re.findall(r"^msExchServerInternalTLSCert:: (.*)$", held.text, re.M)
    serialised = __import__("base64").b64decode(value[0]) if value else b""
    seen = ssl.get_server_certificate(back_end(lab))
    der = ssl.PEM_cert_to_DER_cert(seen)
    hold(serialised.endswith(der) and hashlib.sha1(der).digest() in serialised, "the internal transport certificate is not the server's own")


def back_end(lab):
    """Where EX1 presents its own certificate: 444."""
    server = next(one for one in lab.started["servers"] if one["name"] == "EX1")
    return server["address"], next(port["at"] for port in server["ports"] if port["port"] == 444)


def limits(lab):
    """Here a page has 20 objects at most."""
    cut = lab.search("(objectClass=*)", "1.1")
    hold(cut.code == 4 and len(cut.names) == 20, f"without pages: {cut.code}, {len(cut.names)}")
    few = lab.search("-z", "3", "(objectClass=*)", "1.1")
    hold(few.code == 4 and len(few.names) == 3, f"three at most: {few.code}, {len(few.names)}")
    pages = {size: lab.search("-E", f"pr={size}/noprompt", "(objectClass=*)", "1.1") for size in (7, 20, 500)}
    hold(all(found.code == 0 for found in pages.values()), f"pages: {[found.why for found in pages.values()]}")
    names = [found.names for found in pages.values()]
    hold(names[0] == names[1] == names[2] and len(set(names[0])) == len(names[0]) > 80, f"pages: {[len(own) for own in names]}")
    # Of searches that are not at their end, ten are kept; the first of twelve is gone, and so is one that asks something else.
    with lab.python(tls=True, user=ADMIN, password=PASSWORD) as connection:
        cookies = []
        for _ in range(12):
            connection.search(CONFIGURATION, "(objectClass=*)", paged_size=1, attributes=["1.1"])
            cookies.append(connection.result["controls"]["1.2.840.113556.1.4.319"]["value"]["cookie"])
        for at, filter_, code in ((0, "(objectClass=*)", 12), (11, "(objectClass=server)", 12), (10, "(objectClass=*)", 0)):
            connection.search(CONFIGURATION, filter_, paged_size=5, paged_cookie=cookies[at], attributes=["1.1"])
            hold(connection.result["result"] == code, f"cookie {at}: {connection.result}")


def negotiate(lab, signing):
    """NTLM by GSS-SPNEGO and by the binds before it, sealed; where `signing` is wanted, nothing else is let in."""
    (lab.folder / "krb5.conf").write_text("[libdefaults]\n default_realm = CONTOSO.LAB\n dns_lookup_kdc = false\n rdns = false\n")
    (lab.folder / "ntlm").write_text(f"CONTOSO:admin:{PASSWORD}\n")
    environment = {"KRB5_CONFIG": str(lab.folder / "krb5.conf"), "NTLM_USER_FILE": str(lab.folder / "ntlm")}
    for properties in ("minssf=56", "maxssf=1,minssf=1"):
        who = ("-Q", "-N", "-Y", "GSS-SPNEGO", "-O", properties)
        found = lab.search("(objectClass=msExchExchangeServer)", "cn", tls=False, who=who, environment=environment)
        hold(found.code == 0 and set(found.values("cn")) == {"EX1", "EX2", "EDGE1"}, f"ldapsearch by NTLM, {properties}: {found.code} {found.why}")
    (lab.folder / "ntlm").write_text("CONTOSO:admin:wrong\n")
    refused = lab.search("(cn=EX1)", tls=False, who=("-Q", "-N", "-Y", "GSS-SPNEGO"), environment=environment)
    hold(refused.code == 49, f"ldapsearch by NTLM with a wrong password: {refused.code} {refused.why}")
    for wrapping in ("sign", "seal"):
        command = ["ldbsearch", "-H", lab.url(), "-U", f"CONTOSO\\admin%{PASSWORD}", "--use-kerberos=off", "--configfile=/dev/null",
                   f"--option=client ldap sasl wrapping={wrapping}", "-b", CONFIGURATION, "(objectClass=msExchExchangeServer)", "cn"]
        samba = subprocess.run(command, capture_output=True, text=True, timeout=60)
        hold(samba.returncode == 0 and len(re.findall(r"^cn: ", samba.stdout, re.M)) == 3, f"ldbsearch, {wrapping}: {samba.stdout[-200:]} {samba.stderr[-300:]}")
    for security, tls_, code in ((None, False, 8 if signing else 0), ("ENCRYPT", False, 0), (None, True, 0)):
        more = {"session_security": security} if security else {}
        connection = lab.python(tls=tls_, user="CONTOSO\\admin", password=PASSWORD, authentication=ldap3.NTLM, **more)
        connection.bind()
        hold(connection.result["result"] == code, f"ldap3 by NTLM, {security}, TLS {tls_}: {connection.result}")
        if code == 0:
            connection.search(CONFIGURATION, "(objectClass=*)", paged_size=50, attributes=["cn"])
            hold(len(connection.entries) > 15, f"ldap3 by NTLM, {security}: {len(connection.entries)} objects")
        connection.unbind()
    simple = lab.search("(cn=EX1)", tls=False)
    hold(simple.code == (8 if signing else 0), f"a password in clear text: {simple.code} {simple.why}")
    hold(lab.search("(cn=EX1)").code == 0, "a password within TLS")


def element(tag, content):
    length = len(content)
    return bytes([tag, 0x84]) + length.to_bytes(4, "big") + content


def raw(lab, *messages):
    """What a controller says to bytes, until it closes or is silent."""
    with socket.create_connection((lab.address, lab.ports[389]), 10) as connection:
        connection.settimeout(4)
        said = b""
        try:
            for message in messages:
                connection.sendall(message)
            while piece := connection.recv(65536):
                said += piece
            return said, True
        except (ConnectionError, BrokenPipeError):
            return said, True
        except TimeoutError:
            return said, False


def question(filter_):
    """A search of the configuration, message 2, after a log-on as message 1."""
    bind = element(0x30, b"\x02\x01\x01" + element(0x60, b"\x02\x01\x03" + element(4, ADMIN.encode()) + element(0x80, PASSWORD.encode())))
    search = element(4, CONFIGURATION.encode()) + b"\x0a\x01\x02\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00" + filter_ + element(0x30, b"")
    return bind, element(0x30, b"\x02\x01\x02" + element(0x63, search))


def hostile(lab):
    notice = b"1.3.6.1.4.1.1466.20036"
    for what, bytes_ in (("garbage", b"GET / HTTP/1.1\r\n\r\n"), ("a length of gigabytes", b"\x30\x84\x7f\xff\xff\xff"), ("no length", b"\x30\x80\x00\x00"),
                         ("a response", element(0x30, b"\x02\x01\x01\x65\x00")), ("zeros", bytes(1000)), ("no number", element(0x30, b"\x42\x00"))):
        said, closed = raw(lab, bytes_)
        hold(closed and notice in said, f"{what}: {said[:80]!r}, closed {closed}")
    deep = element(0x87, b"objectClass")
    for _ in range(60):
        deep = element(0xA2, deep)
    said, _ = raw(lab, *question(deep))
    hold(b"\x02\x01\x02\x65" in said, f"a filter 60 deep: {said[-80:]!r}")
    for _ in range(5000):
        deep = element(0xA2, deep)
    said, _ = raw(lab, *question(deep))
    hold(notice in said, f"a filter 5060 deep: {said[-120:]!r}")
    wide = element(0xA1, element(0x87, b"cn") * 3000)
    said, _ = raw(lab, *question(wide))
    hold(b"too many parts" in said, f"a filter of 3000 parts: {said[-160:]!r}")
    huge = element(0xA3, element(4, b"cn") + element(4, b"x" * 400_000))
    said, closed = raw(lab, *question(huge))
    hold(closed and notice in said, f"a filter of 400,000 bytes: {said[-120:]!r}")
    # Half a message each: others are served beside them.
    held = []
    for _ in range(150):
        connection = socket.create_connection((lab.address, lab.ports[389]), 10)
        connection.sendall(b"\x30\x84\x00\x00\x10\x00\x02")
        held.append(connection)
    hold(lab.search("(cn=EX1)", tls=False).code == 0, "nobody is served beside half-open connections")
    for connection in held:
        connection.close()
    # Clear text behind StartTLS is not taken for protected.
    start = element(0x30, b"\x02\x01\x01" + element(0x77, element(0x80, b"1.3.6.1.4.1.1466.20037")))
    said, closed = raw(lab, start + question(element(0x87, b"cn"))[0])
    hold(closed and b"\x61" not in said[40:], f"clear text behind StartTLS: {said!r}, closed {closed}")
    try:
        with lab.python(user=ADMIN, password=PASSWORD) as connection:
            hold(connection.search(CONFIGURATION, "(cn=EX1)"), "after all this: not found")
    except LDAPException as error:
        failures.append(f"after all this: {error}")


def main():
    with Lab("plain") as lab:
        for judge in (tls, log_on, searches, hostile):
            judge(lab)
        negotiate(lab, signing=False)
    with Lab("strict", "[directory]\nmax_page_size = 20\nrequire_signing = true\n") as lab:
        limits(lab)
        negotiate(lab, signing=True)
    if failures:
        print("\n".join(failures))
        sys.exit(1)
    print("binds, TLS, NTLM, searches, pages, limits, referrals and hostile clients by ldapsearch, openssl, ldbsearch and ldap3")


main()
