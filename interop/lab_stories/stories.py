"""How each organisation of the lab shows, as foreign clients see it: one entry a preset.

The first sentence of a story is its symptom: the healthy organisation beside it must not fulfil it. The sentences say what
docs/lab/stories.md says, in terms of what comes over the wire; what they are made of is in sentences.py.
"""

from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

from clients import Certificate, secret
from sentences import (
    Sentence, Trait, auth, auth_is, auth_lacks, closed, cmdlet, cmdlet_fails, covers, covers_not, days, differ, ends_within,
    expired, holds_subject, http_sys, internal, later, listed, lives_under, logs, opened, owa, presents, public, reading, same,
    over_sha1, self_signed, service, shell_opens, shell_refused, store, untrusted, without_certificate,
)

NETWORK_SERVICE = "S-1-5-20"
PUBLIC, INTERNAL = "Simulated Public Root", "Simulated Enterprise CA"


@dataclass(frozen=True)
class Story:
    """Sentences, and the healthy organisation that has the servers they speak of."""

    sentences: tuple
    healthy: str = "healthy"


def story(*sentences, healthy="healthy"):
    return Story(sentences, healthy)


DAG, TWO_SITES = "healthy-dag", "healthy-two-sites"


def connector(name, what, holds, *properties):
    """One send connector of the organisation."""
    return cmdlet(
        "EX1", "Get-SendConnector", f"{name} {what}",
        lambda found: any(holds(one) for one in found if one["Name"] == name), "Name", *properties,
    )


def queue(words, messages=None):
    """A queue of EX1 whose last error has these words."""

    def holds(found):
        return any(words in str(one["LastError"]) and messages in (None, one["MessageCount"]) for one in found)

    return cmdlet("EX1", "Get-Queue", f"one says {words}", holds, "Identity", "LastError", "MessageCount")


def unlisted(server, port):
    """What a port presents is not among what Get-ExchangeCertificate lists."""

    def look(lab):
        found = lab.presented(f"{server}:{port}")
        return isinstance(found, Certificate) and found.thumbprint not in listed(lab, server), found

    return Sentence(f"{server}:{port} presents one that Exchange does not list", look)


def status(server, word):
    """Get-ExchangeCertificate gives the certificate of 443 this status."""

    def look(lab):
        found = listed(lab, server).get(lab.presented(f"{server}:443").thumbprint)
        return found and found["Status"] == word, found

    return Sentence(f"the certificate of {server}:443 is {word}", look)


def thumbprint_of(place):
    return lambda lab: lab.presented(place).thumbprint


def older_public(lab):
    """The one for mail.contoso.com that ends first."""
    mine = [one for one in lab.store("EX1") if one["certificate"].covers("mail.contoso.com")]
    return min(mine, key=lambda one: one["certificate"].ends)["thumbprint"]


def edge_outdated(lab):
    """The certificate the directory has of the Edge, in the form of a store's element, is not the one AD LDS presents."""
    held = lab.directory("(cn=EDGE1)", "msExchServerInternalTLSCert")[0]["msExchServerInternalTLSCert"][0]
    recorded = Certificate(x509.load_der_x509_certificate(held[held.index(b"0\x82"):]))
    found = lab.presented("EDGE1:50636")
    return recorded.thumbprint != found.thumbprint, f"recorded {recorded}, presented {found}"


def edge_refuses_the_credential(lab):
    """Synchronising does not come in, for the credential and not for the network."""
    found, errors = lab.cmdlet("EX1", "Start-EdgeSynchronization", "Result", "FailureDetails", Server="EX1")
    said = [(str(one["Result"]), str(one["FailureDetails"])) for one in found]
    refused = bool(said) and all(result == "CouldNotConnect" and "supplied credential is invalid" in why for result, why in said)
    return refused, said or errors


def outdated(lab):
    found, _ = lab.cmdlet("EX1", "Get-ReceiveConnector", "Name", "TlsCertificateName")
    named = [str(one["TlsCertificateName"]) for one in found if "<I>" in str(one["TlsCertificateName"])]
    issuer = lab.presented("EX1:443").parsed.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    return bool(named) and all(f"<I>CN={issuer}," not in one for one in named), (named, issuer)


