#!/usr/bin/env python3
"""A throw-away MIT key distribution centre on loopback, for as long as its parent wants it.

    kdc.py [JSON]

The one argument is an object; every member may be left out:

  realm      EXSEAL.LAB
  users      {"alice": "Passw0rd"}: principals alice@REALM with these passwords; pre-authentication is demanded of
             them. The passwords are those of a laboratory, that is why they may stand in an argument.
  services   ["HTTP/localhost"]: principals with random AES keys; all of them are in one keytab
  domains    ["exseal.lab"]: DNS domains of the realm, beside localhost
  tickets    ["alice"]: users that get a credential cache with a ticket, as kinit leaves one
  ticket_life  seconds the tickets in these caches live; none: ten hours
  skew       seconds by which the centre's clock is ahead

It prints one line of JSON when the centre answers, and serves until its standard input ends:

  {"realm": "EXSEAL.LAB",
   "host": "127.0.0.1", "port": 41234,            # TCP and UDP
   "krb5_conf": "…/krb5.conf",                    # KRB5_CONFIG of everyone who takes part
   "service_keytab": "…/service.keytab",          # KRB5_KTNAME of a server
   "user_keytab": "…/user.keytab",                # the users' keys, of their passwords
   "ccaches": {"alice": "FILE:…/alice.ccache"},   # KRB5CCNAME of a client
   "log": "…/kdc.log"}

All files are in one temporary folder, which goes with the process. Nothing of the machine's own Kerberos is read or
written. If something cannot be done, the words are on standard error and the exit code is 1.

Needs krb5-kdc, krb5-admin-server (for kadmin.local) and krb5-user (for kinit), as Debian names them.
"""
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HOST = "127.0.0.1"
PRINCIPAL = re.compile(r"[A-Za-z0-9._/$-]{1,200}")
PASSWORD = re.compile(r"[!-~]{1,100}")
# AES with SHA-1 is what a domain of Windows hands out; nothing weaker is made.
ENCRYPTIONS = "aes256-cts-hmac-sha1-96:normal,aes128-cts-hmac-sha1-96:normal"

KRB5_CONF = """[libdefaults]
 default_realm = {realm}
 dns_lookup_realm = false
 dns_lookup_kdc = false
 dns_canonicalize_hostname = false
 rdns = false
 udp_preference_limit = 1
[realms]
 {realm} = {{
  kdc = {host}:{port}
 }}
[domain_realm]
 localhost = {realm}
{domains}"""

KDC_CONF = """[kdcdefaults]
 kdc_listen = {host}:{port}
 kdc_tcp_listen = {host}:{port}
[realms]
 {realm} = {{
  database_name = {folder}/principal
  key_stash_file = {folder}/stash
  acl_file = {folder}/kadm5.acl
  supported_enctypes = {encryptions}
  max_life = 10h
  default_principal_flags = +preauth
 }}
[logging]
 kdc = FILE:{folder}/kdc.log
"""


class Refused(Exception):
    """What was asked cannot be done, in words."""


