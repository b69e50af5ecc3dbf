"""The words of the table: sentences about a lab, each held by a foreign client."""

import datetime
from dataclasses import dataclass, replace
from typing import Callable

from clients import Certificate


@dataclass(frozen=True)
class Sentence:
    """What can be seen, and how it is looked for: `look` gives whether it is so, and what was found."""

    words: str
    look: Callable
    # After a day, in which the services said it in their logs.
    is_later: bool = False
    # It changes the organisation: nothing else is looked at in that lab after it.
    acts: bool = False


@dataclass(frozen=True)
class Trait:
    words: str
    holds: Callable


def days(number):
    return datetime.timedelta(days=number)


self_signed = Trait("self-signed", lambda one, now: one.subject == one.issuer)
over_sha1 = Trait("signed over SHA-1", lambda one, now: one.signature == "1.2.840.113549.1.1.5")
public = Trait("of the public CA", lambda one, now: "Simulated Public CA" in one.issuer)
internal = Trait("of the internal CA", lambda one, now: "Simulated Enterprise CA" in one.issuer)
expired = Trait("expired", lambda one, now: one.ends < now)
auth = Trait("the Auth certificate", lambda one, now: "CN=Microsoft Exchange Server Auth Certificate" in one.subject)


def ends_within(number):
    return Trait(f"ends within {number} days", lambda one, now: now <= one.ends < now + days(number))


def lives_under(number):
    return Trait(f"made for less than {number} days", lambda one, now: one.ends - one.begins < days(number))


def covers(*names):
    return Trait(f"for {' and '.join(names)}", lambda one, now: all(one.covers(name) for name in names))


def covers_not(name):
    return Trait(f"not for {name}", lambda one, now: not one.covers(name))


# On the wire


def presents(place, *traits):
    """The certificate of a place has these traits, all of them."""

    def look(lab):
        found = lab.presented(place)
        return isinstance(found, Certificate) and all(own.holds(found, lab.now) for own in traits), found

    return Sentence(f"{place} presents one {', '.join(own.words for own in traits)}", look)


def without_certificate(place, how="reset"):
    """The handshake is reset, or the verb is not offered."""

    def look(lab):
        found = lab.presented(place)
        return isinstance(found, str) and found.startswith(how), found

    return Sentence(f"{place}: {how}", look)


def differ(one, other):
    def look(lab):
        found = [lab.presented(place) for place in (one, other)]
        both = all(isinstance(own, Certificate) for own in found)
        return both and found[0].thumbprint != found[1].thumbprint, found

    return Sentence(f"{one} and {other} present different ones", look)


def same(one, other):
    def look(lab):
        found = [lab.presented(place) for place in (one, other)]
        both = all(isinstance(own, Certificate) for own in found)
        return both and found[0].thumbprint == found[1].thumbprint, found

    return Sentence(f"{one} and {other} present the same", look)


def untrusted(place, name, authority, code):
    """openssl, with this authority alone, refuses a place with this code."""

    def look(lab):
        found = lab.verified(place, name, authority)
        return found.startswith(f"{code} "), found

    return Sentence(f"openssl with {authority} alone says {code} of {place} as {name}", look)


def closed(server, *ports):
    def look(lab):
        found = [port for port in ports if lab.answers(server, port)]
        return not found, f"answer on {found}"

    return Sentence(f"{server} refuses {ports}", look)


def opened(server, *ports):
    def look(lab):
        found = [port for port in ports if not lab.answers(server, port)]
        return not found, f"no answer on {found}"

    return Sentence(f"{server} answers on {ports}", look)


def owa(server, outcome):
    """The whole way of a person: the form, the log-on, what comes behind it."""

    def look(lab):
        found = lab.owa(server)
        return found == outcome, found

    return Sentence(f"OWA of {server} gives {outcome}", look)


# By PowerShell


def shell_refused(server, words=""):
    def look(lab):
        found = lab.shell(server)
        return found is not None and words in found, found

    return Sentence(f"{server} refuses a session of Exchange with {words!r}", look)