def reply_is_lost(lab):
    """Enable-ExchangeCertificate: the session dies, and the certificate is enabled all the same."""
    own = thumbprint_of("EX1:443")(lab)
    before = listed(lab, "EX1")[own]["Services"]
    try:
        lab.cmdlet("EX1", "Enable-ExchangeCertificate", Thumbprint=own, Services="POP", Force=True)
    except Exception as error:  # noqa: BLE001 - any: the connection is gone
        lab.pools.clear()
        after = listed(lab, "EX1")[own]["Services"]
        return "POP" not in before and "POP" in after, f"{type(error).__name__}, {before} -> {after}"
    return False, "a reply came"


def export_refused(lab):
    """Export-ExchangeCertificate: the key cannot be exported."""
    pool = lab.pool("EX1", "exchange")
    found, errors = lab.cmdlet(
        "EX1", "Export-ExchangeCertificate", Thumbprint=thumbprint_of("EX1:443")(lab), BinaryEncoded=True,
        Password=secret(pool, "only for this"),
    )
    return any("InvalidOperation" in error.fq_error for error in errors), [error.fq_error for error in errors] or "a file came"


half_empty = cmdlet(
    "EX1", "Get-ExchangeCertificate", "come without what rebuilds them",
    lambda found: found and not any("SerializationData" in one for one in found), door="full",
)


