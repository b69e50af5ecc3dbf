"""An Exchange organisation as LDIF for a throw-away Samba AD, and what a reader has to see in it.

usage: tree.py FOLDER FIRST LAST

Writes FOLDER/tree-FIRST-LAST.ldif and FOLDER/expected-LAST.json. Servers are numbered from 1; the organisation itself
comes with server 1. The expected values are written down here beside the attributes they come from, by what
facts about Exchange say (the bits, the prefixes, the 30000), and share nothing with the reader.
"""

import base64
import hashlib
import json
import os
import struct
import subprocess
import sys

FOREST = "DC=contoso,DC=lab"
CONFIGURATION = f"CN=Configuration,{FOREST}"
ORG = f"CN=Contoso Org,CN=Microsoft Exchange,CN=Services,{CONFIGURATION}"
GROUP = f"CN=Exchange Administrative Group (FYDIBOHF23SPDLT),CN=Administrative Groups,{ORG}"
SERVERS = f"CN=Servers,{GROUP}"
SITE = f"CN=Default-First-Site-Name,CN=Sites,{CONFIGURATION}"
TLS_NAME = (
    "<I>CN=mail.contoso.lab, O=Example CA Inc, C=US<S>CN=mail.contoso.lab, O=Example CA Inc, C=US"
)
PREVIOUS = "00112233445566778899AABBCCDDEEFF00112233"


class Tree:
    def __init__(self):
        self.entries = []

    def add(self, dn, class_, **attributes):
        lines = [f"dn: {dn}", "changetype: add", f"objectClass: {class_}"]
        for name, values in attributes.items():
            for value in values if isinstance(values, list) else [values]:
                if value is None:
                    continue
                if isinstance(value, bool):
                    value = "TRUE" if value else "FALSE"
                if isinstance(value, str) and (value[:1] in "<: " or not value.isascii()):
                    value = value.encode()
                if isinstance(value, bytes):
                    lines.append(f"{name}:: {base64.b64encode(value).decode()}")
                else:
                    lines.append(f"{name}: {value}")
        self.entries.append("\n".join(lines) + "\n")


class Certificates:
    """Certificates by name; made once a folder. One for many servers: the template with another signature."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "certificates")
        os.makedirs(self.folder, exist_ok=True)

    def make(self, name, subject, names=()):
        path = os.path.join(self.folder, name)
        if not os.path.exists(path + ".der"):
            command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1825"]
            command += ["-keyout", path + ".key", "-out", path + ".pem", "-subj", subject]
            if names:
                command += ["-addext", "subjectAltName=" + ",".join("DNS:" + one for one in names)]
            subprocess.run(command, check=True, capture_output=True)
            der = ["openssl", "x509", "-in", path + ".pem", "-outform", "DER", "-out", path + ".der"]
            subprocess.run(der, check=True)
        with open(path + ".der", "rb") as file:
            return file.read()

    def of_server(self, number):
        der = bytearray(self.make("server", "/CN=server", ["server", "server.contoso.lab"]))
        der[-4:] = struct.pack(">I", number)
        return bytes(der)


def thumbprint(der):
    return hashlib.sha1(der).hexdigest().upper()


def serialised(der, friendly=None, container=None):
    """CryptoAPI's serialised form: {u32 property, u32 encoding 1, u32 length, bytes}*, property 32 is the certificate."""

    def record(id_, value):
        return struct.pack("<III", id_, 1, len(value)) + value

    out = b""
    if friendly:
        out += record(11, (friendly + "\0").encode("utf-16le"))
    if container:
        name = (container + "\0").encode("utf-16le")
        out += record(2, struct.pack("<7I", 28, 0, 12, 0x20, 0, 0, 1) + name + b"\0\0")
    return out + record(3, hashlib.sha1(der).digest()) + record(32, der)


