"""An organisation of the lab that runs, and exseal looking at it."""

import itertools
import json
import os
import re
import subprocess

NOW = "2026-11-24T09:00:00Z"
PASSWORD = "Simulated-1\n"
failures = []
# Addresses of which other labs on this machine know nothing: what a server here does not have is not found at another's.
block = itertools.count()


def hold(condition, words):
    if not condition:
        failures.append(words)


def run(*command, text="", timeout=90):
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=timeout)


class Story:
    """A story that runs, until the end of the block."""

    def __init__(self, exseal, folder, name, text=None):
        self.exseal, self.name, self.folder = exseal, name, folder / name
        self.folder.mkdir(parents=True)
        self.connect = self.folder / "connect.toml"
        self.what = ["--story", name]
        if text is not None:
            file = self.folder / f"{name}.toml"
            file.write_text(text)
            self.what = [str(file)]

    def __enter__(self):
        self.process = subprocess.Popen(
            [self.exseal, "lab", "run", *self.what, "--now", NOW, "--until-stdin-closes", "--json", "--connect-file", str(self.connect),
             "--address", f"127.{100 + os.getpid() % 100}.{next(block) % 250}.1"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.rstrip() == "}":
                break
        if not lines or not self.connect.is_file():
            raise RuntimeError(f"{self.name} did not start: {self.process.stderr.read()[-500:]}")
        self.told = json.loads("".join(lines))
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(20)

    def do(self, *order):
        """Acts on it from outside; the reply."""
        done = run(self.exseal, "lab", "do", "--lab", self.told["name"], "--json", *order)
        hold(done.returncode == 0, f"{self.name}: {order} ended with {done.returncode}: {done.stderr[-400:]}")
        return json.loads(done.stdout)

    def discover(self, *more, password=PASSWORD):
        return run(self.exseal, "discover", "--live", "--connect", str(self.connect), "--password-stdin", "--now", NOW, "--json", *more, text=password)

    def inventory(self, *more):
        seen = self.discover(*more)
        hold(seen.returncode == 0, f"{self.name}: discover ended with {seen.returncode}: {seen.stderr[-400:]}")
        return json.loads(seen.stdout) if seen.returncode == 0 else None

    def findings(self, inventory):
        path = self.folder / "seen.json"
        path.write_text(json.dumps(inventory))
        found = run(self.exseal, "diagnose", "--from", str(path), "--now", NOW, "--json")
        hold(found.returncode == 0, f"{self.name}: diagnose ended with {found.returncode}: {found.stderr[-400:]}")
        return json.loads(found.stdout)["findings"]


def ways(inventory):
    return {
        (server["name"], way["channel"]): (way["open"].get("value"), way["why"].get("value"))
        for server in inventory["servers"] for way in server.get("ways_in", {"items": []})["items"]
    }


def anonymous(inventory):
    """An inventory without the ports the system chose."""
    return re.sub(r":\d{4,5}\b", ":PORT", json.dumps(inventory, sort_keys=True))


