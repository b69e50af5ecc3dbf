"""nginx, postfix, dovecot and BIND on loopback, each with a configuration of its own, and certificates for them."""

import os
import pwd
import shutil
import subprocess
import sys
import time
from pathlib import Path

started = []


def run(*command, check=True, **options):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if check and result.returncode:
        words = " ".join(str(part) for part in command)
        sys.exit(f"{words} ended with {result.returncode}\n{result.stdout[-2000:]}\n{result.stderr[-2000:]}")
    return result


def start(log, *command, **options):
    """Starts a server in the foreground; it ends with this script."""
    output = open(log, "w")
    process = subprocess.Popen(
        [str(part) for part in command], stdout=output, stderr=output, stdin=subprocess.DEVNULL, **options
    )
    started.append(process)
    return process


def stop():
    for process in started:
        process.terminate()
    for process in started:
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()


def wait_for(port, address="127.0.0.1", patience=20):
    import socket

    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            socket.create_connection((address, port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"nothing listens on {address}:{port} after {patience} s")


class Certificates:
    """A root, an intermediate, and leaves of many kinds; every leaf has FOLDER/NAME.key, .pem and .chain."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.make("root", None, "/CN=Lab Root", ["basicConstraints=critical,CA:TRUE", "keyUsage=keyCertSign"])
        self.make("issuing", "root", "/CN=Lab Issuing", ["basicConstraints=critical,CA:TRUE", "keyUsage=keyCertSign"])
        names = {
            "mail": ["mail.example.lab", "autodiscover.example.lab"],
            "wild": ["*.example.lab"],
            "ec": ["ec.example.lab"],
            "mx": ["mx.example.lab"],
            "hoster": ["shared.hoster.example"],
        }
        for name, own in names.items():
            san = "subjectAltName=" + ",".join(f"DNS:{one}" for one in own)
            self.make(name, "issuing", f"/CN={own[0]}", [san, "extendedKeyUsage=serverAuth"], ec=name == "ec")
        self.make("ex1", None, "/CN=EX1", ["subjectAltName=DNS:EX1,DNS:ex1.example.lab", "extendedKeyUsage=serverAuth"])
        self.make("transport", None, "/CN=EX1-transport", ["subjectAltName=DNS:EX1,DNS:ex1.example.lab"])
        self.make("sha1", "root", "/CN=old.example.lab", ["subjectAltName=DNS:old.example.lab"], digest="sha1")
        self.make("nosan", None, "/CN=nosan.example.lab", ["extendedKeyUsage=serverAuth"])
        self.make("v1", None, "/CN=v1.example.lab", [])
        self.make("ended", "root", "/CN=ended.example.lab", ["subjectAltName=DNS:ended.example.lab"], days=1)

    def make(self, name, issuer, subject, extensions, days=200, digest="sha256", ec=False):
        path = lambda suffix, of=name: self.folder / f"{of}.{suffix}"
        kind = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"] if ec else ["-algorithm", "RSA"]
        run("openssl", "genpkey", *kind, "-out", path("key"))
        run("openssl", "req", "-new", "-key", path("key"), "-subj", subject, "-out", path("csr"))
        path("ext").write_text("\n".join(extensions) + "\n")
        signed = ["-CA", path("pem", issuer), "-CAkey", path("key", issuer), "-CAcreateserial"] if issuer else ["-key", path("key")]
        run("openssl", "x509", "-req", "-in", path("csr"), *signed, "-days", days, f"-{digest}",
            "-extfile", path("ext"), "-out", path("pem"))
        middle = path("pem", "issuing").read_text() if issuer == "issuing" else ""
        path("chain").write_text(path("pem").read_text() + middle)
        path("both").write_text(path("key").read_text() + path("chain").read_text())

    def __call__(self, name, suffix="chain"):
        return self.folder / f"{name}.{suffix}"


def nginx(folder, certificates):
    folder.mkdir()
    tls = lambda name: f"ssl_certificate {certificates(name)}; ssl_certificate_key {certificates(name, 'key')};"
    pages = "location ~ healthcheck.htm$ { return 200 '200 OK<br/>EX1.example.lab'; } location / { return 401; }"
    (folder / "nginx.conf").write_text(f"""
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  ssl_protocols TLSv1.2 TLSv1.3;
  server {{ listen 127.0.0.1:443 ssl default_server; {tls('wild')} {pages} }}
  server {{ listen 127.0.0.1:443 ssl; server_name mail.example.lab; {tls('mail')} {pages} }}
  server {{ listen 127.0.0.1:443 ssl; server_name ec.example.lab; {tls('ec')} }}
  server {{ listen 127.0.0.1:443 ssl; server_name example.lab; {tls('hoster')} }}
  server {{ listen 127.0.0.1:444 ssl; {tls('ex1')} }}
  server {{ listen 127.0.0.1:8443 ssl; ssl_protocols TLSv1.2; {tls('mail')} }}
  server {{ listen 127.0.0.1:9443 ssl; {tls('nosan')} }}
  server {{ listen 127.0.0.1:9446 ssl; {tls('v1')} }}
  server {{ listen 127.0.0.1:9444 ssl; {tls('sha1')} ssl_ciphers ALL:@SECLEVEL=0; }}
  server {{ listen 127.0.0.1:9445 ssl; {tls('ended')} }}
  server {{ listen 127.0.0.1:80; return 302 https://mail.example.lab/autodiscover/autodiscover.xml; }}
}}
""")
    start(folder / "log", "nginx", "-c", folder / "nginx.conf", "-p", folder)
    wait_for(443)


def postfix(folder, certificates):
    folder.mkdir()
    (folder / "queue").mkdir()
    (folder / "data").mkdir()
    shutil.chown(folder / "data", "postfix")
    installed = run("postconf", "-h", "daemon_directory", "command_directory", "shlib_directory").stdout.split()
    (folder / "sni").write_text(f"mail.example.lab {certificates('mail', 'both')}\n")
    (folder / "main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = {installed[0]}
command_directory = {installed[1]}
shlib_directory = {installed[2]}
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.example.lab
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_tls_security_level = may
smtpd_tls_chain_files = {certificates('mx', 'both')}
tls_server_sni_maps = hash:{folder}/sni
smtpd_tls_loglevel = 0
smtputf8_enable = no
local_recipient_maps =
alias_maps =
""")
    (folder / "master.cf").write_text(f"""
25   inet n - n - - smtpd
587  inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
465  inet n - n - - smtpd
  -o smtpd_tls_chain_files={certificates('ec', 'both')}
717  inet n - n - - smtpd
  -o smtpd_tls_security_level=none
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
""")
    run("postmap", "-F", "-c", folder, f"hash:{folder}/sni")
    run("postfix", "-c", folder, "check", check=False)
    start(folder / "log", f"{installed[0]}/master", "-c", folder, "-d")
    wait_for(25)