def organisation(tree, certificates, expected):
    auth = certificates.make("auth-current", "/CN=Microsoft Exchange Server Auth Certificate")
    following = certificates.make("auth-next", "/CN=Microsoft Exchange Server Auth Certificate")
    federation = certificates.make("federation", "/CN=Federation")
    public = certificates.make("public", "/C=US/O=Example CA Inc/CN=mail.contoso.lab", ["mail.contoso.lab"])
    add = tree.add
    add(f"CN=Microsoft Exchange,CN=Services,{CONFIGURATION}", "msExchConfigurationContainer")
    add(ORG, "msExchOrganizationContainer", legacyExchangeDN="/o=Contoso Org")
    add(f"CN=Administrative Groups,{ORG}", "msExchAdminGroupContainer")
    add(GROUP, "msExchAdminGroup")
    add(SERVERS, "msExchServersContainer")

    routing = f"CN=Exchange Routing Group (DWBGZMFD01QNBJR),CN=Routing Groups,{GROUP}"
    add(f"CN=Routing Groups,{GROUP}", "msExchContainer")
    add(routing, "msExchContainer")
    add(f"CN=Connections,{routing}", "msExchContainer")

    config = f"CN=Auth Configuration,{ORG}"
    add(
        config,
        "msExchAuthAuthConfig",
        msExchAuthCertificateThumbprint=[f"2:{thumbprint(following)}", f"0:{thumbprint(auth)}", f"1:{PREVIOUS}"],
        msExchAuthNextEffectiveDate="20261224120000.0Z",
        msExchAuthApplicationIdentifier="00000002-0000-0ff1-ce00-000000000000",
        msExchAuthRealm="contoso.lab",
    )
    add(f"CN=Partner Applications,{config}", "msExchContainer")
    add(
        f"CN=Exchange Online,CN=Partner Applications,{config}",
        "msExchAuthPartnerApplication",
        msExchAuthApplicationIdentifier="00000002-0000-0ff1-ce00-000000000000",
        msExchAuthFlags=1,
        msExchAuthCertificateData=[public],
    )
    trusts = f"CN=Federation Trusts,{ORG}"
    add(trusts, "msExchContainer")
    add(
        f"CN=Microsoft Federation Gateway,{trusts}",
        "msExchFedTrust",
        msExchFedOrgPrivCertificate=thumbprint(federation),
        msExchFedOrgCertificate=serialised(federation),
        msExchFedApplicationUri="FYDIBOHF25SPDLT.contoso.lab",
    )
    hybrid = f"CN=Hybrid Configuration,{ORG}"
    add(hybrid, "msExchContainer")
    settings = f"CN=Transport Settings,{ORG}"
    add(settings, "msExchContainer")
    domains = f"CN=Accepted Domains,{settings}"
    add(domains, "msExchContainer")
    for name, flags in [("contoso.lab", 4 | 8), ("contoso.mail.onmicrosoft.com", 8 | 2048), ("*.partner.lab", 1)]:
        add(
            f"CN={name},{domains}",
            "msExchAcceptedDomain",
            msExchAcceptedDomainName=name,
            msExchAcceptedDomainFlags=flags,
        )
    add(f"CN=Global Settings,{ORG}", "msExchContainer")
    overrides = f"CN=Setting Overrides,CN=Global Settings,{ORG}"
    add(overrides, "msExchContainer")
    add(
        f"CN=EnableSigningVerification,{overrides}",
        "msExchConfigSettings",
        msExchConfigurationXML='<S CN="Data" SN="EnableSerializationDataSigning" MB="contoso.lab/Users/Administrator" '
        'R="Enabling Signing Verification"><Ps><P>Enabled=true</P></Ps></S>',
    )
    expected["organisation"] = {
        "name": "Contoso Org",
        "auth": {
            "current": thumbprint(auth),
            "previous": PREVIOUS,
            "next": thumbprint(following),
            "next_effective": "2026-12-24T12:00:00Z",
            "realm": "contoso.lab",
        },
        "partners": {"Exchange Online": {"enabled": True, "certificates": [thumbprint(public)]}},
        "federation": {
            "Microsoft Federation Gateway": {
                "current": thumbprint(federation),
                "application_uri": "FYDIBOHF25SPDLT.contoso.lab",
            }
        },
        "domains": {
            "contoso.lab": {"domain_name": "contoso.lab", "domain_type": "Authoritative", "default": True},
            "contoso.mail.onmicrosoft.com": {
                "domain_name": "contoso.mail.onmicrosoft.com",
                "domain_type": "Authoritative",
                "default": False,
            },
            # 1 is a type whose name nobody knows for sure: unknown, never guessed.
            "*.partner.lab": {"domain_name": "*.partner.lab", "domain_type": None, "default": False},
        },
        "overrides": {
            "EnableSigningVerification": {
                "component": "Data",
                "section": "EnableSerializationDataSigning",
                "parameters": ["Enabled=true"],
            }
        },
    }


