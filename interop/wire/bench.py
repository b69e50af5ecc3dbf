"""The certificates of many endpoints, by exseal, sslyze, blackbox_exporter and `openssl s_client` in a loop.

usage: bench.py FOLDER EXSEAL SSLYZE COUNT

Runs in a network namespace of its own. One nginx presents a chain of three to every address of 127.1.0.0/16. Each program
gets all endpoints in one call (blackbox_exporter: 64 requests at a time), openssl a sample. What a server needs is in every figure.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import servers
from servers import run

PORT = 8443


def timed(words, count, command, check, best_of=1, **options):
    best = None
    for _ in range(best_of):
        begun = time.monotonic()
        result = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
        took = time.monotonic() - begun
        best = took if best is None else min(best, took)
    problem = check(result)
    if problem:
        sys.exit(f"{words}: {problem}\n{result.stdout[-800:]}\n{result.stderr[-800:]}")
    print(f"{words:<34} {count:>6} endpoints {best:>9.2f} s {count / best:>9.1f} /s", flush=True)
    return count / best


def main():
    folder, exseal, sslyze, count = Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3], int(sys.argv[4])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    certificates = servers.Certificates(folder / "tls")
    (folder / "nginx.conf").write_text(f"""
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 2; worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{ access_log off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen 0.0.0.0:{PORT} ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache off;
    ssl_certificate {certificates('mail')}; ssl_certificate_key {certificates('mail', 'key')}; }} }}
""")
    servers.start(folder / "log", "nginx", "-c", folder / "nginx.conf", "-p", folder)
    servers.wait_for(PORT)
    places = [f"127.1.{at // 250}.{at % 250 + 1}:{PORT}" for at in range(count)]
    (folder / "list").write_text("\n".join(places) + "\n")
    (folder / "tls-list").write_text("\n".join(f"{place}/tls" for place in places) + "\n")

    def seen(result):
        looks = json.loads(result.stdout)["sightings"]
        got = sum(1 for look in looks if look["presented"] and look["presented"]["key_proven"])
        return None if got == count else f"{got} of {count} certificates seen"

    own = timed("exseal probe", count, [exseal, "probe", "--json", "--list", folder / "tls-list"], seen, best_of=3)

    (folder / "blackbox.yml").write_text(
        "modules:\n  tls:\n    prober: tcp\n    timeout: 10s\n    tcp:\n      tls: true\n"
        "      tls_config:\n        insecure_skip_verify: true\n"
    )
    servers.start(folder / "blackbox.log", "prometheus-blackbox-exporter", f"--config.file={folder}/blackbox.yml",
                  "--web.listen-address=127.0.0.1:9115", "--history.limit=1")
    servers.wait_for(9115)
    (folder / "urls").write_text("".join(
        f'url = "http://127.0.0.1:9115/probe?module=tls&target={place}"\noutput = "{folder}/{at}.prom"\n'
        for at, place in enumerate(places)
    ))

    def answered(_):
        got = sum(1 for at in range(count) if "\nprobe_success 1" in (folder / f"{at}.prom").read_text())
        return None if got == count else f"{got} of {count} probes succeeded"

    curl = ["curl", "--silent", "--parallel", "--parallel-max", "64", "--config", folder / "urls"]
    box = timed("blackbox_exporter", count, curl, answered, best_of=3)

    sample = min(count, 100)
    script = 'for place in "$@"; do openssl s_client -connect $place </dev/null >/dev/null 2>&1 || exit 1; done'
    failed = lambda result: f"ended with {result.returncode}" if result.returncode else None
    loop = timed("openssl s_client in a loop", sample, ["sh", "-c", script, "sh", *places[:sample]], failed)

    few = min(count, int(os.environ.get("SSLYZE_ENDPOINTS", count)))
    (folder / "few").write_text("\n".join(places[:few]) + "\n")

    def scanned(_):
        scans = json.loads((folder / "sslyze.json").read_text())["server_scan_results"]
        got = sum(1 for scan in scans
                  if scan["scan_result"] and scan["scan_result"]["certificate_info"]["status"] == "COMPLETED")
        return None if got == few else f"{got} of {few} scans completed"

    command = [sslyze, "--certinfo", "--targets_in", folder / "few", "--json_out", folder / "sslyze.json"]
    slow = timed("sslyze --certinfo", few, command, scanned)
    print(f"exseal: {own / slow:.0f} times sslyze, {own / box:.1f} times blackbox_exporter, {own / loop:.1f} times openssl")


try:
    main()
finally:
    servers.stop()
