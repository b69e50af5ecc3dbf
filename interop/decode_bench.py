"""Decodes CLIXML files with a peer written in Python and prints one JSON line.

usage: decode_bench.py psrpcore|pypsrp FILE...

The clock runs from the bytes of a file to its values, on one core. A file that the peer cannot read
is not counted, neither its bytes nor its time.
"""

import json
import sys
import time
import xml.etree.ElementTree as ElementTree


def decoded(raw):
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if raw.startswith(mark):
            return raw.decode(encoding)
    return raw.decode("utf-8")


def psrpcore():
    from psrpcore import types

    cipher = types.PSCryptoProvider()
    return lambda raw: types.deserialize_clixml(decoded(raw), cipher)


def pypsrp():
    from pypsrp.serializer import Serializer

    namespace = ' xmlns="http://schemas.microsoft.com/powershell/2004/04"'

    def read(raw):
        # It reads single objects without a namespace; one serializer a file keeps their references.
        objects = ElementTree.fromstring(decoded(raw).replace(namespace, "", 1))
        serializer = Serializer()
        return [serializer.deserialize(element, clear=False) for element in objects]

    return read


def main():
    read = {"psrpcore": psrpcore, "pypsrp": pypsrp}[sys.argv[1]]()
    files, size, seconds, unread = 0, 0, 0.0, 0
    for path in sys.argv[2:]:
        with open(path, "rb") as file:
            raw = file.read()
        start = time.perf_counter()
        try:
            read(raw)
        except Exception:
            unread += 1
            continue
        seconds += time.perf_counter() - start
        files += 1
        size += len(raw)
    print(json.dumps({"files": files, "bytes": size, "passes": 1, "seconds": seconds}))


if __name__ == "__main__":
    main()
