#!/usr/bin/env python3
"""A WSMan server whose PowerShell remoting is psrpcore's and whose security is pyspnego's: a judge of our client.

Started with one JSON argument: a list of endpoints, each {"name", "auth": "basic"|"negotiate"|"kerberos", ...}.
Listens on loopback ports of the system's choice, prints one line of JSON {name: port, "stats": port, "certificates":
{name: base64}}, serves until its standard input ends. GET /stats on an endpoint without TLS tells open shells, what
its client did wrong, and the process's CPU time; GET / on the port "stats" tells {name: the same} of all of them.

Options of an endpoint:
  sealed      bodies in clear text are refused with an empty 500, as WinRM does with AllowUnencrypted=false
  in_clear    what was asked sealed is answered in clear text, as somebody on the way would
  exchange    the challenge is `Kerberos` alone, boundaries have Exchange's space
  nolanguage  scripts are refused in PowerShell's words
  front_end   requests fail as at Exchange's front end: {"status", "body", "on": a list of actions; none: all}; true:
              all of them, as with a dead back end
  max_shells  a quota
  max_poll    seconds before a Receive that found nothing is answered
  empty_poll  such a Receive is answered with a command that runs and no bytes, not with the fault w:TimedOut
  tls         the hash ("sha256", "sha384", "sha512") of the signature of the certificate that is made for localhost
  binding     "own": log-ons must be bound to this TLS certificate; "other": to another one, so that none can succeed
  answers     {cmdlet: [CLIXML file, how often its objects are written]}
  user, password, service

Kerberos needs python-gssapi, and KRB5_CONFIG and KRB5_KTNAME in the environment.
"""
import base64
import datetime
import functools
import hashlib
import http.server
import json
import os
import re
import socketserver
import ssl
import struct
import sys
import tempfile
import threading
import time
import uuid
import xml.etree.ElementTree as ET

import psrpcore
import spnego
import spnego.channel_bindings
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from psrpcore import PSRPPayload, ServerPipeline, ServerRunspacePool
from psrpcore.types import (
    ErrorCategoryInfo, ErrorRecord, HostMethodIdentifier, NETException, PSCustomObject, PSInvocationState, PSSecureString, PSString,
)

NS = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "wsa": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "p": "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd",
    "rsp": "http://schemas.microsoft.com/wbem/wsman/1/windows/shell",
    "pwsh": "http://schemas.microsoft.com/powershell",
    "x": "http://schemas.xmlsoap.org/ws/2004/09/transfer",
}
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer/"
DECLARATIONS = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NS.items())
FRONT_END = (
    "[ClientAccessServer=EX1,BackEndServer=ex1.lab.test,RequestId=802d0eac-210b-4738-9549-704ef08548d2,"
    "TimeStamp=3/10/2021 4:24:51 PM] [FailureCategory=Cafe-SendFailure] "
)
# What the server writes of itself: characters outside of the plane, all line ends, what looks like CLIXML's escapes.
ODD = "a_x0041_b\r\nö😀\n\r\u2028\t\u0001 𐐷 _x000D_ \ufffd"


def escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


class Fault(Exception):
    def __init__(self, subcode, number, text):
        super().__init__(text)
        self.subcode, self.number, self.text = subcode, number, text


class Ends(Exception):
    """A terminating error of a command: id and words."""

    def __init__(self, identifier, words):
        super().__init__(words)
        self.identifier, self.words = identifier, words