def after_servers(tree, expected):
    """Objects that point to servers 1 and 2, which have to be there before."""
    routing = f"CN=Exchange Routing Group (DWBGZMFD01QNBJR),CN=Routing Groups,{GROUP}"
    tree.add(
        f"CN=Outbound to Office 365,CN=Connections,{routing}",
        "msExchRoutingSMTPConnector",
        msExchSMTPSendConnectorFQDN="mail.contoso.lab",
        msExchSmtpTLSCertificate=TLS_NAME,
        msExchSmtpSendTlsDomain="mail.protection.outlook.com",
        msExchSmtpSendFlags=131072 | 8192 | (2 << 4),
        msExchSmtpOutboundSecurityFlag=4,
        msExchSmtpSendPort=25,
        msExchSmtpSendProtocolLoggingLevel=1,
        msExchSmtpSendEnabled=True,
        routingList=["SMTP:contoso.mail.onmicrosoft.com;1"],
        msExchSourceBridgeheadServersDN=[f"CN=EX2,{SERVERS}", f"CN=EX1,{SERVERS}"],
    )
    # A comma in the name, no certificate, mail that never goes encrypted.
    tree.add(
        f"CN=Fax\\, old,CN=Connections,{routing}",
        "msExchRoutingSMTPConnector",
        msExchSmtpOutboundSecurityFlag=0x800000,
        msExchSmtpSendFlags=2,
        msExchSmtpSmartHost="[192.0.2.7]",
        msExchSmtpSendEnabled=False,
        routingList=["SMTP:fax.contoso.lab;1"],
        msExchSourceBridgeheadServersDN=[f"CN=EX1,{SERVERS}"],
    )
    tree.add(
        f"CN=Hybrid Configuration,CN=Hybrid Configuration,{ORG}",
        "msExchCoexistenceRelationship",
        msExchCoexistenceSecureMailCertificateThumbprint=TLS_NAME,
        msExchCoexistenceDomains=["contoso.lab"],
        msExchCoexistenceOnPremisesSmartHost="mail.contoso.lab",
        msExchCoexistenceTransportServers=[f"CN=EX1,{SERVERS}"],
    )
    expected["organisation"]["hybrid"] = {
        "present": True,
        "tls_certificate_name": TLS_NAME,
        "on_premises_smart_host": "mail.contoso.lab",
        "domains": ["contoso.lab"],
    }
    expected["organisation"]["send"] = {
        "Outbound to Office 365": {
            "fqdn": "mail.contoso.lab",
            "tls_certificate_name": TLS_NAME,
            "tls_domain": "mail.protection.outlook.com",
            "tls_auth_level": "CertificateValidation",
            "cloud_services_mail_enabled": True,
            "frontend_proxy_enabled": True,
            "require_tls": True,
            "ignore_starttls": False,
            "enabled": True,
            "port": 25,
            "protocol_logging_level": "Verbose",
            "address_spaces": ["SMTP:contoso.mail.onmicrosoft.com;1"],
            "source_transport_servers": ["EX1", "EX2"],
            "smart_hosts": [],
        },
        "Fax, old": {
            "fqdn": None,
            "tls_certificate_name": None,
            "tls_auth_level": None,
            "ignore_starttls": True,
            "require_tls": False,
            "enabled": False,
            "cloud_services_mail_enabled": False,
            "address_spaces": ["SMTP:fax.contoso.lab;1"],
            "source_transport_servers": ["EX1"],
            "smart_hosts": ["[192.0.2.7]"],
        },
    }


