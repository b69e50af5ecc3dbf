"""Measures a lab of many servers: start, memory, every port, handshakes and what they leave behind.

bench.py FOLDER PROGRAM SERVERS HANDSHAKES: the program is the lab's example lab-wire. Fails over 10 s of start, 1 GiB,
or when handshakes leave open descriptors or more than 16 MiB behind. Linux only: it reads /proc.
"""

import json
import os
import pathlib
import resource
import socket
import ssl
import subprocess
import sys
import time


def main():
    folder, program, servers, handshakes = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "organisation.toml"
    file.write_text('domain = "contoso.lab"\n' + "".join(f'[[server]]\nname = "EX{n}"\n' for n in range(servers)))
    began = time.monotonic()
    lab = subprocess.Popen([program, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        sockets = [s["socket"].rsplit(":", 1) + [s["port"]] for s in json.loads(lab.stdout.readline())["sockets"]]
        start = time.monotonic() - began

        def memory(field):
            status = pathlib.Path(f"/proc/{lab.pid}/status").read_text()
            return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(field)) // 1024

        def descriptors():
            return len(os.listdir(f"/proc/{lab.pid}/fd"))

        def shake(count):
            anyone = ssl._create_unverified_context()
            web = [(host, int(port)) for host, port, own in sockets if own in (443, 444)]
            for number in range(count):
                with socket.create_connection(web[number % len(web)], timeout=20) as tcp:
                    anyone.wrap_socket(tcp).close()

        for host, port, _ in sockets:
            socket.create_connection((host, int(port)), timeout=20).close()
        shake(min(handshakes, 1_000))
        time.sleep(1)
        before = memory("VmRSS"), descriptors()
        began = time.monotonic()
        shake(handshakes)
        took = time.monotonic() - began
        time.sleep(1)
        after, most = (memory("VmRSS"), descriptors()), memory("VmHWM")
    finally:
        lab.stdin.close()
        lab.wait(timeout=30)
    print(f"{servers} servers, {len(sockets)} ports: {start:.1f} s, at most {most} MiB")
    print(f"{handshakes} handshakes: {took:.1f} s; resident {before[0]} -> {after[0]} MiB, descriptors {before[1]} -> {after[1]}")
    over = [
        (start > 10, f"expected a start within 10 s, found {start:.1f} s"),
        (most > 1024, f"expected at most 1024 MiB, found {most}"),
        (after[0] - before[0] > 16, f"expected no leak, found {after[0] - before[0]} MiB more"),
        (after[1] > before[1], f"expected {before[1]} descriptors, found {after[1]}"),
    ]
    if any(bad for bad, _ in over):
        raise SystemExit("\n".join(text for bad, text in over if bad))


main()