def certificate(of):
    """A self-signed certificate for localhost, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    )
    return builder.sign(key, {"sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}[of]()), key


@functools.lru_cache
def recorded(path, times):
    """The objects of a CLIXML file, as psrpcore reads them."""
    with open(path, encoding="utf-8-sig") as file:
        values = psrpcore.types.deserialize_clixml(file.read(), psrpcore.types.PSCryptoProvider())
    return (values if isinstance(values, list) else [values]) * times


class Shell:
    def __init__(self, shell_id, uri):
        self.id, self.uri = shell_id, uri
        self.pool = ServerRunspacePool()
        self.changed = threading.Condition()
        self.out = {None: []}
        self.done = {}
        self.commands = set()
        self.answers = {}

    def pump(self):
        while True:
            payload = self.pool.data_to_send(32768)
            if not payload:
                break
            of = str(payload.pipeline_id).upper() if payload.pipeline_id else None
            self.out.setdefault(of, []).append(bytes(payload.data))
        self.changed.notify_all()


class Endpoint:
    certificate, binding, bakes = None, None, False

    def __init__(self, options):
        self.options = options
        self.shells, self.lock = {}, threading.Lock()
        self.wrong, self.calls, self.ran = [], {}, {}

    def stats(self):
        return {"shells": len(self.shells), "wrong": self.wrong, "calls": self.calls, "ran": self.ran}

    def present(self):
        """Makes a certificate and the TLS context that shows it."""
        self.certificate, key = certificate(self.options["tls"])
        other, _ = certificate(self.options["tls"])
        expected = {"own": self.certificate, "other": other}.get(self.options.get("binding"))
        if expected is not None:
            # RFC 5929 4.1, by the hash the certificate was signed with.
            digest = expected.fingerprint(expected.signature_hash_algorithm)
            self.binding = spnego.channel_bindings.GssChannelBindings(
                application_data=b"tls-server-end-point:" + digest
            )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile(suffix=".pem") as both:
            both.write(self.certificate.public_bytes(serialization.Encoding.PEM))
            both.write(key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ))
            both.flush()
            context.load_cert_chain(both.name)
        return context

    def blame(self, text):
        self.wrong.append(text)
        print(text, file=sys.stderr, flush=True)

    # -- commands ------------------------------------------------------------------------------------------------

    def run(self, shell, pipeline):
        try:
            self.command(shell, pipeline)
            with shell.changed:
                # A command that was stopped has said so.
                if pipeline.state == PSInvocationState.Running:
                    pipeline.complete()
                    self.finish(shell, pipeline)
        except Ends as error:
            with shell.changed:
                record = ErrorRecord(
                    Exception=NETException(Message=error.words),
                    CategoryInfo=ErrorCategoryInfo(),
                    FullyQualifiedErrorId=error.identifier,
                )
                pipeline._change_state(PSInvocationState.Failed, error=record)
                self.finish(shell, pipeline)
        except Exception as error:  # noqa: BLE001 - the test must see it
            self.blame(f"command: {type(error).__name__}: {error}")

    def finish(self, shell, pipeline):
        shell.pump()
        shell.done[str(pipeline.pipeline_id).upper()] = True
        pipeline.close()
        shell.changed.notify_all()

    def command(self, shell, pipeline):
        command = pipeline.metadata.commands[0]
        name = command.command_text.strip()
        with self.lock:
            self.ran[name] = self.ran.get(name, 0) + 1
        parameters = {(key or place): value for place, (key, value) in enumerate(command.parameters)}

        def write(value):
            with shell.changed:
                pipeline.write_output(value)
                shell.pump()

        if command.is_script and self.options.get("nolanguage"):
            raise Ends(
                "ScriptsNotAllowed",
                "The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode.",
            )
        if name in self.options.get("answers", {}):
            for value in recorded(*self.options["answers"][name]):
                write(value)
        elif name == "Get-Objects":
            # as many custom objects of about a kilobyte as asked for
            for number in range(int(parameters["Count"])):
                write(PSCustomObject(Number=number, Text=f"{number:06}" * 170, List=list(range(8))))
        elif name == "Start-Sleep":
            for _ in range(int(parameters["Seconds"]) * 10):
                time.sleep(0.1)
                if pipeline.state != PSInvocationState.Running:
                    return
            write(PSString("slept"))
        elif name == "Write-All":
            with shell.changed:
                pipeline.write_warning("a warning")
                pipeline.write_verbose("a verbose message")
                pipeline.write_debug("a debug message")
                pipeline.write_progress("activity", 1, "status", percent_complete=50)
                pipeline.write_information(PSString("information"), "source")
                pipeline.write_error(NETException(Message="not terminating"), fully_qualified_error_id="X,Y")
                pipeline.write_output(PSString("out"))
                shell.pump()
        elif name == "Read-Host":
            with shell.changed:
                call = pipeline.host_call(HostMethodIdentifier.ReadLine)
                shell.pump()
                if not shell.changed.wait_for(lambda: call in shell.answers, 30):
                    raise Ends("NoAnswer", "nobody answered the question")
                error = shell.answers.pop(call).error
            write(PSString("answered" if error is None else f"refused: {error.FullyQualifiedErrorId}"))
        elif name == "Stop-Terminating":
            write(PSString("before"))
            raise Ends("Terminating,Stop-Terminating", "it ended here: ü 😀")
        elif name == "Get-Echo":
            for value in parameters.values():
                write(value)
        elif name == "Get-Digests":
            # What came, apart from how psrpcore would write it: one wrong in both directions is seen.
            for value in parameters.values():
                is_text = isinstance(value, str)
                raw = value.encode("utf-16-le", "surrogatepass") if is_text else bytes(value)
                write(PSString(hashlib.sha256(raw).hexdigest()))
        elif name == "Get-OddText":
            write(PSString(ODD))
        elif name == "Get-One":
            # one object of about as many bytes as asked for: it takes many fragments and many answers
            write(PSCustomObject(Text="é" * (int(parameters["Bytes"]) // 2)))
        elif name == "Get-TypeNames":
            for key, value in parameters.items():
                write(PSString(f"{key}={type(value).__name__}"))
        elif name == "Get-SecretDigest":
            secret = parameters["Password"]
            if not isinstance(secret, PSSecureString):
                raise Ends("NotSecure", f"expected a SecureString, found {type(secret).__name__}")
            write(PSString(hashlib.sha256(secret.decrypt().encode("utf-8")).hexdigest()))
        else:
            raise Ends("CommandNotFoundException", f"The term '{name}' is not recognized.")

    # -- WSMan ---------------------------------------------------------------------------------------------------

    def feed(self, shell, data, command_id=None, stream=psrpcore.StreamType.default):
        with shell.changed:
            shell.pool.receive_data(PSRPPayload(data, stream, uuid.UUID(command_id) if command_id else None))
            while True:
                event = shell.pool.next_event()
                if event is None:
                    break
                if isinstance(event, psrpcore.CreatePipelineEvent):
                    pipeline = shell.pool.pipeline_table[event.pipeline_id]
                    # Before the answer: a Signal that comes next finds it running.
                    pipeline.start()
                    threading.Thread(target=self.run, args=(shell, pipeline), daemon=True).start()
                elif isinstance(event, psrpcore.PipelineHostResponseEvent):
                    shell.answers[event.ci] = event
                    shell.changed.notify_all()
                elif isinstance(event, psrpcore.GetAvailableRunspacesEvent):
                    shell.pool.runspace_availability_response(event.ci, 1)
            shell.pump()

    def create(self, envelope, uri):
        described = envelope.find(".//rsp:Shell", NS)
        shell_id = described.get("ShellId") or str(uuid.uuid4())
        creation = envelope.find(".//pwsh:creationXml", NS)
        limit = self.options.get("max_shells")
        if limit and len(self.shells) >= limit:
            raise Fault(
                "w:QuotaLimit", 2150859174,
                "The WS-Management service cannot process the request. This user is allowed a maximum number of "
                f"{limit} concurrent shells, which has been exceeded.",
            )
        if not uri.startswith("http://schemas.microsoft.com/powershell/"):
            raise Fault("w:DestinationUnreachable", 2150858752, "The resource URI was not found.")
        if described.get("ShellId") is None:
            self.blame("Create without ShellId")
        if envelope.find(".//p:SessionId", NS) is None:
            self.blame("Create without SessionId: the shell cannot be disconnected")
        shell = Shell(shell_id, uri)
        with self.lock:
            self.shells[shell_id] = shell
        self.feed(shell, base64.b64decode(creation.text))
        return (
            "<x:ResourceCreated><wsa:Address>http://127.0.0.1/wsman</wsa:Address><wsa:ReferenceParameters>"
            f'<w:ResourceURI>{escaped(uri)}</w:ResourceURI><w:SelectorSet><w:Selector Name="ShellId">{shell_id}'
            "</w:Selector></w:SelectorSet></wsa:ReferenceParameters></x:ResourceCreated><rsp:Shell>"
            f"<rsp:ShellId>{shell_id}</rsp:ShellId><rsp:ResourceUri>{escaped(uri)}</rsp:ResourceUri>"
            "<rsp:Owner>LAB\\user</rsp:Owner><rsp:ClientIP>127.0.0.1</rsp:ClientIP><rsp:IdleTimeOut>PT7200.000S"
            "</rsp:IdleTimeOut><rsp:InputStreams>stdin pr</rsp:InputStreams><rsp:OutputStreams>stdout"
            "</rsp:OutputStreams></rsp:Shell>"
        )

    def shell_of(self, envelope, uri, action):
        selector = envelope.find('.//w:Selector[@Name="ShellId"]', NS)
        shell_id = selector.text if selector is not None else ""
        shell = self.shells.get(shell_id)
        if shell is None or shell.uri != uri:
            if shell is not None:
                self.blame(f"{action}: resource URI {uri} is not the shell's {shell.uri}")
            raise Fault(
                "w:InvalidSelectors", 2150858843,
                f"The request for the Windows Remote Shell with ShellId {shell_id} failed because the shell was not "
                "found on the server.",
            )
        return shell

    def receive(self, shell, envelope, seconds):
        command_id = envelope.find(".//rsp:DesiredStream", NS).get("CommandId")
        command_id = command_id.upper() if command_id else None
        if command_id and command_id not in shell.commands:
            raise Fault("w:InvalidSelectors", 2150858843, "The command was not found.")
        end = time.time() + min(seconds, self.options.get("max_poll", 60))
        with shell.changed:
            while not shell.out.get(command_id) and not shell.done.get(command_id):
                left = end - time.time()
                if left <= 0 and self.options.get("empty_poll"):
                    break
                if left <= 0 or shell.id not in self.shells:
                    raise Fault("w:TimedOut", 2150858793, "The operation timed out.")
                shell.changed.wait(left)
            queue, data, size = shell.out.get(command_id, []), [], 0
            while queue and size + len(queue[0]) * 4 / 3 < 512000 * 0.95 - 3000:
                data.append(queue.pop(0))
                size += len(data[-1]) * 4 / 3
            is_done = bool(command_id and shell.done.get(command_id) and not queue)
        of = f' CommandId="{command_id}"' if command_id else ""
        body = "<rsp:ReceiveResponse>" + "".join(
            f'<rsp:Stream Name="stdout"{of}>{base64.b64encode(part).decode()}</rsp:Stream>' for part in data
        )
        if is_done:
            body += (
                f'<rsp:Stream Name="stdout"{of} End="true"></rsp:Stream><rsp:CommandState{of} '
                f'State="{SHELL}CommandState/Done"><rsp:ExitCode>0</rsp:ExitCode></rsp:CommandState>'
            )
        elif command_id:
            body += f'<rsp:CommandState{of} State="{SHELL}CommandState/Running"></rsp:CommandState>'
        return body + "</rsp:ReceiveResponse>"

    def signal(self, shell, envelope):
        signal = envelope.find(".//rsp:Signal", NS)
        command_id = (signal.get("CommandId") or "").upper()
        code = envelope.find(".//rsp:Code", NS).text
        with shell.changed:
            pipeline = shell.pool.pipeline_table.get(uuid.UUID(command_id))
            if pipeline is not None and pipeline.state == PSInvocationState.Running:
                pipeline.stop()
                shell.pump()
                shell.done[command_id] = True
                pipeline.close()
                shell.changed.notify_all()
            elif code.lower().endswith("terminate"):
                shell.commands.discard(command_id)
                shell.out.pop(command_id, None)

    def handle(self, xml):
        envelope = ET.fromstring(xml)
        action = envelope.find("s:Header/wsa:Action", NS).text
        uri = envelope.find("s:Header/w:ResourceURI", NS).text
        message = envelope.find("s:Header/wsa:MessageID", NS).text
        limit = envelope.find("s:Header/w:OperationTimeout", NS)
        seconds = float(re.findall(r"[\d.]+", limit.text)[0]) if limit is not None else 60
        name = action.rsplit("/", 1)[1]
        self.calls[name] = self.calls.get(name, 0) + 1
        try:
            if name == "Create":
                body = self.create(envelope, uri)
            else:
                shell = self.shell_of(envelope, uri, name)
                body = f"<rsp:{name}Response/>"
                if name == "Delete":
                    with self.lock:
                        self.shells.pop(shell.id, None)
                    body = ""
                elif name == "Command":
                    line = envelope.find(".//rsp:CommandLine", NS)
                    command_id = line.get("CommandId").upper()
                    if command_id in shell.commands:
                        self.blame(f"CommandId {command_id} came twice")
                    shell.commands.add(command_id)
                    shell.out.setdefault(command_id, [])
                    with shell.changed:
                        ServerPipeline(shell.pool, uuid.UUID(command_id))
                    for argument in envelope.findall(".//rsp:Arguments", NS):
                        self.feed(shell, base64.b64decode(argument.text or ""), command_id)
                    body = f"<rsp:CommandResponse><rsp:CommandId>{command_id}</rsp:CommandId></rsp:CommandResponse>"
                elif name == "Receive":
                    body = self.receive(shell, envelope, seconds)
                elif name == "Send":
                    for stream in envelope.findall(".//rsp:Stream", NS):
                        command_id = stream.get("CommandId")
                        data, is_answer = base64.b64decode(stream.text or ""), stream.get("Name") == "pr"
                        kind = psrpcore.StreamType.prompt_response if is_answer else psrpcore.StreamType.default
                        self.feed(shell, data, command_id and command_id.upper(), kind)
                elif name == "Signal":
                    self.signal(shell, envelope)
                else:
                    raise Fault("wsa:ActionNotSupported", 2150858752, action)
            base = TRANSFER if name in ("Create", "Delete") else SHELL
            return 200, wrapped(f"{base}{name}Response", message, body)
        except Fault as fault:
            body = (
                f"<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>{fault.subcode}</s:Value>"
                f'</s:Subcode></s:Code><s:Reason><s:Text xml:lang="en-US">{escaped(fault.text)}</s:Text></s:Reason>'
                '<s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" '
                f'Code="{fault.number}" Machine="ex1.lab"><f:Message>{escaped(fault.text)}</f:Message>'
                "</f:WSManFault></s:Detail></s:Fault>"
            )
            return 500, wrapped("http://schemas.dmtf.org/wbem/wsman/1/wsman/fault", message, body)


def wrapped(action, message, body):
    return (
        f'<s:Envelope xml:lang="en-US" {DECLARATIONS}><s:Header><wsa:Action>{action}</wsa:Action><wsa:MessageID>uuid:'
        f"{str(uuid.uuid4()).upper()}</wsa:MessageID><wsa:To>{NS['wsa']}/role/anonymous</wsa:To><wsa:RelatesTo>"
        f"{message}</wsa:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def action_of(body):
    found = re.search(rb"/(\w+)</(?:\w+:)?Action>", body)
    return found.group(1).decode() if found else ""


LAST = threading.local()


def remember_tokens():
    """MIT's library gives a token with its refusal, which a client may read; pyspnego drops it."""
    try:
        import gssapi
    except ImportError:
        return
    step = gssapi.SecurityContext.step

    def remembering(self, token=None):
        LAST.token = step(self, token)
        return LAST.token

    gssapi.SecurityContext.step = remembering


