"""Looks at `exseal report` in headless Chromium, as people will: light and dark, wide and narrow, on paper.

usage: report_in_chromium.py EXSEAL AXE FOLDER
    EXSEAL  the program
    AXE     axe.min.js of the npm package axe-core
    FOLDER  where pages, screenshots and prints go

Makes organisations of 1, 10 and 200 servers from examples/kiefer, each server with certificates of its
own, and their reports. Exits with 1 and the list where axe-core finds something serious or critical, a
page is above 3 MB, or a page is wider than the window it is in.
"""

import base64
import copy
import hashlib
import html
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

NOW = "2026-11-24T09:00:00Z"
LARGEST = 3_000_000
SIZES = {"wide": (1280, 900), "phone": (390, 844)}
SCHEMES = {"dark": 0, "light": 1}
SAMPLE = "examples/kiefer"


def organisation(sample, count):
    """The sample's servers again and again; another signature makes another certificate."""
    large = copy.deepcopy(sample)
    servers = []
    for number in range(count):
        server = copy.deepcopy(sample["servers"][number % len(sample["servers"])])
        name = f"MBX{number:03}"
        server["name"] = name
        server["fqdn"] = {"value": f"{name.lower()}.kiefer.example", "source": server["fqdn"]["source"]}
        text = json.dumps(server)
        for thumbprint, certificate in sample["certificates"].items():
            if "mail." in certificate["subject"] or "Auth" in certificate["subject"]:
                continue
            der = bytearray(base64.b64decode(certificate["der"]))
            der[-2:] = number.to_bytes(2, "big")
            own = hashlib.sha1(der).hexdigest().upper()
            large["certificates"][own] = {
                **certificate,
                "thumbprint": own,
                "der": base64.b64encode(der).decode(),
            }
            text = text.replace(thumbprint, own)
        servers.append(json.loads(text))
    large["servers"] = servers
    return large


def chromium(*arguments):
    """Runs Chromium without a window and returns what it prints."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        sys.exit("expected Chromium on the path, found none")
    ran = subprocess.run(
        [program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *arguments],
        capture_output=True,
        timeout=300,
    )
    return ran.stdout.decode("utf-8", "replace")


def judged(page, axe, folder, scheme, size):
    """What axe-core and the page's own width say, as (violations, overflow in pixels)."""
    text = page.read_text(encoding="utf-8")
    # The page forbids scripts; the copy that is looked at must allow this one.
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text, count=1)
    probe = (
        "axe.run().then(r=>{const p=document.createElement('pre');"
        "const over=document.documentElement.scrollWidth-document.documentElement.clientWidth;"
        "p.textContent='JUDGED'+JSON.stringify({over,violations:r.violations.map(v=>"
        "({id:v.id,impact:v.impact,count:v.nodes.length,first:v.nodes[0].html.slice(0,200)}))})+'END';"
        "document.body.appendChild(p)})"
    )
    copy_of = folder / f"judged-{page.name}"
    copy_of.write_text(
        text.replace("</body>", f"<script>{axe}</script><script>{probe}</script></body>"), encoding="utf-8"
    )
    width, height = SIZES[size]
    dom = chromium(
        f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
        f"--window-size={width},{height}",
        "--virtual-time-budget=120000",
        "--dump-dom",
        copy_of.resolve().as_uri(),
    )
    copy_of.unlink()
    found = re.findall(r">JUDGED(\{.*?\})END", dom, re.DOTALL)
    if not found:
        sys.exit(f"{page.name}, {scheme}, {size}: axe-core gave no answer")
    answer = json.loads(html.unescape(found[-1]))
    return answer["violations"], answer["over"]


def main():
    program, axe_path, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    axe = axe_path.read_text(encoding="utf-8")
    sample = json.loads(subprocess.check_output([program, "discover", "--from", SAMPLE, "--json"]))
    wrong, looks = [], 0
    for count in (1, 10, 200):
        inventory = folder / f"servers-{count}.json"
        inventory.write_text(json.dumps(organisation(sample, count)))
        page = folder / f"report-{count}.html"
        subprocess.check_call(
            [program, "report", "--from", str(inventory), "--now", NOW, "-o", str(page)],
            stderr=subprocess.DEVNULL,
        )
        size_in_bytes = page.stat().st_size
        if size_in_bytes > LARGEST:
            wrong.append(f"{page.name}: {size_in_bytes} bytes")
        for scheme, setting in SCHEMES.items():
            for size, (width, height) in SIZES.items():
                violations, over = judged(page, axe, folder, scheme, size)
                looks += 1
                for one in violations:
                    if one["impact"] in ("serious", "critical"):
                        wrong.append(f"{page.name}, {scheme}, {size}: {one}")
                if over > 0:
                    wrong.append(f"{page.name}, {scheme}, {size}: {over} pixels wider than the window")
                chromium(
                    f"--blink-settings=preferredColorScheme={setting}",
                    f"--window-size={width},{3 * height}",
                    f"--screenshot={folder / f'report-{count}-{scheme}-{size}.png'}",
                    page.resolve().as_uri(),
                )
        chromium(f"--print-to-pdf={folder / f'report-{count}.pdf'}", page.resolve().as_uri())
        print(f"{count} servers: {size_in_bytes} bytes")
    print(f"{looks} looks, {len(wrong)} things wrong")
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