def server(tree, certificates, number, expected):
    """Server 1 is a 2019, 2 a 2016, 3 an Edge server that keeps its certificate as plain DER, 4 a 2010, the rest SE."""
    edge, old = number == 3, number == 4
    name = "EDGE1" if edge else f"EX{number}"
    fqdn = f"{name.lower()}.contoso.lab"
    major, minor, build, revision = {1: (15, 2, 1544, 9), 2: (15, 1, 2507, 6), 3: (15, 2, 1118, 7), 4: (14, 3, 123, 4)}.get(
        number, (15, 2, 2562, 17)
    )
    roles = {2: 16439, 3: 64, 4: 2 + 4 + 32}.get(number, 16423)
    der = certificates.of_server(number)
    dn = f"CN={name},{SERVERS}"
    # 2010 servers keep no such certificate, and one server's serialised form has properties before the certificate.
    held = None if old else der if edge else serialised(der, "Microsoft Exchange", "8de84f7e-f403-4215" if number == 1 else None)
    tree.add(
        dn,
        "msExchExchangeServer",
        serialNumber=f"Version {major}.{minor} (Build {30000 + build}.{revision:03d})",
        versionNumber=0x70000000 | (major << 22) | (minor << 16) | 0x8000 | build,
        msExchCurrentServerRoles=roles,
        networkAddress=[f"ncacn_vns_spp:{name}", f"netbios:{name}", f"ncacn_np:{name}", f"ncacn_ip_tcp:{fqdn}"],
        msExchServerInternalTLSCert=held,
        msExchServerSite=SITE,
        # A stand-in for what exseal must never ask for.
        msExchEdgeSyncCredential=None if edge or old else [b"<EdgeSyncCredential>never-to-be-read</EdgeSyncCredential>"],
    )
    seen = {
        "fqdn": fqdn,
        "build": f"{major}.{minor}.{build}.{revision}",
        "roles": {3: ["Edge"], 4: ["Mailbox", "HubTransport"]}.get(number, ["Mailbox"]),
        "site": "Default-First-Site-Name",
        "internal_transport": None if old else thumbprint(der),
        "receive": {},
        "directories": {},
        "protocols": {},
    }
    expected["servers"][name] = seen
    if edge:
        expected["edge"][name] = {
            "site": "Default-First-Site-Name",
            "domain": "contoso.lab",
            "certificate": thumbprint(der),
        }
    protocols = f"CN=Protocols,{dn}"
    tree.add(protocols, "protocolCfgSharedServer")
    connectors = f"CN=SMTP Receive Connectors,{protocols}"
    tree.add(connectors, "msExchContainer")
    rows = [
        (f"Default Frontend {name}", 25, 16384, 1, TLS_NAME, True, 0),
        (f"Client Frontend {name}", 587, 16384, 0, TLS_NAME, True, 0),
        (f"Default {name}", 2525, 32, 0, None, None, 4096 if number == 2 else 0),
        (f"Relay {name}", 26, 16384, 0, None, False, 512),
    ]
    if edge:
        rows = [(f"Default internal receive connector {name}", 25, 64, 0, None, True, 0)]
    for connector, port, role, logging, tls, enabled, options in rows:
        tree.add(
            f"CN={connector},{connectors}",
            "msExchSmtpReceiveConnector",
            msExchSMTPReceiveConnectorFQDN=fqdn,
            msExchSmtpReceiveBindings=[f"[::]:{port}", f"0.0.0.0:{port}"],
            msExchSmtpReceiveRemoteIPRanges=["0.0.0.0-255.255.255.255"],
            msExchSMTPReceiveInboundSecurityFlag=29,
            msExchSmtpReceiveProtocolOptions=options,
            msExchSmtpReceiveProtocolRestrictions=8 if port == 587 else 0,
            msExchSmtpReceiveProtocolLoggingLevel=logging,
            msExchSmtpReceiveRole=role,
            msExchSmtpReceiveEnabled=enabled,
            msExchSmtpTLSCertificate=tls,
        )
        seen["receive"][connector] = {
            "fqdn": fqdn,
            "bindings": sorted([f"[::]:{port}", f"0.0.0.0:{port}"]),
            "tls_certificate_name": tls,
            # Not set means on.
            "enabled": enabled is not False,
            "auth_mechanism": ["Tls", "BasicAuth", "BasicAuthRequireTLS", "ExchangeServer"],
            "require_tls": port == 587,
            "suppress_x_anonymous_tls": options == 4096,
            "domain_secure_enabled": options == 512,
            "protocol_logging_level": "Verbose" if logging else "None",
            "transport_role": {32: "HubTransport", 16384: "FrontendTransport"}.get(role),
        }
    if edge:
        return
    for protocol, class_, kind, port, secure in [
        ("POP3", "POP", "pop", 110, 995),
        ("IMAP4", "IMAP", "imap", 143, 993),
    ]:
        tree.add(f"CN={protocol},{protocols}", f"msExchProtocolCfg{class_}Container")
        looked_for = "mail.contoso.lab" if number == 1 else name
        tree.add(
            f"CN=1,CN={protocol},{protocols}",
            f"protocolCfg{class_}Server",
            msExchPopImapX509CertificateName=looked_for,
            msExchServerBindings=[f"0.0.0.0:{port}"],
            msExchSecureBindings=[f"0.0.0.0:{secure}"],
        )
        seen["protocols"][kind] = {"x509_certificate_name": looked_for, "ssl_bindings": [f"0.0.0.0:{secure}"]}
    http = f"CN=HTTP,{protocols}"
    tree.add(http, "msExchProtocolCfgHTTPContainer")
    url = "https://mail.contoso.lab"
    for virtual, class_, kind, path in [
        ("owa", "msExchOWAVirtualDirectory", "owa", "/owa"),
        ("ecp", "msExchECPVirtualDirectory", "ecp", "/ecp"),
        ("EWS", "msExchWebServicesVirtualDirectory", "ews", "/EWS/Exchange.asmx"),
        ("Microsoft-Server-ActiveSync", "msExchMobileVirtualDirectory", "activesync", "/Microsoft-Server-ActiveSync"),
        ("OAB", "msExchOABVirtualDirectory", "oab", "/OAB"),
        ("mapi", "msExchMapiVirtualDirectory", "mapi", "/mapi"),
        ("Autodiscover", "msExchAutodiscoverVirtualDirectory", "autodiscover", None),
        ("PowerShell", "msExchPowerShellVirtualDirectory", "powershell", None),
    ]:
        own = f"{virtual} (Default Web Site)"
        tree.add(
            f"CN={own},{http}",
            class_,
            msExchInternalHostName=url + path if path else None,
            msExchExternalHostName=url + path if path else None,
        )
        seen["directories"][f"{name}\\{own}"] = {
            "kind": kind,
            "internal_url": url + path if path else None,
            "external_url": url + path if path else None,
        }
    tree.add(
        f"CN=Rpc (Default Web Site),{http}",
        "msExchRpcHttpVirtualDirectory",
        msExchInternalHostName="https://mail.contoso.lab/",
        msExchExternalHostName="https://outlook.contoso.lab:443/",
    )
    seen["directories"][f"{name}\\Rpc (Default Web Site)"] = {
        "kind": "outlook-anywhere",
        "internal_host": "mail.contoso.lab",
        "external_host": "outlook.contoso.lab",
    }
    tree.add(f"CN=Autodiscover,{protocols}", "msExchContainer")
    tree.add(
        f"CN={name},CN=Autodiscover,{protocols}",
        "serviceConnectionPoint",
        serviceClassName="ms-Exchange-AutoDiscover-Service",
        serviceBindingInformation="https://autodiscover.contoso.lab/Autodiscover/Autodiscover.xml",
        keywords=["77378F46-2C66-4aa9-A6A6-3E7A48B19596", "Site=Default-First-Site-Name"],
    )
    seen["directories"][f"{name}\\Autodiscover SCP"] = {
        "kind": "scp",
        "internal_url": "https://autodiscover.contoso.lab/Autodiscover/Autodiscover.xml",
    }


def main():
    folder, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    tree, certificates = Tree(), Certificates(folder)
    expected = {"servers": {}, "edge": {}}
    if first > 1:
        with open(f"{folder}/expected-{first - 1}.json") as file:
            expected = json.load(file)
    else:
        organisation(tree, certificates, expected)
    for number in range(first, last + 1):
        server(tree, certificates, number, expected)
    if first == 1:
        after_servers(tree, expected)
    with open(f"{folder}/tree-{first}-{last}.ldif", "w") as file:
        file.write("\n".join(tree.entries))
    with open(f"{folder}/expected-{last}.json", "w") as file:
        json.dump(expected, file)


main()