def dovecot(folder, certificates):
    folder.mkdir()
    own = pwd.getpwuid(os.getuid()).pw_name
    (folder / "dovecot.conf").write_text(f"""
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap pop3
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificates('mail')}
ssl_key = <{certificates('mail', 'key')}
local_name pop.example.lab {{
  ssl_cert = <{certificates('wild')}
  ssl_key = <{certificates('wild', 'key')}
}}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={own} gid={own} home={folder}
}}
""")
    start(folder / "log", "dovecot", "-F", "-c", folder / "dovecot.conf")
    for port in (110, 143, 993, 995):
        wait_for(port)


def bind(folder, tlsa):
    """A signed root, a signed and an unsigned zone with the records a mail domain has; gives the file of the root's key."""
    folder.mkdir()
    shutil.chown(folder, "bind")
    folder.chmod(0o777)
    (folder / "zone").write_text(f"""$ORIGIN example.lab.
$TTL 300
@ IN SOA ns hostmaster 1 3600 600 86400 300
@ IN NS ns
@ IN A 127.0.0.1
@ IN MX 10 mx
@ IN MX 20 late
ns IN A 127.0.0.1
mail IN A 127.0.0.1
autodiscover IN A 127.0.0.1
mx IN A 127.0.0.1
late IN A 127.0.0.1
_25._tcp.mx IN TLSA 3 1 1 {tlsa}
_25._tcp.late IN TLSA 3 1 1 {'00' * 32}
_autodiscover._tcp IN SRV 0 0 443 mail
""")
    unsigned = (folder / "zone").read_text().replace("example.lab.", "plain.lab.")
    (folder / "plain").write_text(unsigned)
    def signed(zone, file):
        """Signs a zone; gives its key signing key as a record."""
        keys = [run("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", *more, zone, cwd=folder).stdout.strip()
                for more in ([], ["-f", "KSK"])]
        run("dnssec-signzone", "-S", "-o", zone, file, cwd=folder)
        lines = (folder / f"{keys[1]}.key").read_text().splitlines()
        return "\n".join(line for line in lines if not line.startswith(";")) + "\n"

    signed("example.lab", "zone")
    # A root of our own: one zone is delegated with its key, the other without.
    (folder / "root").write_text(f"""$TTL 300
. IN SOA ns.example.lab. hostmaster.example.lab. 1 3600 600 86400 300
. IN NS ns.example.lab.
example.lab. IN NS ns.example.lab.
plain.lab. IN NS ns.example.lab.
ns.example.lab. IN A 127.0.0.1
{(folder / "dsset-example.lab.").read_text()}""")
    anchor = folder / "anchor"
    anchor.write_text(signed(".", "root"))
    (folder / "named.conf").write_text(f"""
options {{ directory "{folder}"; listen-on port 53 {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no;
  pid-file "{folder}/pid"; session-keyfile "{folder}/session"; }};
controls {{ }};
zone "." {{ type primary; file "root.signed"; }};
zone "example.lab" {{ type primary; file "zone.signed"; }};
zone "plain.lab" {{ type primary; file "plain"; }};
""")
    start(folder / "log", "named", "-g", "-c", folder / "named.conf")
    wait_for(53)
    return anchor


def weak(folder, certificates):
    """Servers that no library of today speaks with: 1.0 alone, 1.1 alone, and RSA key exchange alone."""
    folder.mkdir()
    key, chain = certificates("sha1", "key"), certificates("sha1")
    for port, options in ((14430, ["-tls1"]), (14431, ["-tls1_1"])):
        start(folder / f"{port}.log", "openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-key", key, "-cert", chain,
              "-cipher", "ALL:@SECLEVEL=0", "-quiet", *options)
    start(folder / "14432.log", "openssl", "s_server", "-accept", "127.0.0.1:14432", "-key", key, "-cert", chain,
          "-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0", "-quiet")
    start(folder / "14433.log", "gnutls-serv", "--port", "14433", "--x509keyfile", key, "--x509certfile", chain,
          "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.0:+SHA1:+SIGN-RSA-SHA1:%COMPAT", "--quiet", "--echo")
    for port in range(14430, 14434):
        wait_for(port)
