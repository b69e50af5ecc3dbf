"""Holds `exseal discover --live` against a throw-away Samba AD with an Exchange-like tree.

usage: judge.py FOLDER EXSEAL EXSEAL_WITH_KERBEROS

Runs as root in a network and mount namespace of its own (`unshare --net --mount`), so that standard ports are free and
nothing outlives it. Exits with 1 and the list of what differs.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import of_lab

HERE = Path(__file__).resolve().parent
REALM, HOST = "CONTOSO.LAB", "dc1.contoso.lab"
USER, PASSWORD = "svc-certmgr", "Svc-Passw0rd!1"
NOW = "2026-11-24T09:00:00Z"
# Servers of the organisations that the lab and Samba are both given.
SAME = (3, 200)
failures = []


def run(*command, **options):
    result = subprocess.run(command, capture_output=True, text=True, **options)
    if result.returncode:
        sys.exit(f"{' '.join(command)} ended with {result.returncode}\n{result.stdout[-2000:]}\n{result.stderr[-2000:]}")
    return result.stdout


def files(lab):
    """Names, Kerberos and TLS of the namespace."""
    for folder in ("etc", "tls", "ldif"):
        (lab / folder).mkdir(parents=True, exist_ok=True)
    (lab / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.0.1 {HOST} dc1 contoso.lab\n")
    (lab / "etc/resolv.conf").write_text("nameserver 127.0.0.1\nsearch contoso.lab\n")
    (lab / "etc/krb5.conf").write_text(
        f"[libdefaults]\n default_realm = {REALM}\n dns_lookup_realm = false\n dns_lookup_kdc = false\n"
        f" dns_canonicalize_hostname = false\n rdns = false\n udp_preference_limit = 0\n"
        f"[realms]\n {REALM} = {{\n  kdc = 127.0.0.1\n }}\n[domain_realm]\n .contoso.lab = {REALM}\n"
    )
    tls = lab / "tls"
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{tls}/ca.key", "-out", f"{tls}/ca.pem",
        "-days", "30", "-subj", "/CN=lab CA")
    run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{tls}/dc1.key", "-out", f"{tls}/dc1.csr",
        "-subj", f"/CN={HOST}")
    (tls / "san.cnf").write_text(
        f"subjectAltName=DNS:{HOST}\nextendedKeyUsage=serverAuth\nbasicConstraints=critical,CA:FALSE\n"
    )
    run("openssl", "x509", "-req", "-in", f"{tls}/dc1.csr", "-CA", f"{tls}/ca.pem", "-CAkey", f"{tls}/ca.key",
        "-CAcreateserial", "-out", f"{tls}/dc1.pem", "-days", "30", "-extfile", f"{tls}/san.cnf")
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{tls}/other.key", "-out",
        f"{tls}/other.pem", "-days", "30", "-subj", "/CN=another CA")
    os.chmod(tls / "dc1.key", 0o600)
    for name in ("hosts", "resolv.conf"):
        run("mount", "--bind", str(lab / "etc" / name), f"/etc/{name}")
    os.environ["KRB5_CONFIG"] = str(lab / "etc/krb5.conf")
    os.environ["KRB5CCNAME"] = f"FILE:{lab}/ccache"


def provision(lab):
    """A domain without a daemon running; a second start finds it made."""
    dc = lab / "dc"
    run("samba-tool", "domain", "provision", "--configfile=/dev/null", f"--targetdir={dc}", f"--realm={REALM}",
        "--domain=CONTOSO", "--server-role=dc", "--host-name=dc1", "--host-ip=127.0.0.1", "--dns-backend=SAMBA_INTERNAL",
        "--adminpass=Passw0rd!Lab1", "--function-level=2008_R2", "--option=interfaces=lo",
        "--option=bind interfaces only=yes")
    for folder in ("run", "ncalrpc", "log", "wb", "ntp"):
        (dc / folder).mkdir(exist_ok=True)
    conf = dc / "etc/smb.conf"
    text = conf.read_text().replace(
        "\tworkgroup = CONTOSO\n",
        "\tworkgroup = CONTOSO\n"
        f"\tpid directory = {dc}/run\n\tncalrpc dir = {dc}/ncalrpc\n\tntp signd socket directory = {dc}/ntp\n"
        f"\twinbindd socket directory = {dc}/wb\n\tlog file = {dc}/log/%m.log\n"
        "\tserver services = ldap, cldap, kdc, rpc, dns\n\tdisable netbios = yes\n"
        "\tldap server require strong auth = allow_sasl_over_tls\n"
        f"\ttls keyfile = {lab}/tls/dc1.key\n\ttls certfile = {lab}/tls/dc1.pem\n\ttls cafile = {lab}/tls/ca.pem\n",
    )
    conf.write_text(text)
    run("python3", str(HERE / "schema.py"), str(lab / "ldif"))
    for name in ("schema-attributes", "schema-classes"):
        modify(lab, lab / f"ldif/{name}.ldif", schema=True)
    settings = ["-s", str(conf)]
    run("samba_spnupdate", *settings)
    run("samba-tool", "domain", "passwordsettings", "set", "--max-pwd-age=0", "--min-pwd-age=0", *settings)
    run("samba-tool", "user", "create", USER, PASSWORD, *settings)
    run("samba-tool", "domain", "exportkeytab", str(lab / "svc.keytab"), f"--principal={USER}@{REALM}", *settings)


def modify(lab, ldif, schema=False, dc="dc"):
    """Writes into the database itself: a tenth of the time it takes through LDAP."""
    command = ["ldbmodify", "-H", f"{lab}/{dc}/private/sam.ldb", f"--configfile={lab}/{dc}/etc/smb.conf"]
    if schema:
        command.append("--option=dsdb:schema update allowed=true")
    run(*command, str(ldif))


def tree(lab, first, last):
    run("python3", str(HERE / "tree.py"), str(lab / "ldif"), str(first), str(last))
    modify(lab, lab / f"ldif/tree-{first}-{last}.ldif")
    return json.loads((lab / f"ldif/expected-{last}.json").read_text())


class Samba:
    """The daemon, from its start until the end of the block."""

    def __init__(self, lab, dc="dc"):
        self.lab, self.dc = lab, dc

    def __enter__(self):
        log = open(self.lab / "samba.log", "w")
        self.process = subprocess.Popen(
            ["samba", "-i", "--debug-stdout", "-s", f"{self.lab}/{self.dc}/etc/smb.conf"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )
        for _ in range(400):
            if all(self.answers(port) for port in (389, 636, 88)):
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        sys.exit(f"Samba did not come up:\n{(self.lab / 'samba.log').read_text()[-2000:]}")

    @staticmethod
    def answers(port):
        import socket
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def discover(program, lab, *arguments, password=None, roots="ca", log=None, **environment):
    command = [program, "discover", "--live", "--channel", "directory", "--json", "--now", NOW, *arguments]
    if roots:
        command += ["--roots", f"{lab}/tls/{roots}.pem"]
    if password is not None:
        command.append("--password-stdin")
    if log:
        environment["EXSEAL_LOG"] = log
    return subprocess.run(
        command, input=password or "", capture_output=True, text=True, timeout=120, env={**os.environ, **environment}
    )


def copied(lab, name):
    """Another domain as this one is now."""
    run("cp", "-a", str(lab / "dc"), str(lab / name))
    conf = lab / name / "etc/smb.conf"
    conf.write_text(conf.read_text().replace(f"{lab}/dc", f"{lab}/{name}"))


def same_tree(lab, program, kerberos, servers):
    """The lab's own domain controller, and Samba with the lab's objects: one inventory. Samba's key distribution centre lets
    its user log on to the lab with a ticket, too."""
    name = f"of-lab-{servers}"
    keytab = lab / f"{name}.keytab"
    run("samba-tool", "domain", "exportkeytab", str(keytab), f"--principal=ldap/{HOST}", "-s", f"{lab}/{name}/etc/smb.conf")
    with of_lab.Lab(program, lab / f"lab-{servers}", servers, USER, keytab) as simulated:
        def look(with_what, connect, *more, password=""):
            command = [with_what, "discover", "--live", "--channel", "directory", "--json", "--now", NOW, "--connect", str(connect), *more]
            return subprocess.run(command, input=password, capture_output=True, text=True, timeout=180)

        ldif, objects = simulated.ldif()
        begun = time.monotonic()
        own = seen(f"the lab of {servers} servers", look(program, simulated.connect, "--password-stdin", password="Simulated-1\n"))
        took = time.monotonic() - begun
        (lab / f"ldif/{name}.ldif").write_text(ldif)
        modify(lab, lab / f"ldif/{name}.ldif", dc=name)
        with Samba(lab, name):
            who = ("--user", f"{USER}@contoso.lab")
            other = seen(f"Samba with the lab's tree of {servers}", discover(program, lab, "--directory", f"ldaps://{HOST}", *who, password=PASSWORD))
            # Nobody is named, so that the ticket speaks.
            nameless = simulated.folder / "nameless.toml"
            nameless.write_text(re.sub(r"(?m)^user = .*$", "", simulated.connect.read_text()))
            subprocess.run(["kinit", USER], input=PASSWORD + "\n", text=True, check=True, capture_output=True)
            for what, url in (("sealed", f"ldap://{HOST}"), ("over LDAPS", f"ldaps://{HOST}")):
                ticket = seen(f"the lab by a ticket, {what}", look(kerberos, nameless, "--directory", url))
                if ticket is not None and without_addresses(ticket) != without_addresses(own):
                    failures.append(f"the lab by a ticket, {what}: another inventory than by a password")
            if servers == SAME[0]:
                small_buffers(lab, program, kerberos, keytab)
    if own is None or other is None:
        return ""
    if len(own["servers"]) != servers:
        failures.append(f"the lab of {servers} servers shows {len(own['servers'])}")
    failures.extend(f"{servers} servers{words}" for words in of_lab.different(of_lab.anonymous(own), of_lab.anonymous(other))[:20])
    return f"the lab's {objects} objects of {servers} servers in {took:.1f} s and the same in Samba"


def small_buffers(lab, program, kerberos, keytab):
    """Where a domain controller fills one sealed buffer behind the other, what is lost in between is told."""
    with of_lab.Lab(program, lab / "lab-small", 20, USER, keytab, "\n[directory]\nsealed_buffer = 8000\n") as simulated:
        connect = simulated.folder / "nameless.toml"
        connect.write_text(re.sub(r"(?m)^user = .*$", "", simulated.connect.read_text()))

        def look(url):
            command = [kerberos, "discover", "--live", "--channel", "directory", "--json", "--now", NOW, "--connect", str(connect), "--directory", url]
            return subprocess.run(command, capture_output=True, text=True, timeout=180)

        whole = seen("small buffers over LDAPS", look(f"ldaps://{HOST}"))
        sealed = seen("small buffers, sealed", look(f"ldap://{HOST}"))
        if whole is None or sealed is None:
            return
        lost = without_addresses(whole) != without_addresses(sealed)
        told = any("lost on the sealed connection" in error["found"] for error in sealed.get("errors", []))
        if lost and not told:
            failures.append("objects were lost on a sealed connection, and nothing says so")


def value(observed):
    """The most trusted value; None where it is unknown or seen to be empty."""
    return observed.get("value") if isinstance(observed, dict) else None


def differences(expected, inventory):
    """What the inventory shows otherwise than the tree has it."""
    wrong = []

    def same(place, wanted, record):
        for key, one in wanted.items():
            found = value(record.get(key))
            if key == "source_transport_servers" and found is not None:
                found = sorted(found)
            if found != one:
                wrong.append(f"{place}.{key}: expected {one!r}, found {found!r}")

    def listed(place, wanted, items, key="name"):
        found = {item[key]: item for item in items["items"]}
        if sorted(found) != sorted(wanted):
            wrong.append(f"{place}: expected {sorted(wanted)}, found {sorted(found)}")
        for name, values in wanted.items():
            if name in found:
                same(f"{place}[{name}]", values, found[name])

    servers = {server["name"]: server for server in inventory["servers"]}
    if sorted(servers) != sorted(expected["servers"]):
        wrong.append(f"servers: expected {len(expected['servers'])}, found {sorted(servers)[:9]}…")
    for name, wanted in expected["servers"].items():
        server = servers.get(name)
        if server is None:
            continue
        same(name, {key: one for key, one in wanted.items() if not isinstance(one, dict)}, server)
        listed(f"{name}.receive", wanted["receive"], server["receive_connectors"])
        if wanted["directories"]:
            listed(f"{name}.directories", wanted["directories"], server["virtual_directories"], "identity")
        for protocol, values in wanted["protocols"].items():
            same(f"{name}.{protocol}", values, server[protocol])
    own, wanted = inventory["organisation"], expected["organisation"]
    same("organisation", {"name": wanted["name"]}, own)
    same("auth", wanted["auth"], own["auth_config"])
    same("hybrid", wanted["hybrid"], own["hybrid"])
    listed("send", wanted["send"], own["send_connectors"])
    listed("domains", wanted["domains"], own["accepted_domains"])
    listed("federation", wanted["federation"], own["federation_trusts"])
    listed("partners", wanted["partners"], own["partner_applications"])
    listed("overrides", wanted["overrides"], own["setting_overrides"])
    listed("edge", expected["edge"], own["edge_subscriptions"])
    held = set(inventory["certificates"])
    for server in expected["servers"].values():
        if server["internal_transport"] and server["internal_transport"] not in held:
            wrong.append(f"the certificate {server['internal_transport']} was not kept")
    return wrong


def seen(what, result):
    """The inventory a run printed; a failure is noted."""
    if result.returncode:
        failures.append(f"{what}: ended with {result.returncode}: {result.stderr[-600:]}")
        return None
    return json.loads(result.stdout)


def without_addresses(inventory):
    text = json.dumps(inventory, sort_keys=True)
    return re.sub(r"ldaps?://[^\"]*", "URL", text)


def refused(what, result, code, words):
    said = " ".join(result.stderr.split())
    if result.returncode != code or words not in said:
        failures.append(f"{what}: expected {code} and {words!r}, found {result.returncode} and {said[-600:]!r}")
    if PASSWORD in result.stderr + result.stdout or "wrong-Passw0rd" in result.stderr + result.stdout:
        failures.append(f"{what}: the password is shown")


def main():
    lab, plain, kerberos = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    began = time.monotonic()
    files(lab)
    provision(lab)
    for servers in SAME:
        copied(lab, f"of-lab-{servers}")
    expected = tree(lab, 1, 3)
    by_password = ("--user", f"{USER}@contoso.lab")
    with Samba(lab):
        first = seen("LDAPS", discover(plain, lab, "--directory", f"ldaps://{HOST}", *by_password, password=PASSWORD))
        if first is None:
            return
        failures.extend(differences(expected, first))
        if "never-to-be-read" in json.dumps(first):
            failures.append("the encrypted passwords of EdgeSync were read")
        again = {
            "LDAPS again": (plain, "ldaps", by_password, PASSWORD, {}),
            "StartTLS": (plain, "ldap", by_password, PASSWORD, {}),
            "keytab, sealed": (kerberos, "ldap", (), None, {
                "KRB5_CLIENT_KTNAME": f"{lab}/svc.keytab", "KRB5CCNAME": f"FILE:{lab}/other-ccache"}),
        }
        subprocess.run(["kinit", USER], input=PASSWORD + "\n", text=True, check=True, capture_output=True)
        again["ticket, sealed"] = (kerberos, "ldap", (), None, {})
        again["ticket over LDAPS"] = (kerberos, "ldaps", (), None, {})
        for what, (program, scheme, who, password, environment) in again.items():
            result = discover(program, lab, "--directory", f"{scheme}://{HOST}", *who, password=password, **environment)
            other = seen(what, result)
            if other is not None and without_addresses(other) != without_addresses(first):
                failures.append(f"{what}: another inventory than over LDAPS")
        ldaps = ("--directory", f"ldaps://{HOST}")
        refused("wrong password", discover(plain, lab, *ldaps, *by_password, password="wrong-Passw0rd"), 1, "password")
        refused("no password", discover(plain, lab, *ldaps, *by_password, password=""), 2, "expected the password")
        refused("another root", discover(plain, lab, *ldaps, *by_password, password=PASSWORD, roots="other"), 1,
                "no trusted TLS connection")
        refused("a name the certificate lacks",
                discover(plain, lab, "--directory", "ldaps://dc1", *by_password, password=PASSWORD), 1,
                "no trusted TLS connection")
        refused("nobody there", discover(plain, lab, "--directory", f"ldaps://{HOST}:1", *by_password, password=PASSWORD),
                1, "cannot reach the directory")
        refused("built without Kerberos", discover(plain, lab, "--directory", f"ldap://{HOST}"), 2, "without Kerberos")
        refused("no ticket", discover(kerberos, lab, "--directory", f"ldap://{HOST}", KRB5CCNAME="FILE:/nowhere/at-all"),
                1, "Kerberos with the directory")
        told = discover(plain, lab, *ldaps, *by_password, password=PASSWORD, log="exseal=debug").stderr
        if "CN=Schema" not in told:
            failures.append("no referral to the schema's naming context was told, so none was tolerated")
    small = time.monotonic() - began
    expected = tree(lab, 4, 200)
    with Samba(lab):
        begun = time.monotonic()
        large = seen("200 servers", discover(plain, lab, *ldaps, *by_password, password=PASSWORD))
        took = time.monotonic() - begun
        if large is not None:
            failures.extend(differences(expected, large)[:20])
            objects = sum(len(server["receive"]) + len(server["directories"]) for server in expected["servers"].values())
            print(f"3 servers by 6 ways; 200 servers, {objects} connectors and directories in {took:.1f} s "
                  f"(lab up after {small:.0f} s, {time.monotonic() - began:.0f} s in all)")
    print("; ".join(same_tree(lab, plain, kerberos, servers) for servers in SAME))


main()
if failures:
    sys.exit("\n".join(failures))
