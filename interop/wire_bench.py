"""Sessions with many servers by exseal and by pypsrp, beside each other in one run; the servers are psrpcore's.

usage: wire_bench.py PROGRAM PYTHON ROUNDS    (PROGRAM: exseal-exchange's example wire-bench)

Twenty servers are one process; what a client needs is its own process's CPU, so the servers' is not in it. Each client
logs on by NTLM and seals. It visits one server first, which is not counted, then all, one after the other. The two
take turns; the least of the rounds counts. Prints a table and, last, one line of JSON.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

SERVERS = 20
ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "examples/kiefer/ex1"
# The size of a recorded answer of a busy server.
LARGE = 314_000


def pypsrp(large, ports):
    """The peer: one session per port, or one session and the large command many times."""
    from pypsrp.powershell import PowerShell, RunspacePool
    from pypsrp.wsman import WSMan

    def session(port, commands):
        wsman = WSMan(
            "localhost", port=port, ssl=False, path="PowerShell/", auth="negotiate", encryption="always",
            negotiate_service="HTTP", username="LAB\\admin", password="pw",
        )
        count, took, used = 0, 0.0, 0.0
        with wsman, RunspacePool(wsman, configuration_name="Microsoft.Exchange") as pool:
            begun, cpu = time.perf_counter(), time.process_time()
            for command in commands:
                shell = PowerShell(pool)
                shell.add_cmdlet(command)
                count += len(shell.invoke())
            took, used = time.perf_counter() - begun, time.process_time() - cpu
        return count, took, used

    session(ports[0], ["Get-ExchangeCertificate"])
    if large:
        session(ports[0], ["Get-ReceiveConnector"])
        count, took, used = session(ports[0], ["Get-ReceiveConnector"] * large)
        return {"sessions": 1, "objects": count, "cpu": used, "wall": took}
    begun, cpu = time.perf_counter(), time.process_time()
    count = sum(session(port, ["Get-ExchangeCertificate"])[0] for port in ports)
    return {"sessions": len(ports), "objects": count, "cpu": time.process_time() - cpu, "wall": time.perf_counter() - begun}


def measured(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    if sys.argv[1] == "pypsrp":
        print(json.dumps(pypsrp(int(sys.argv[2]), [int(port) for port in sys.argv[3:]])))
        return
    program, python, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    connectors = SAMPLE / "Get-ReceiveConnector.xml"
    times = -(-LARGE // connectors.stat().st_size)
    answers = {
        "Get-ExchangeCertificate": [str(SAMPLE / "Get-ExchangeCertificate.xml"), 1],
        "Get-ReceiveConnector": [str(connectors), times],
    }
    endpoints = [
        {"name": f"ex{number}", "auth": "negotiate", "sealed": True, "answers": answers} for number in range(SERVERS)
    ]
    server = subprocess.Popen(
        [python, ROOT / "interop/psrpcore_server.py", json.dumps(endpoints)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    try:
        said = json.loads(server.stdout.readline())
        ports = [str(said[endpoint["name"]]) for endpoint in endpoints]
        clients = {"exseal": [program], "pypsrp": [python, __file__, "pypsrp"]}
        best = {}
        for _ in range(rounds):
            for large in (0, 20):
                for name, client in clients.items():
                    run = measured(client + [str(large)] + ports)
                    known = best.setdefault((name, large), run)
                    assert run["objects"] == known["objects"], f"{name}: {run} after {known}"
                    best[name, large] = min(known, run, key=lambda run: run["cpu"])
    finally:
        server.stdin.close()
        server.wait()
    for large in (0, 20):
        ours, peers = best["exseal", large]["objects"], best["pypsrp", large]["objects"]
        assert ours == peers > 0, f"exseal got {ours} objects, pypsrp {peers}"

    own, peer = best["exseal", 0], best["pypsrp", 0]
    print(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; the least of {rounds} rounds")
    print(f"{SERVERS} servers one after the other: open, Get-ExchangeCertificate ({own['objects'] // SERVERS} objects), close, sealed by NTLM")
    for name, run in (("exseal", own), ("pypsrp 0.9.1", peer)):
        cpu, wall = run["cpu"] / SERVERS * 1e3, run["wall"] / SERVERS * 1e3
        print(f"  {name:<14} {cpu:>8.2f} ms of CPU a server {wall:>8.1f} ms of time")
    ratio = peer["cpu"] / own["cpu"]
    print(f"  exseal needs a {ratio:.0f}th of pypsrp's CPU")

    size = connectors.stat().st_size * times
    big, theirs = best["exseal", 20], best["pypsrp", 20]
    print(f"an answer of {size // 1000} KB ({big['objects'] // 20} objects), 20 times in one session, sealed by NTLM")
    for name, run in (("exseal", big), ("pypsrp 0.9.1", theirs)):
        cpu = run["cpu"] / 20
        print(f"  {name:<14} {cpu * 1e3:>8.2f} ms of CPU an answer {size / cpu / 1e6:>8.1f} MB/s {run['wall'] / 20 * 1e3:>8.1f} ms of time")
    print(f"  exseal takes {theirs['cpu'] / big['cpu']:.0f} times as much in")
    print(json.dumps({
        "milliseconds": own["cpu"] / SERVERS * 1e3,
        "times": ratio,
        "large_milliseconds": big["cpu"] / 20 * 1e3,
        "large_times": theirs["cpu"] / big["cpu"],
    }))


if __name__ == "__main__":
    main()
