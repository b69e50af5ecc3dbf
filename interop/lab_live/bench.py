"""A look at many servers of the lab by exseal, and by pypsrp with 16 threads that runs the same cmdlets, beside each other.

bench.py EXSEAL QUESTIONS FOLDER SERVERS PEERS: QUESTIONS is exseal-exchange's example live-questions, PEERS how many of the servers
pypsrp visits. Both log on by NTLM and seal, and select on the server. The lab answers on the same machine, so its work is in both
times; a client's own work is its CPU. Prints a table and, last, one line of JSON. Linux only: it reads what the system counts.
"""

import json
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

NOW = "2026-11-24T09:00:00Z"
PASSWORD = "Simulated-1"
THREADS = 16


def measured(command, text):
    """Runs a client; its output, wall time, CPU and peak memory in MiB (VmHWM)."""
    begun = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write(text)
    process.stdin.close()
    out = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}: {out[-500:]}")
    return out, time.monotonic() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def pypsrp(questions, places):
    """The peer: as many sessions at once as exseal has, every pipeline of a look, one after the other."""
    import warnings

    from pypsrp.powershell import PowerShell, RunspacePool
    from pypsrp.wsman import WSMan

    warnings.filterwarnings("ignore")

    def ask(address, port, server, pipelines):
        count = {}
        wsman = WSMan(
            address, port=port, ssl=False, path="PowerShell/?serializationLevel=Full", auth="negotiate", encryption="always",
            negotiate_service="HTTP", username="CONTOSO\\admin", password=PASSWORD, no_proxy=True, operation_timeout=20, read_timeout=60,
        )
        with wsman, RunspacePool(wsman, configuration_name="Microsoft.Exchange") as pool:
            for pipeline in pipelines:
                shell = PowerShell(pool)
                for command in pipeline:
                    shell.add_cmdlet(command["name"])
                    for name, value in command["parameters"].items():
                        shell.add_parameter(name, server if value == "SERVER" else value)
                objects = shell.invoke()
                if shell.had_errors:
                    raise RuntimeError(f"{pipeline[0]['name']} of {server}: {shell.streams.error[-1]}")
                count[pipeline[0]["name"]] = len(objects)
        return count

    first = places[0]
    ask(first[1], first[2], first[0], questions["servers"] + questions["organisation"])
    with ThreadPoolExecutor(THREADS) as pool:
        counts = list(pool.map(lambda place: ask(place[1], place[2], place[0], questions["server"]), places))
    return {"servers": len(counts), "connectors": sum(one["Get-ReceiveConnector"] for one in counts),
            "certificates": sum(one["Get-ExchangeCertificate"] for one in counts)}


def seen(path):
    """What an inventory holds of what both count."""
    inventory = json.loads(Path(path).read_text())
    servers = inventory["servers"]
    ways = [way for server in servers for way in server["ways_in"]["items"]]
    shut = [way for way in ways if not way["open"]["value"]]
    if shut:
        raise SystemExit(f"exseal did not get in everywhere: {shut[:3]}")
    return {"servers": len(servers), "connectors": sum(len(one["receive_connectors"]["items"]) for one in servers),
            "certificates": sum(len(one["my"]["items"]) for one in servers)}


def main():
    if sys.argv[1] == "pypsrp":
        print(json.dumps(pypsrp(*json.loads(sys.stdin.read()))))
        return
    exseal, asked, folder, servers, peers = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    folder.mkdir(parents=True, exist_ok=True)
    file, connect = folder / "many.toml", folder / "connect.toml"
    file.write_text(
        'domain = "contoso.lab"\nnamespace = "mail.contoso.com"\npublic = "public"\n\n[[certificate]]\nid = "public"\n'
        'names = ["mail.contoso.com", "autodiscover.contoso.com"]\n'
        + "".join(f'\n[[server]]\nname = "EX{n:03}"\n' for n in range(1, servers + 1))
    )
    questions = json.loads(subprocess.run([asked], capture_output=True, text=True, check=True).stdout)
    lab = subprocess.Popen(
        [exseal, "lab", "run", str(file), "--now", NOW, "--until-stdin-closes", "--json", "--connect-file", str(connect),
         "--address", f"127.{100 + os.getpid() % 100}.0.1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    try:
        lines = []
        for line in lab.stdout:
            lines.append(line)
            if line.rstrip() == "}":
                break
        told = json.loads("".join(lines))
        places = [
            (one["name"], one["address"], next(port["at"] for port in one["ports"] if port["port"] == 80)) for one in told["servers"]
        ]
        discover = [exseal, "discover", "--live", "--connect", str(connect), "--password-stdin", "--now", NOW, "--parallel", str(THREADS)]
        shell, whole = folder / "shell.json", folder / "whole.json"
        _, wall, cpu, peak = measured([*discover, "--channel", "exchange", "-o", str(shell)], PASSWORD + "\n")
        own = seen(shell)
        _, all_wall, all_cpu, all_peak = measured([*discover, "-o", str(whole)], PASSWORD + "\n")
        all_own = seen(whole)
        peer_input = json.dumps([questions, places[:peers]])
        out, peer_wall, peer_cpu, peer_peak = measured([sys.executable, __file__, "pypsrp"], peer_input)
        peer = json.loads(out)
    finally:
        lab.stdin.close()
        lab.wait(timeout=60)
    each = len(questions["server"])
    print(f"{servers} servers of the lab on this machine, {os.cpu_count()} cores; {each} cmdlets a server, {THREADS} at once, sealed by NTLM")

    def row(words, count, wall, cpu, peak):
        print(f"  {words:<26} {count:>4} servers {wall:>8.1f} s {cpu / count * 1e3:>8.1f} ms of CPU a server {peak:>7.1f} MiB at most")

    row("exseal, the same cmdlets", servers, wall, cpu, peak)
    row("pypsrp, 16 threads", peers, peer_wall, peer_cpu, peer_peak)
    row("exseal, every channel", servers, all_wall, all_cpu, all_peak)
    if peer["connectors"] * servers != own["connectors"] * peers or peer["certificates"] * servers != own["certificates"] * peers:
        raise SystemExit(f"exseal saw {own} of {servers}, pypsrp {peer} of {peers}")
    if all_own["servers"] != servers:
        raise SystemExit(f"over every channel: {all_own}")
    print(json.dumps({
        "times": (peer_wall / peers) / (wall / servers), "times_of_cpu": (peer_cpu / peers) / (cpu / servers),
        "peak": max(peak, all_peak),
    }))


if __name__ == "__main__":
    main()