def refusal(scheme):
    """The token that says why, as it stands behind the scheme it was asked under."""
    token, LAST.token = getattr(LAST, "token", None), None
    if not token:
        return ""
    if scheme == "Negotiate":
        token = spnego._spnego.NegTokenResp(neg_state=spnego._spnego.NegState.reject, response_token=token).pack()
    return " " + base64.b64encode(token).decode()


class Told(http.server.BaseHTTPRequestHandler):
    """Of all endpoints, for those that cannot ask one."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        body = json.dumps({endpoint.options["name"]: endpoint.stats() for endpoint in self.server.endpoints}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    context = None

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", kind="application/soap+xml;charset=UTF-8", headers=()):
        self.send_response(status)
        if body:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def do_GET(self):
        endpoint = self.server.endpoint
        if self.path != "/stats":
            return self.reply(404)
        told = {"cpu": time.process_time(), **endpoint.stats()}
        return self.reply(200, json.dumps(told).encode(), "application/json")

    def log_on(self):
        """The headers of the answer, or None after refusing."""
        endpoint, options = self.server.endpoint, self.server.endpoint.options
        given = self.headers.get("Authorization", "")
        if options["auth"] == "basic":
            expected = base64.b64encode(f"{options['user']}:{options['password']}".encode()).decode()
            if given != "Basic " + expected:
                self.reply(401, headers=[("WWW-Authenticate", 'Basic realm="lab"')])
                return None
            return []
        schemes = ["Kerberos"] if options.get("exchange") else ["Negotiate", "Kerberos"]
        headers = []
        if given:
            scheme, _, token = given.partition(" ")
            try:
                if self.context is None or self.context.complete:
                    is_kerberos = options["auth"] == "kerberos"
                    self.context = spnego.server(
                        protocol="kerberos" if scheme == "Kerberos" else "negotiate",
                        hostname="localhost",
                        service=options.get("service", "HTTP"),
                        channel_bindings=endpoint.binding,
                        options=spnego.NegotiateOptions.wrapping_winrm if is_kerberos else 0,
                    )
                answer = self.context.step(base64.b64decode(token))
            except Exception as error:  # noqa: BLE001 - a refused log-on
                endpoint.calls["refused"] = endpoint.calls.get("refused", 0) + 1
                self.context = None
                words = refusal(scheme)
                said = [name + words if name == scheme else name for name in schemes]
                self.reply(401, headers=[("WWW-Authenticate", name) for name in said])
                return None
            if not self.context.complete:
                self.reply(401, headers=[("WWW-Authenticate", f"{scheme} {base64.b64encode(answer).decode()}")])
                return None
            if answer:
                headers = [("WWW-Authenticate", f"{scheme} {base64.b64encode(answer).decode()}")]
        if self.context is None or not self.context.complete:
            self.reply(401, headers=[("WWW-Authenticate", name) for name in schemes])
            return None
        return headers

    def do_POST(self):
        endpoint, options = self.server.endpoint, self.server.endpoint.options
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.split("?")[0].rstrip("/").lower() not in ("/wsman", "/powershell"):
            return self.reply(404, b"<html>404</html>", "text/html")
        if self.headers.get("Accept-Encoding") != "identity":
            endpoint.blame(f"Accept-Encoding: {self.headers.get('Accept-Encoding')}")
        if options.get("redirect"):
            return self.reply(302, headers=[("Location", options["redirect"])])
        headers = self.log_on()
        if headers is None:
            return None
        kind = self.headers.get("Content-Type", "")
        is_sealed = kind.startswith("multipart/encrypted")
        if is_sealed:
            try:
                body = self.unseal(body)
            except Exception as error:  # noqa: BLE001 - HTTP.sys refuses
                endpoint.blame(f"unseal: {type(error).__name__}: {error}")
                return self.reply(400)
        elif body and options.get("sealed"):
            endpoint.blame("a body in clear text")
            return self.reply(500, headers=headers)
        if not body:
            return self.reply(200, headers=headers)
        dead = options.get("front_end")
        if dead is True:
            return self.reply(500, FRONT_END.encode(), headers=headers)
        if dead and ("on" not in dead or action_of(body) in dead["on"]):
            return self.reply(dead.get("status", 500), dead["body"].encode(), headers=headers)
        headers.append(("Set-Cookie", "X-BackEndCookie=one; path=/PowerShell; secure"))
        had, endpoint.bakes = endpoint.bakes, True
        if had and action_of(body) != "Create" and "X-BackEndCookie=one" not in self.headers.get("Cookie", ""):
            endpoint.blame("the cookie did not come back")
        status, answer = endpoint.handle(body)
        if not is_sealed or options.get("in_clear"):
            return self.reply(status, answer, headers=headers)
        header, data, padding = self.context.wrap_winrm(answer)
        protocol = re.search('protocol="([^"]+)"', kind).group(1)
        boundary = b"-- Encrypted Boundary" if options.get("exchange") else b"--Encrypted Boundary"
        whole = (
            boundary + f"\r\n\tContent-Type: {protocol}\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;"
            f"Length={len(answer) + padding}\r\n".encode() + boundary
            + b"\r\n\tContent-Type: application/octet-stream\r\n" + struct.pack("<i", len(header)) + header + data
            + boundary + b"--\r\n"
        )
        kind = f'multipart/encrypted;protocol="{protocol}";boundary="Encrypted Boundary"'
        return self.reply(status, whole, kind, headers)

    def unseal(self, body):
        start = body.index(b"application/octet-stream\r\n") + len(b"application/octet-stream\r\n")
        length = int(re.search(rb"Length=(\d+)", body).group(1))
        end = body.rindex(b"--Encrypted Boundary--")
        size = struct.unpack("<i", body[start:start + 4])[0]
        if end - (start + 4 + size) == length + 2:
            raise ValueError("a line end before the closing boundary, which HTTP.sys refuses")
        plain = self.context.unwrap_winrm(body[start + 4:start + 4 + size], body[start + 4 + size:end])
        if len(plain) != length:
            raise ValueError(f"the frame says {length} bytes, sealed are {len(plain)}")
        return plain


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128
    tls = None

    def finish_request(self, request, client_address):
        # In the connection's thread: a slow handshake holds up nobody else.
        if self.tls is not None:
            request.settimeout(30)
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, *_):
        pass


def main():
    endpoints = json.loads(sys.argv[1])
    remember_tokens()
    users = tempfile.NamedTemporaryFile("w", suffix=".users")
    said, served = {"certificates": {}}, []
    for options in endpoints:
        options.setdefault("user", "LAB\\admin")
        options.setdefault("password", "pw")
        users.write(options["user"].replace("\\", ":", 1) + ":" + options["password"] + "\n")
        server = Server(("127.0.0.1", 0), Handler)
        server.endpoint = Endpoint(options)
        if options.get("tls"):
            server.tls = server.endpoint.present()
            der = server.endpoint.certificate.public_bytes(serialization.Encoding.DER)
            said["certificates"][options["name"]] = base64.b64encode(der).decode()
        served.append(server.endpoint)
        said[options["name"]] = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
    told = Server(("127.0.0.1", 0), Told)
    told.endpoints = served
    said["stats"] = told.server_address[1]
    threading.Thread(target=told.serve_forever, daemon=True).start()
    users.flush()
    os.environ["NTLM_USER_FILE"] = users.name
    print(json.dumps(said), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
