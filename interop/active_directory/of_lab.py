"""The same tree twice: the lab's own domain controller, and a Samba AD that was given the lab's objects.

What the lab shows is taken by ldapsearch and written into Samba as LDIF; Samba's schema takes it or not. Nothing of exseal but
the lab itself is in between.
"""

import json
import os
import re
import resource
import subprocess

NOW = "2026-11-24T09:00:00Z"
CONTAINER = "CN=Microsoft Exchange,CN=Services,CN=Configuration,DC=contoso,DC=lab"
# What a directory writes itself, and a reference to an account outside of this tree.
OWN = {"distinguishedName", "cn", "name", "instanceType", "whenCreated", "whenChanged", "objectGUID", "objectCategory", "msExchAuthLinkedAccount"}

ORGANISATION = """
name = "Contoso Lab"
domain = "contoso.lab"
namespace = "mail.contoso.lab"
public = "public"

[[certificate]]
id = "public"
names = ["mail.contoso.lab", "autodiscover.contoso.lab"]

[[certificate]]
id = "federation"
subject = "CN=Federation"
issuer = "self"

[[certificate]]
id = "auth-next"
subject = "CN=Microsoft Exchange Server Auth Certificate"
issuer = "self"

[auth]
next = "auth-next"
previous = "00112233445566778899AABBCCDDEEFF00112233"
next_effective = "2026-12-24T12:00:00Z"

[[accepted_domain]]
domain = "contoso.lab"
default = true

[[accepted_domain]]
domain = "*.partner.lab"
kind = "ExternalRelay"

[federation]
current = "federation"

[hybrid]
tls_certificate_name = "public"
domains = ["contoso.lab"]
smart_host = "mail.contoso.lab"
edge = ["EDGE1"]

[[send_connector]]
name = "Outbound to Office 365"
address_spaces = ["SMTP:contoso.mail.onmicrosoft.com;1"]
sources = ["EX1", "EX2"]
fqdn = "mail.contoso.lab"
tls_certificate_name = "public"
require_tls = true
tls_auth_level = "CertificateValidation"
tls_domain = "mail.protection.outlook.com"
cloud_services_mail = true
frontend_proxy = true

[[send_connector]]
name = "Fax, old"
address_spaces = ["SMTP:fax.contoso.lab;1"]
sources = ["EX1"]
smart_hosts = ["[192.0.2.7]"]
ignore_starttls = true
enabled = false

[[send_connector]]
name = "Partner"
address_spaces = ["SMTP:partner.lab;1"]
tls_auth_level = "DomainValidation"
domain_secure = true

[[override]]
name = "EnableSigningVerification"
component = "Data"
section = "EnableSerializationDataSigning"
parameters = ["Enabled=true"]
reason = "Enabling <Signing> & Verification"
servers = ["EX1"]

[[edge_subscription]]
edge = "EDGE1"

[[server]]
name = "EDGE1"
role = "edge"

[[server]]
name = "EX1"
[[server.store]]
certificate = "federation"
[[server.store]]
certificate = "auth-next"
[[server.receive_connector]]
name = "Default Frontend EX1"
tls_certificate_name = "public"
[[server.receive_connector]]
name = "Relay, ünsafe"
ports = [26]
domain_secure = true
enabled = false
require_tls = true
[server.pop]
x509_certificate_name = "mail.contoso.lab"
external = ["mail.contoso.lab:995:SSL"]
"""


def organisation(servers):
    """A file of as many servers, an Edge among them, of all products."""
    text = ORGANISATION
    for number in range(2, servers):
        version = {2: "2016", 4: "2010", 5: "2013"}.get(number, "SE" if number % 2 else "2019")
        text += f'\n[[server]]\nname = "EX{number}"\nversion = "{version}"\n'
        if number == 7:
            text += "[[server.receive_connector]]\nname = \"Default EX7\"\nsuppress_x_anonymous_tls = true\n"
    return text


class Lab:
    """A lab that runs, until the end of the block."""

    def __init__(self, exseal, folder, servers, user, keytab, more=""):
        self.exseal, self.folder, self.keytab = exseal, folder, keytab
        folder.mkdir(parents=True)
        (folder / "organisation.toml").write_text(organisation(servers) + f'\n[[user]]\nname = "{user}"\n' + more)
        self.user = user

    def __enter__(self):
        # Each port is a file.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self.connect = self.folder / "connect.toml"
        command = [self.exseal, "lab", "run", str(self.folder / "organisation.toml"), "--now", NOW, "--until-stdin-closes", "--json", "--connect-file", str(self.connect), "--keytab", str(self.keytab)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "EXSEAL_LABS": str(self.folder / "labs")})
        said = ""
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError("the lab did not start")
            said += line
            try:
                controller = json.loads(said)["controllers"][0]
                break
            except json.JSONDecodeError:
                continue
        port = next(port["at"] for port in controller["ports"] if port["port"] == 389)
        self.url = f"ldap://{controller['address']}:{port}"
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)

    def ldif(self):
        """The objects of Exchange, as a change that adds them; how many there are."""
        command = ["ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-x", "-H", self.url, "-D", f"{self.user}@contoso.lab", "-w", "Simulated-1",
                   "-E", "pr=500/noprompt", "-b", CONTAINER, "(objectClass=*)", "*"]
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
        entries = []
        for block in found.split("\n\n"):
            lines = [line for line in block.splitlines() if line and not line.startswith("#")]
            if not lines:
                continue
            # Of the classes the last one says it all.
            class_ = [line for line in lines if line.startswith("objectClass: ")][-1]
            own = [line for line in lines[1:] if re.match(r"[^:;]+", line)[0] not in OWN | {"objectClass"}]
            # What points to servers comes behind them.
            late = any(re.match("msExch(SourceBridgeheadServersDN|Coexistence.*Servers)", line) for line in own)
            entries.append((late, "\n".join([lines[0], "changetype: add", class_, *own]) + "\n"))
        entries.sort(key=lambda entry: entry[0])
        return "\n".join(entry for _, entry in entries), len(entries)


def anonymous(value):
    """An inventory without addresses, and with lists in an order of their own: a directory keeps none."""
    if isinstance(value, dict):
        return {key: anonymous(one) for key, one in sorted(value.items())}
    if isinstance(value, list):
        return sorted((anonymous(one) for one in value), key=lambda one: json.dumps(one, sort_keys=True))
    if isinstance(value, str):
        return re.sub(r"ldaps?://\S*", "URL", value)
    return value


def different(one, other, place=""):
    """Where two inventories differ, in words."""
    if type(one) is not type(other):
        return [f"{place}: {one!r} in the lab, {other!r} in Samba"]
    if isinstance(one, dict):
        return [words for key in sorted(one.keys() | other.keys()) for words in different(one.get(key), other.get(key), f"{place}.{key}")]
    if isinstance(one, list) and len(one) == len(other):
        return [words for at, (left, right) in enumerate(zip(one, other)) for words in different(left, right, f"{place}[{at}]")]
    return [] if one == other else [f"{place}: {str(one)[:300]} in the lab, {str(other)[:300]} in Samba"]
