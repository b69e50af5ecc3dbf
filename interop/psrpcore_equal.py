"""Compares what exseal-psrp reads from CLIXML files with what psrpcore reads, value by value.

usage: psrpcore_equal.py DUMP FILE...   (DUMP: the program crates/exseal-psrp/examples/clixml-dump)

psrpcore is read without its registered classes, so that every object comes back as it stood in the
file. Where psrpcore itself loses something, that is counted by reason and not compared:
a file it cannot read; the type names of containers; escapes in type names; which of two properties of one name came first;
keys of a dictionary that Python takes for equal. Prints one JSON line; exits with 1 and the list
where a value differs.
"""

import decimal
import json
import re
import struct
import subprocess
import sys
from collections import Counter

from psrpcore import types as ps
from psrpcore.types._base import PSObject, TypeRegistry
from psrpcore.types._serializer import _deserialize_string

CLASSES = {
    "S": ps.PSString, "URI": ps.PSUri, "XD": ps.PSXml, "SBK": ps.PSScriptBlock, "C": ps.PSChar,
    "DT": ps.PSDateTime, "TS": ps.PSDuration, "By": ps.PSByte, "SB": ps.PSSByte, "U16": ps.PSUInt16,
    "I16": ps.PSInt16, "U32": ps.PSUInt, "I32": ps.PSInt, "U64": ps.PSUInt64, "I64": ps.PSInt64,
    "Sg": ps.PSSingle, "Db": ps.PSDouble, "D": ps.PSDecimal, "BA": ps.PSByteArray, "G": ps.PSGuid,
    "Version": ps.PSVersion, "SS": ps.PSSecureString,
    "STK": ps.PSStack, "QUE": ps.PSQueue, "LST": ps.PSList, "IE": ps.PSIEnumerable, "DCT": ps.PSDict,
}


def text(dumped):
    """A text of the dump as Python holds it: lone surrogates as they are."""
    if isinstance(dumped, str):
        return dumped
    return struct.pack(f"<{len(dumped['u'])}H", *dumped["u"]).decode("utf-16-le", "surrogatepass")


def units(value):
    """UTF-16 code units, so that a pair and its two halves are the same text."""
    return str.__str__(value).encode("utf-16-le", "surrogatepass")


def ticks_of_duration(written):
    match = re.fullmatch(r"(-?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d+))?S)?)?", written)
    if not match:
        return None
    sign, days, hours, minutes, seconds, fraction = match.groups()
    whole = ((int(days or 0) * 24 + int(hours or 0)) * 60 + int(minutes or 0)) * 60 + int(seconds or 0)
    ticks = whole * 10**7 + int((fraction or "").ljust(7, "0")[:7])
    return -ticks if sign else ticks