def shell_opens(server):
    return Sentence(f"{server} opens a session of Exchange", lambda lab: (lab.shell(server) is None, lab.shell(server)))


def cmdlet(server, line, what, holds, *properties, acts=False, door="exchange", **parameters):
    """The objects of a cmdlet, as dictionaries of these properties; an error that was not expected is none of them."""

    def look(lab):
        given = {key: value(lab) if callable(value) else value for key, value in parameters.items()}
        at = list(lab.servers)[-1] if server == "the last" else server
        found, errors = lab.cmdlet(at, line, *properties, door=door, **given)
        return not errors and bool(holds(found)), [str(error) for error in errors] or found

    return Sentence(f"{line} on {server}: {what}", look, acts=acts)


def cmdlet_fails(server, line, id_part, words="", acts=False, **parameters):
    """The error of a cmdlet: a part of its id, which is the same in every language, and words."""

    def look(lab):
        given = {key: value(lab) if callable(value) else value for key, value in parameters.items()}
        found, errors = lab.cmdlet(server, line, **given)
        said = [(error.fq_error, str(error)) for error in errors]
        return any(id_part in fq_error and words in text for fq_error, text in said), said or found

    return Sentence(f"{line} on {server} fails with {id_part} {words!r}", look, acts=acts)


def listed(lab, server):
    """What Get-ExchangeCertificate lists of a server, by thumbprint."""
    found, errors = lab.cmdlet(server, "Get-ExchangeCertificate", "Thumbprint", "Subject", "Services", "Status", "NotAfter")
    if errors:
        raise RuntimeError(f"Get-ExchangeCertificate on {server}: {errors[0]}")
    return {one["Thumbprint"]: one for one in found}


def auth_current(lab, server):
    found, _ = lab.cmdlet(server, "Get-AuthConfig", "CurrentCertificateThumbprint")
    return found[0]["CurrentCertificateThumbprint"]


def auth_lacks(server):
    """The certificate that Get-AuthConfig names is not among those the server lists."""

    def look(lab):
        current, found = auth_current(lab, server), listed(lab, server)
        return current not in found, f"{current} of {sorted(found)}"

    return Sentence(f"{server} lacks the current Auth certificate", look)


def auth_is(server, *traits):
    """The certificate that Get-AuthConfig names lies in the server's store and has these traits."""

    def look(lab):
        current = auth_current(lab, server)
        found = [one["certificate"] for one in lab.store(server) if one["thumbprint"] == current]
        return bool(found) and all(own.holds(found[0], lab.now) for own in traits), found

    return Sentence(f"the Auth certificate of {server} {', '.join(own.words for own in traits) or 'is there'}", look)


# By the helper, over Windows' own remoting


def store(server, what, holds, name="My"):
    """What lies in a store."""

    def look(lab):
        found = lab.store(server, name)
        return bool(holds(found)), [(one["certificate"], one["key"]) for one in found]

    return Sentence(f"{name} of {server}: {what}", look)


def holds_subject(server, count, text, name="My"):
    return store(server, f"{count} with {text}", lambda found: sum(text in one["certificate"].subject for one in found) == count, name)


def reading(server, name, what, holds):
    def look(lab):
        found = lab.reading(server, name)
        return bool(holds(found)), found

    return Sentence(f"{name} of {server}: {what}", look)


def http_sys(server, endpoint, what, holds):
    def one(found):
        return any(holds(entry) for entry in found if entry["endpoint"] == endpoint)

    return reading(server, "HttpSys", f"{endpoint} {what}", one)


def service(server, name, **wanted):
    def one(found):
        return any(all(entry[key] == value for key, value in wanted.items()) for entry in found if entry["name"] == name)

    return reading(server, "Service", f"{name} {wanted}", one)


def logs(server, number):
    """An event is in the log, as the helper reads it."""

    def look(lab):
        found = lab.reading(server, "Event")
        return any(one["id"] == number for one in found), [one["id"] for one in found]

    return Sentence(f"{server} logs {number}", look)


def later(sentence):
    return replace(sentence, words=f"after a day: {sentence.words}", is_later=True)