def program(name):
    """The path of a program that Debian puts where users do not look."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin")
    if not found:
        raise Refused(f"expected {name} to be installed (Debian: krb5-kdc, krb5-admin-server, krb5-user)")
    return found


def checked(pattern, text, what):
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise Refused(f"expected {what} of {pattern.pattern}, found {text!r}")
    return text


class Centre:
    def __init__(self, asked, folder):
        self.folder = folder
        self.realm = checked(re.compile(r"[A-Z0-9.-]{1,100}"), asked.pop("realm", "EXSEAL.LAB"), "a realm")
        self.users = asked.pop("users", {})
        self.services = asked.pop("services", ["HTTP/localhost"])
        self.domains = asked.pop("domains", ["exseal.lab"])
        self.tickets = asked.pop("tickets", [])
        self.ticket_life = int(asked.pop("ticket_life", 36000))
        self.skew = int(asked.pop("skew", 0))
        if asked:
            raise Refused(f"unknown members: {', '.join(asked)}")
        for name, password in self.users.items():
            checked(PRINCIPAL, name, "a user")
            checked(PASSWORD, password, "a password")
        for name in self.services:
            checked(PRINCIPAL, name, "a service")
        for name in self.tickets:
            if name not in self.users:
                raise Refused(f"expected one of the users to get a ticket, found {name!r}")
        self.process = None
        self.env = {
            **os.environ,
            "KRB5_CONFIG": str(folder / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
            "LC_ALL": "C",
        }

    def run(self, arguments, given=""):
        done = subprocess.run(
            arguments, env=self.env, input=given, text=True, capture_output=True, timeout=60, check=False
        )
        # kadmin.local goes on after an error of one query, and tells of it only in words.
        wrong = [line for line in done.stderr.splitlines() if "while" in line or "rror" in line]
        if done.returncode or wrong:
            raise Refused(f"{Path(arguments[0]).name} ended with {done.returncode}: {done.stderr.strip()}")

    def configure(self, port):
        domains = "".join(f" {domain} = {self.realm}\n .{domain} = {self.realm}\n" for domain in self.domains)
        known = {"realm": self.realm, "host": HOST, "port": port, "folder": self.folder}
        (self.folder / "krb5.conf").write_text(KRB5_CONF.format(domains=domains, **known))
        (self.folder / "kdc.conf").write_text(KDC_CONF.format(encryptions=ENCRYPTIONS, **known))

    def fill(self):
        """Makes the database and the keytabs."""
        (self.folder / "kadm5.acl").write_text("")
        self.run([program("kdb5_util"), "-r", self.realm, "create", "-s", "-P", "of one run"])
        queries = [f"addprinc -pw {password} {name}" for name, password in self.users.items()]
        queries += [f"addprinc -randkey {name}" for name in self.services]
        queries += [f"ktadd -norandkey -k {self.folder}/service.keytab {name}" for name in self.services]
        queries += [f"ktadd -norandkey -k {self.folder}/user.keytab {name}" for name in self.users]
        self.run([program("kadmin.local"), "-r", self.realm], "".join(query + "\n" for query in queries))

    def start(self):
        """Starts the centre on a free port; another port where someone else was faster."""
        for _ in range(5):
            with socket.socket() as free:
                free.bind((HOST, 0))
                port = free.getsockname()[1]
            self.configure(port)
            skew = ["-T", str(self.skew)] if self.skew else []
            words = (self.folder / "kdc.err").open("w")
            self.process = subprocess.Popen(
                [program("krb5kdc"), "-n", "-r", self.realm, *skew],
                env=self.env, stdin=subprocess.DEVNULL, stdout=words, stderr=words, preexec_fn=ends_with_parent,
            )
            for _ in range(100):
                if self.process.poll() is not None:
                    break
                with socket.socket() as there:
                    if there.connect_ex((HOST, port)) == 0:
                        return port
                time.sleep(0.05)
            self.stop()
        raise Refused(f"krb5kdc does not answer: {(self.folder / 'kdc.err').read_text().strip()}")

    def take_tickets(self):
        caches = {}
        for name in self.tickets:
            cache = f"FILE:{self.folder}/{name.replace('/', '_')}.ccache"
            self.run(
                [program("kinit"), "-l", f"{self.ticket_life}s", "-c", cache, f"{name}@{self.realm}"],
                self.users[name] + "\n",
            )
            caches[name] = cache
        return caches

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def ends_with_parent():
    """Runs in the child: the kernel ends it when this script is gone, however that came about."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)


def main():
    asked = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="exseal-kdc-") as folder:
        centre = None
        try:
            centre = Centre(asked, Path(folder))
            centre.configure(88)
            centre.fill()
            port = centre.start()
            told = {
                "realm": centre.realm,
                "host": HOST,
                "port": port,
                "krb5_conf": f"{folder}/krb5.conf",
                "service_keytab": f"{folder}/service.keytab",
                "user_keytab": f"{folder}/user.keytab",
                "ccaches": centre.take_tickets(),
                "log": f"{folder}/kdc.log",
            }
            print(json.dumps(told), flush=True)
            sys.stdin.read()
        except Refused as refused:
            print(refused, file=sys.stderr)
            return 1
        finally:
            if centre is not None:
                centre.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