STORIES = {
    "healthy": story(
        owa("EX1", "the mailbox"), shell_opens("EX1"), presents("EX1:443", public, covers("mail.contoso.com")),
        presents("EX1:444", self_signed, covers("ex1.contoso.lab")), presents("EX1:25", self_signed), auth_is("EX1"),
    ),
    "healthy-dag": story(
        same("EX1:443", "EX3:443"), owa("EX1", "the mailbox"), owa("EX2", "the mailbox"), owa("EX3", "the mailbox"),
        shell_opens("EX3"), auth_is("EX3"),
    ),
    "healthy-two-sites": story(
        owa("EX1", "the mailbox"), owa("EX2", "the mailbox"), opened("EDGE1", 25, 50636), presents("EX1:993", public),
        presents("EX1:25", public, covers("mail.contoso.com")),
    ),
    "back-end-deleted": story(
        without_certificate("EX1:444"), owa("EX1", "blank"), shell_refused("EX1", "Cafe-SendFailure"),
        presents("EX1:443", public), logs("EX1", 15021), later(logs("EX1", 12014)),
    ),
    "back-end-unlisted": story(
        unlisted("EX1", 444), presents("EX1:444", self_signed, covers("ex1.contoso.lab")),
        holds_subject("EX1", 1, "CN=ex1.contoso.lab", "WebHosting"),
        http_sys("EX1", "0.0.0.0:444", "names WebHosting", lambda one: one["store"] == "WebHosting"),
    ),
    "expired-still-named": story(
        presents("EX1:25/anonymous", expired, self_signed), presents("EX1:444", self_signed), owa("EX1", "the mailbox"),
        holds_subject("EX1", 2, "CN=EX1"), later(logs("EX1", 12015)),
    ),
    "self-signed-on-front-end": story(
        presents("EX1:443", self_signed, covers_not("mail.contoso.com")), untrusted("EX1:443", "mail.contoso.com", PUBLIC, 62),
        presents("EX1/own:443", self_signed), presents("EX1:444", self_signed),
    ),
    "old-deleted-too-early": story(
        without_certificate("EX1:443"), without_certificate("EX1/own:443"), owa("EX1", "no answer"), shell_opens("EX1"),
        holds_subject("EX1", 1, "CN=mail.contoso.com"), logs("EX1", 15021),
    ),
    "null-thumbprint-bound": story(
        without_certificate("EX1:444"), http_sys("EX1", "0.0.0.0:444", "names none", lambda one: one["thumbprint"] is None),
        owa("EX1", "blank"), shell_refused("EX1", "Cafe-SendFailure"),
        store("EX1", "its Auth certificate has ended", lambda found: any(
            "Auth Certificate" in one["certificate"].subject and one["certificate"].ends < one["certificate"].begins + days(1830)
            for one in found
        )),
        holds_subject("EX1", 1, "CN=EX1"),
    ),
    "back-end-expires": story(
        presents("EX1:444", self_signed, ends_within(30)), presents("EX1:25/anonymous", ends_within(30)),
        owa("EX1", "the mailbox"), later(logs("EX1", 12017)), later(logs("EX1", 12018)),
    ),
    "back-end-expired": story(
        presents("EX1:444", expired), presents("EX1:25/anonymous", expired), owa("EX1", "the mailbox"),
        later(logs("EX1", 12015)), later(logs("EX1", 12016)),
    ),
    "web-hosting-deleted": story(
        without_certificate("EX1:443"), closed("EX1", 25, 587, 2525), holds_subject("EX1", 0, "CN=mail.contoso.com"),
        holds_subject("EX1", 0, "CN=mail.contoso.com", "WebHosting"),
        http_sys("EX1", "0.0.0.0:443", "names WebHosting", lambda one: one["store"] == "WebHosting"), logs("EX1", 15021),
    ),
    "services-down": story(
        closed("EX1", 443, 25), owa("EX1", "no answer"), shell_refused("EX1"),
        service("EX1", "MSExchangeTransport", state="Stopped", startMode="Auto"),
        holds_subject("EX1", 1, "CN=mail.contoso.com"), holds_subject("EX1", 1, "Auth Certificate"),
    ),
    "white-page": story(
        owa("EX2", "an error page"), presents("EX2:444", self_signed), auth_lacks("EX2"), owa("EX1", "the mailbox"),
        healthy=DAG,
    ),
    "smtp-lost-too": story(
        without_certificate("EX1:25", "454"), without_certificate("EX1:2525/anonymous", "not offered"),
        without_certificate("EX1:587", "454"), presents("EX1:444", self_signed), owa("EX1", "the mailbox"),
        later(logs("EX1", 12013)), later(logs("EX1", 12014)),
    ),
    "back-end-sha1": story(
        presents("EX1:444", self_signed, over_sha1, covers("ex1.contoso.lab")), presents("EX1:25/anonymous", self_signed, over_sha1),
        owa("EX1", "the mailbox"), shell_opens("EX1"),
    ),
    "outlook-prompts": story(
        differ("EX1:443", "EX2:443"), presents("EX2:443", self_signed), presents("EX1:443", public),
        untrusted("EX2:443", "mail.contoso.com", PUBLIC, 62), healthy=DAG,
    ),
    "ca-certificate-precedes": story(
        presents("EX1:25", internal, covers("ex1.contoso.lab")), presents("EX1:25/anonymous", self_signed),
        differ("EX1:25", "EX1:25/anonymous"),
    ),
    "setup-fails-expired": story(
        service("EX1", "MSExchangeTransport", startMode="Disabled"), closed("EX1", 443, 25), shell_refused("EX1"),
        store("EX1", "two have ended", lambda found: sum(one["certificate"].ends < one["certificate"].begins + days(1830)
              and "mail" not in one["certificate"].subject for one in found) == 2),
    ),
    "auth-expires": story(
        auth_is("EX1", ends_within(60)), owa("EX1", "the mailbox"),
        cmdlet("EX1", "Get-AuthConfig", "no next one", lambda found: not found[0]["NextCertificateThumbprint"],
               "NextCertificateThumbprint"),
    ),
    "auth-expired": story(
        owa("EX1", "an error page"), owa("EX2", "an error page"), auth_is("EX1", expired), half_empty, healthy=DAG,
    ),
    "hybrid-auth-local": story(
        cmdlet("EX1", "Get-AuthConfig", "a previous one", lambda found: found[0]["PreviousCertificateThumbprint"],
               "PreviousCertificateThumbprint"),
        cmdlet("EX1", "Get-HybridConfiguration", "is hybrid", lambda found: len(found) == 1, "Name"), auth_is("EX1"),
        holds_subject("EX1", 2, "Auth Certificate"),
    ),
    "auth-certificate-in-transport": story(
        presents("EX1:25/anonymous", auth, covers_not("ex1.contoso.lab")), presents("EX1:2525/anonymous", auth),
        presents("EX1:444", covers("ex1.contoso.lab")),
    ),
    "auth-missing-on-one": story(
        owa("EX2", "an error page"), auth_lacks("EX2"), auth_is("EX1"), owa("EX1", "the mailbox"),
        later(logs("EX2", 2004)), healthy=TWO_SITES,
    ),
    "unreachable-server": story(
        closed("EX2", 80, 443, 444, 25, 5985), shell_refused("EX2"), opened("EX1", 80, 443, 444, 25, 5985),
        cmdlet("EX1", "Get-ExchangeServer", "both are in the directory", lambda found: len(found) == 2, "Name"), healthy=DAG,
    ),
    "previous-auth-left": story(
        holds_subject("EX1", 3, "Auth Certificate"), auth_is("EX1"),
        cmdlet("EX1", "Get-AuthConfig", "no previous one", lambda found: not found[0]["PreviousCertificateThumbprint"],
               "PreviousCertificateThumbprint"),
    ),
    "only-auth-was-watched": story(
        presents("EX2:444", expired), auth_is("EX2"), presents("EX1:444", self_signed), later(logs("EX2", 12015)), healthy=DAG,
    ),
    "federation-expires": story(
        cmdlet("EX1", "Get-FederationTrust", "its certificate is named", lambda found: any(one["OrgPrivCertificate"] for one in found),
               "OrgPrivCertificate"),
        store("EX1", "the federation certificate ends in ten days", lambda found: any(
            "CN=Federation" in one["certificate"].subject and one["certificate"].ends.strftime("%Y-%m-%d") == "2026-12-04"
            for one in found
        )),
    ),
    "names-missing": story(
        presents("EX1:443", public, covers_not("mail.contoso.com")), untrusted("EX1:443", "mail.contoso.com", PUBLIC, 62),
        cmdlet("EX1", "Get-OwaVirtualDirectory", "says mail.contoso.com",
               lambda found: any("mail.contoso.com" in str(one["ExternalUrl"]) for one in found), "ExternalUrl"),
    ),
    "request-file-removed": story(
        cmdlet("EX1", "Get-ExchangeServer", "15.2.1118.7",
               lambda found: "1118.7" in str(found[0]["AdminDisplayVersion"]), "AdminDisplayVersion"),
        cmdlet_fails("EX1", "New-ExchangeCertificate", "NamedParameterNotFound", GenerateRequest=True, RequestFile="C:\\r.req"),
        cmdlet("EX1", "New-ExchangeCertificate", "gives a request", lambda found: "BEGIN NEW CERTIFICATE REQUEST" in str(found),
               GenerateRequest=True, SubjectName="CN=new.contoso.com", acts=True),
    ),
    "key-in-ksp": story(
        owa("EX1", "the form again"), presents("EX1:443", public), auth_is("EX1"),
        store("EX1", "the key of the public one is in a KSP", lambda found: any(
            one["certificate"].covers("mail.contoso.com") and one["key"]["provider"].endswith("Key Storage Provider")
            for one in found
        )),
    ),
    "wildcard-and-pop": story(
        presents("EX1:995", self_signed), presents("EX1:993", self_signed), presents("EX1:110", self_signed),
        presents("EX1:143", self_signed), presents("EX1:443", public, Trait("a wildcard", lambda one, _: "*.contoso.com" in one.names)),
    ),
    "um-not-enabled": story(
        service("EX1", "MSExchangeUM", state="Running"),
        cmdlet("EX1", "Get-ExchangeServer", "2016", lambda found: "15.1" in str(found[0]["AdminDisplayVersion"]),
               "AdminDisplayVersion"),
        cmdlet_fails("EX1", "Enable-ExchangeCertificate", "InvalidOperationException", Services="UM",
                     Thumbprint=thumbprint_of("EX1:443"), acts=True),
    ),
    "connector-name-without-tags": story(
        without_certificate("EX1:25", "not offered"), presents("EX1:2525", self_signed), opened("EX1", 25),
        cmdlet("EX1", "Get-ReceiveConnector", "has a name without tags", lambda found: any(
            "CN=mail.contoso.com" in str(one["TlsCertificateName"]) and "<S>" not in str(one["TlsCertificateName"]) for one in found
        ), "Name", "TlsCertificateName"),
        later(logs("EX1", 12014)),
    ),
    "connector-name-outdated": story(
        without_certificate("EX1:25", "not offered"), presents("EX1:443", public), queue("454 4.7.5"),
        Sentence("the issuer on 443 is not the one the connector names", outdated), later(logs("EX1", 12014)),
    ),
    "two-of-one-pair": story(
        holds_subject("EX1", 2, "CN=mail.contoso.com"),
        presents("EX1:25", public, Trait("the one that ends last", lambda one, now: one.ends > now + days(20))),
        connector("Internet", "names both", lambda one: "<S>CN=mail.contoso.com" in str(one["TlsCertificateName"]), "TlsCertificateName"),
        cmdlet_fails("EX1", "Remove-ExchangeCertificate", "InvalidOperationException", Thumbprint=older_public, Confirm=False, acts=True),
    ),
    "public-as-internal-transport": story(
        presents("EX1:25/anonymous", public, covers_not("ex1.contoso.lab")), presents("EX1:2525/anonymous", public),
        cmdlet("EX1", "Get-EdgeSubscription", "one is there", lambda found: [one["Name"] for one in found] == ["EDGE1"], "Name"),
    ),
    "loopback-differs": story(
        without_certificate("EX1/own:443"), presents("EX1:443", public), owa("EX1", "the mailbox"), logs("EX1", 15021),
    ),
    "key-without-network-service": story(
        without_certificate("EX1:25", "454"), without_certificate("EX1:25/anonymous", "not offered"),
        presents("EX1:444", self_signed), logs("EX1", 36870),
        store("EX1", "NETWORK SERVICE reads one key less", lambda found: any(
            "CN=EX1" in one["certificate"].subject and NETWORK_SERVICE not in one["key"]["readers"] for one in found
        )),
    ),
    "green-but-smtp-wrong": story(
        without_certificate("EX1:587", "not offered"), presents("EX1:25", self_signed), opened("EX1", 587),
        cmdlet("EX1", "Test-ServiceHealth", "all run", lambda found: all(one["RequiredServicesRunning"] for one in found),
               "Role", "RequiredServicesRunning"),
        later(logs("EX1", 12014)),
    ),
    "adam-down": story(
        closed("EDGE1", 50636, 50389), opened("EDGE1", 25), service("EDGE1", "ADAM_MSExchange", state="Stopped"),
        healthy=TWO_SITES,
    ),
    "adam-looks-invalid": story(
        holds_subject("EDGE1", 1, "3f2c1e9a-7d5b-4a8e-9c61-0b5d7e2f4a13"), presents("EDGE1:50636", self_signed),
        store("EDGE1", "for a hundred years, of nobody who is trusted", lambda found: any(
            one["certificate"].ends - one["certificate"].begins > days(36000) for one in found
        )),
        healthy=TWO_SITES,
    ),
    "edge-credential-invalid": story(
        Sentence("Start-EdgeSynchronization does not come in: the credential is invalid", edge_refuses_the_credential),
        opened("EDGE1", 50636), presents("EDGE1:50636", self_signed), healthy=TWO_SITES,
    ),
    "edge-expired": story(
        presents("EDGE1:25", expired), presents("EDGE1:50636", expired), later(logs("EDGE1", 12015)),
        later(logs("EDGE1", 12016)), healthy=TWO_SITES,
    ),
    "edge-replaced": story(
        Sentence("the Edge presents another certificate than the organisation recorded", edge_outdated),
        presents("EDGE1:50636", self_signed), healthy=TWO_SITES,
    ),
    "smart-host-drops": story(
        queue("451 4.4.0", 5675),
        connector("To smart host", "goes to the relay", lambda one: "relay" in str(one["SmartHosts"]), "SmartHosts"),
        presents("EX1:25", self_signed),
    ),
    "edge-unreachable": story(closed("EDGE1", 50636, 50389, 25), opened("EX1", 25, 443), healthy=TWO_SITES),
    "many-of-one-name": story(
        holds_subject("EX1", 4, "CN=EX1"),
        presents("EX1:444", self_signed, Trait("the one that ends last", lambda one, now: one.ends > now + days(1000))),
        cmdlet("EX1", "Get-ExchangeCertificate", "four thumbprints of one name",
               lambda found: len({one["Thumbprint"] for one in found if one["FriendlyName"] == "Microsoft Exchange"}) == 4,
               "Thumbprint", "FriendlyName"),
    ),
    "german-server": story(
        cmdlet_fails("EX1", "Get-ExchangeCertificate", "InvalidOperationException", "Zertifikat", Thumbprint="0" * 40),
        presents("EX1:444", self_signed, ends_within(30)), later(logs("EX1", 12018)),
    ),
    "exchange-on-a-domain-controller": story(
        reading("EX1", "Build", "a domain controller", lambda found: found[0]["domainController"]),
        cmdlet("EX1", "Get-DatabaseAvailabilityGroup", "has EX1", lambda found: "EX1" in str(found[0]["Servers"]).upper(), "Name", "Servers"),
        owa("EX1", "the mailbox"),
    ),
    "channel-lost": story(
        Sentence("the session dies with Enable-ExchangeCertificate, which was done", reply_is_lost, acts=True),
        presents("EX1:443", public), shell_opens("EX1"),
    ),
    "one-server-forgotten": story(
        differ("EX1:443", "EX3:443"), same("EX1:443", "EX2:443"), presents("EX3:443", public, ends_within(10)), healthy=DAG,
    ),
    "private-ca-on-front-end": story(
        untrusted("EX1:443", "mail.contoso.com", PUBLIC, 21), untrusted("EX1:443", "mail.contoso.com", INTERNAL, 0),
        presents("EX1:443", internal, covers("mail.contoso.com")),
    ),
    "renewed-not-bound": story(
        presents("EX1:443", public, expired, lives_under(100)), untrusted("EX1:443", "mail.contoso.com", PUBLIC, 10),
        holds_subject("EX1", 2, "CN=mail.contoso.com"),
        store("EX1", "a renewed one waits", lambda found: any(
            one["certificate"].covers("mail.contoso.com") and one["certificate"].ends.strftime("%Y-%m-%d") > "2026-11-24" for one in found
        )),
    ),
    "back-end-by-iis-manager": story(
        presents("EX1:444", self_signed, lives_under(367), covers("ex1.contoso.lab"), covers_not("EX1")), owa("EX1", "the mailbox"),
        later(logs("EX1", 12013)),
    ),
    "another-renewer": story(
        reading("EX1", "Task", "both robots", lambda found: all(
            any(sign in one["action"] for one in found) for sign in ("wacs.exe", "MonitorExchangeAuthCertificate")
        )),
        presents("EX1:443", public),
    ),
    "connector-without-tls": story(
        queue("451 5.7.3"),
        connector("Partner", "demands TLS and ignores STARTTLS", lambda one: one["RequireTLS"] and one["IgnoreSTARTTLS"],
                  "RequireTLS", "IgnoreSTARTTLS"),
    ),
    "edge-resubscribed": story(
        cmdlet("EX1", "Get-SendConnector", "two for everything",
               lambda found: sum("SMTP:*" in str(one["AddressSpaces"]) for one in found) == 2, "Name", "AddressSpaces"),
        cmdlet("EX1", "Get-EdgeSubscription", "one is there", lambda found: len(found) == 1, "Name"), healthy=TWO_SITES,
    ),
    "pool-stopped": story(
        owa("EX1", "unavailable"), presents("EX1:443", public), presents("EX1:444", self_signed),
        reading("EX1", "AppPool", "that of OWA is stopped", lambda found: any(
            one["name"] == "MSExchangeOWAAppPool" and one["state"] == "Stopped" for one in found
        )),
        auth_is("EX1"),
    ),
    "old-servers": story(
        cmdlet("the last", "Get-ExchangeServer", "2010, 2013 and 2019", lambda found: {
            one["Name"]: next(word for word in ("14.3", "15.0", "15.2", "?") if word in str(one["AdminDisplayVersion"]) or word == "?")
            for one in found
        } == {"EX10": "14.3", "EX13": "15.0", "EX19": "15.2"}, "Name", "AdminDisplayVersion"),
        owa("EX13", "an error page"), owa("EX19", "the mailbox"), holds_subject("EX13", 0, "Auth Certificate"),
        holds_subject("EX10", 0, "Auth Certificate"), auth_is("EX19"),
    ),
    "internal-ca-on-back-end": story(
        presents("EX1:444", internal, covers("ex1.contoso.lab")), same("EX1:444", "EX1:443"), owa("EX1", "the mailbox"),
        shell_opens("EX1"),
    ),
    "leftovers-in-root": story(
        holds_subject("EX1", 2, "CN=OLDEX", "Root"), holds_subject("EX1", 0, "CN=OLDEX"), presents("EX1:443", public),
    ),
    "new-server-prompts": story(
        presents("EX2:443", self_signed, covers_not("mail.contoso.com")), auth_lacks("EX2"),
        cmdlet("EX1", "Get-OwaVirtualDirectory", "says ex2.contoso.lab",
               lambda found: any("ex2.contoso.lab" in str(one["InternalUrl"]) for one in found), "Server", "InternalUrl"),
        presents("EX1:443", public), healthy=DAG,
    ),
    "server-gone": story(
        connector("Internet", "goes by a server that is gone", lambda one: "EX9" in str(one["SourceTransportServers"]), "SourceTransportServers"),
        cmdlet("EX1", "Get-ExchangeServer", "no EX9", lambda found: [one["Name"] for one in found] == ["EX1"], "Name"),
        Sentence("the key of 443 cannot be exported", export_refused),
    ),
    "failed-update": story(
        service("EX1", "W3SVC", startMode="Disabled"), closed("EX1", 443, 444, 25), shell_refused("EX1"),
        holds_subject("EX1", 1, "Auth Certificate"), holds_subject("EX1", 1, "CN=mail.contoso.com"),
        store("EX1", "none has ended", lambda found: all(one["certificate"].ends.strftime("%Y-%m-%d") > "2026-11-24" for one in found)),
    ),
    "named-elsewhere": story(
        without_certificate("EX1:5986"), opened("EX1", 5986),
        cmdlet("EX1", "Get-SettingOverride", "names a thumbprint",
               lambda found: any("IMCertificateThumbprint" in str(one["Parameters"]) for one in found), "Name", "Parameters"),
    ),
    "specific-entry-wins": story(
        presents("EX1:443@mail.contoso.com", public, ends_within(10)), differ("EX1:443@mail.contoso.com", "EX1:443"),
        reading("EX1", "HttpSys", "an entry of a name", lambda found: any(
            one["sni"] and one["endpoint"] == "mail.contoso.com:443" for one in found
        )),
    ),
    "auto-enrolled-wins": story(
        presents("EX1:25", internal, covers("ex1.contoso.lab"), covers_not("mail.contoso.com")),
        presents("EX1:25/anonymous", self_signed), presents("EX1:443", public),
    ),
    "revoked": story(status("EX1", "Revoked"), status("EX2", "Revoked"), presents("EX1:443", public), healthy=DAG),
    "snapshot-reverted": story(
        without_certificate("EX2:25/anonymous", "not offered"), owa("EX2", "an error page"), auth_lacks("EX2"), auth_is("EX1"),
        later(logs("EX2", 12013)), healthy=DAG,
    ),
    "look-alikes": story(
        queue("452 4.3.1"), reading("EX1", "Disk", "almost full", lambda found: found[0]["freeBytes"] == 104857600),
        presents("EX1:443", public), owa("EX1", "the mailbox"), auth_is("EX1"),
    ),
}