def date(written):
    """Clock, 100 ns and offset in minutes (None: none) of a date as written."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?", written)
    if not match:
        return None
    clock, fraction, zone = match.groups()
    offset = None
    if zone == "Z":
        offset = 0
    elif zone:
        offset = (int(zone[1:3]) * 60 + int(zone[4:6])) * (-1 if zone[0] == "-" else 1)
    return clock, int((fraction or "").ljust(7, "0")[:7]), offset


def date_of(value):
    offset = value.utcoffset()
    clock = f"{value.year:04}-{value.month:02}-{value.day:02}T{value.hour:02}:{value.minute:02}:{value.second:02}"
    fraction = value.microsecond * 10 + value.nanosecond // 100
    return clock, fraction, None if offset is None else int(offset.total_seconds()) // 60


class Comparison:
    def __init__(self, document):
        self.objects = document["objects"]
        self.twin = {}
        self.compared = 0
        self.lost = Counter()
        self.wrong = []

    def same(self, place, ours, theirs):
        self.compared += 1
        if ours != theirs:
            self.wrong.append(f"{place}: exseal {ours!r:.200}, psrpcore {theirs!r:.200}")

    def run(self, values, theirs):
        self.same("the number of values", len(values), len(theirs))
        waiting = [(f"value {at}", one, other) for at, (one, other) in enumerate(zip(values, theirs))]
        while waiting:  # a stack of our own: documents are deep
            place, ours, their = waiting.pop()
            if isinstance(ours, dict):
                self.object(place, ours["o"], their, waiting)
            else:
                self.leaf(place, ours, their)

    def leaf(self, place, ours, their):
        if ours is None:
            return self.same(place, None, their)
        element, content = ours
        if element == "B":
            return self.same(place, content, their)
        if type(their) is not CLASSES[element]:
            return self.same(f"{place}, class", CLASSES[element].__name__, type(their).__name__)
        if element in ("S", "URI", "XD", "SBK"):
            self.same(place, units(text(content)), units(their))
        elif element == "DT":
            self.same(place, date(content), date_of(their))
        elif element == "TS":
            whole = (their.days * 86400 + their.seconds) * 10**7 + their.microseconds * 10
            self.same(place, ticks_of_duration(content), whole + their.nanoseconds // 100)
        elif element == "Sg":
            self.same(place, struct.pack("<I", content), struct.pack("<f", float(their)))
        elif element == "Db":
            self.same(place, struct.pack("<Q", content), struct.pack("<d", float(their)))
        elif element == "BA":
            self.same(place, content, bytes(their).hex())
        elif element == "D":
            self.same(place, decimal.Decimal(content).as_tuple(), their.as_tuple())
        elif element in ("G", "Version"):
            self.same(place, content.lower(), str(their).lower())
        elif element == "SS":
            self.compared += 1
        else:
            self.same(place, content, int(their))

    def object(self, place, at, their, waiting):
        if at in self.twin:  # referred to again: must be the same object there too
            return self.same(f"{place}, reference", self.twin[at], id(their))
        ours = self.objects[at]
        base = ours.get("base")
        if isinstance(base, list) and base[0] == "B":
            self.lost["notes on a truth value"] += 1
            return self.leaf(place, base, their)
        self.twin[at] = id(their)
        if not isinstance(their, PSObject):
            return self.same(f"{place}, class", "an object", type(their).__name__)

        if "types" in ours:
            if "container" in ours:
                self.lost["type names of a container"] += 1
            else:
                names = [f"Deserialized.{text(name)}" for name in ours["types"]]
                found = [_deserialize_string(name) for name in their.PSObject.type_names]
                self.lost["escapes in type names, kept as written"] += found != their.PSObject.type_names
                self.same(f"{place}, types", names, found)
        if "to_string" in ours:
            self.same(f"{place}, ToString", units(text(ours["to_string"])), units(their.PSObject.to_string or ""))
        if isinstance(base, list):
            self.leaf(f"{place}, base", base, their)
        if "container" in ours:
            self.container(place, *ours["container"], their, waiting)
        for which in ("adapted", "extended"):
            self.properties(f"{place}.{which}", ours.get(which), getattr(their.PSObject, f"{which}_properties"), their, waiting)

    def container(self, place, element, items, their, waiting):
        if type(their) is not CLASSES[element]:
            return self.same(f"{place}, class", CLASSES[element].__name__, type(their).__name__)
        if element == "DCT":
            found = [part for entry in their.items() for part in entry]
            if len(found) < len(items):
                self.lost["keys of a dictionary that Python takes for equal"] += 1
                return
        elif element == "QUE":
            found = list(their.queue)
        else:
            found = list(their)
        self.same(f"{place}, number of items", len(items), len(found))
        waiting.extend((f"{place}[{at}]", one, other) for at, (one, other) in enumerate(zip(items, found)))

    def properties(self, place, ours, found, their, waiting):
        ours = [(text(name), value) for name, value in ours or []]
        names = [name.lower() for name, _ in ours]
        if len(set(names)) < len(names):
            self.lost["two properties of one name"] += 1
            return
        self.same(f"{place}, names", [name for name, _ in ours], [one.name for one in found])
        for (name, value), one in zip(ours, found):
            waiting.append((f"{place} {name}", value, one.get_value(their)))


def decoded(raw):
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if raw.startswith(mark):
            return raw.decode(encoding)
    return raw.decode("utf-8")


def main():
    dump, files = sys.argv[1], sys.argv[2:]
    TypeRegistry().type_registry.clear()
    total, lost, wrong, unread, equal = 0, Counter(), [], [], 0
    for file in files:
        try:
            theirs = ps.deserialize_clixml(decoded(open(file, "rb").read()), ps.PSCryptoProvider())
        except Exception as error:  # whatever psrpcore raises: it does not read this file
            unread.append(f"{file}: {type(error).__name__}: {error}")
            continue
        line = subprocess.run([dump, file], capture_output=True, check=False).stdout
        ours = json.loads(line)
        if "error" in ours:
            wrong.append(f"{file}: psrpcore reads it, exseal does not: {ours['error']}")
            continue
        comparison = Comparison(ours)
        comparison.run(ours["values"], theirs)
        total += comparison.compared
        lost += comparison.lost
        equal += not comparison.wrong
        wrong.extend(f"{file}: {one}" for one in comparison.wrong[:20])
    report = {"files": len(files), "equal": equal, "values": total, "lost_by_psrpcore": lost, "unread_by_psrpcore": unread}
    print(json.dumps(report))
    for one in wrong:
        print(one, file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
