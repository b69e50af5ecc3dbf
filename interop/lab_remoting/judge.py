"""Judges the server's half of PowerShell remoting by pypsrp; no code of exseal looks at it.

judge.py PROGRAM KDC FOLDER: the program is the lab's example lab-remoting, KDC is interop/kdc/kdc.py, FOLDER has pypsrp's own
test_integration.py, whose test of a live server runs here, too: test_psrp. Of the other two, test_winrs wants a command shell and
test_psrp_jea a session configuration, which neither Exchange nor this server has. Exits with 1 and the list of what differs.
"""

import base64
import json
import os
import subprocess
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path
from xml.etree import ElementTree

USER, PASSWORD = r"LAB\alice", "Passw0rd"
failures, checked = [], []


def hold(condition, words):
    checked.append(words)
    if not condition:
        failures.append(words)


def start(*command, **options):
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)


kdc = start(sys.executable, sys.argv[2], json.dumps({"users": {"alice": PASSWORD}, "tickets": ["alice"]}))
centre = json.loads(kdc.stdout.readline())
# Before anything loads the system's Kerberos.
os.environ["KRB5_CONFIG"] = centre["krb5_conf"]
os.environ["KRB5CCNAME"] = centre["ccaches"]["alice"]

import requests  # noqa: E402
from pypsrp.complex_objects import ObjectMeta  # noqa: E402
from pypsrp.exceptions import AuthenticationError, WinRMTransportError, WSManFaultError  # noqa: E402
from pypsrp.host import PSHost, PSHostUserInterface  # noqa: E402
from pypsrp.negotiate import HTTPNegotiateAuth  # noqa: E402
from pypsrp.powershell import PowerShell, PSInvocationState, RunspacePool  # noqa: E402
from pypsrp.wsman import WSMan  # noqa: E402

warnings.filterwarnings("ignore")
EXCHANGE = "Microsoft.Exchange"
HELPER = Path(__file__).resolve().parents[2] / "helper"
WINDOWS = "Microsoft.PowerShell"


class Lab:
    def __init__(self, program):
        self.process = start(program, json.dumps({"keytab": centre["service_keytab"]}))
        self.ports = json.loads(self.process.stdout.readline())

    def shells(self, name):
        self.process.stdin.write("shells\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())[name]

    def wsman(self, name, auth="ntlm", path=None, user=USER, password=PASSWORD, **options):
        if auth == "kerberos":
            user, password = None, None
        path = path or ("PowerShell/?serializationLevel=Full" if name in ("exchange", "kerberos") else "wsman")
        return WSMan(
            "localhost", port=self.ports[name], ssl=False, path=path, username=user, password=password, auth=auth,
            negotiate_service="HTTP", operation_timeout=10, read_timeout=20, **options,
        )


def run(pool, name, *arguments, **parameters):
    shell = PowerShell(pool)
    shell.add_cmdlet(name)
    for argument in arguments:
        shell.add_argument(argument)
    for key, value in parameters.items():
        shell.add_parameter(key, value)
    return shell.invoke(), shell


def configuration(name):
    return EXCHANGE if name in ("exchange", "kerberos") else WINDOWS


def everything(lab, name, auth):
    """The list, over one way in."""
    at = f"{name} by {auth}"
    options = {"encryption": "never"} if auth == "basic" else {}
    with lab.wsman(name, auth, **options) as wsman, RunspacePool(wsman, configuration_name=configuration(name)) as pool:
        out, shell = run(pool, "Write-All")
        hold(out == ["out"], f"{at}: output {out}")
        streams = shell.streams
        hold([str(one) for one in streams.error] == ["not terminating"], f"{at}: the error stream")
        hold(streams.error[0].fq_error == "X,Y", f"{at}: an error's id")
        hold([one.message for one in streams.warning] == ["a warning"], f"{at}: the warning stream")
        hold([one.message for one in streams.verbose] == ["a verbose message"], f"{at}: the verbose stream")
        hold([one.message for one in streams.debug] == ["a debug message"], f"{at}: the debug stream")
        hold([str(one.message_data) for one in streams.information] == ["information"], f"{at}: information")
        hold([(one.activity, one.percent_complete) for one in streams.progress] == [("activity", 50)], f"{at}: progress")

        odd = "ü 😀 _x0041_ \r\n\t<&>\"' \ufffd"
        out, _ = run(pool, "Get-Echo", Text=odd, Number=7, Yes=True, Nothing=None)
        # PowerShell writes $null as an empty body, which pypsrp reads as no text.
        hold(out == [odd, 7, True, ""], f"{at}: text came back as {out!r}")
        out, _ = run(pool, "Get-Door")
        level = "Exchange { full: true }" if configuration(name) == EXCHANGE else "Windows"
        hold(out == [f"{level} alice"], f"{at}: the door {out}")

        out, _ = run(pool, "Get-Large")
        size = sum(len(one.encode()) for one in out)
        hold(len(out) == 200 and size > 2_500_000, f"{at}: {len(out)} objects of {size} bytes")
        hold(all(one == f"{index} " + "0123456789ü😀\r\n" * 900 for index, one in enumerate(out)), f"{at}: each is whole")

        pool.exchange_keys()
        secret = pool.serialize("geheim 😀", ObjectMeta("SS"))
        out, _ = run(pool, "Get-Reverse", Password=secret)
        hold(out == ["😀 miehe" + "g"], f"{at}: the secret {out!r}")

        shell = PowerShell(pool)
        shell.add_cmdlet("Stop-Terminating")
        shell.invoke()
        hold(shell.state == PSInvocationState.FAILED and shell.output == ["before"], f"{at}: ended as {shell.state}")
        hold("it ended here: ü 😀" in str(shell.streams.error[-1]), f"{at}: why it ended")

        shell = PowerShell(pool)
        shell.add_cmdlet("No-Such")
        shell.invoke()
        hold(shell.streams.error[-1].fq_error == "CommandNotFoundException", f"{at}: an unknown command")

        # Longer than a poll: WSMan's "nothing yet" comes between.
        out, _ = run(pool, "Start-Sleep", 3)
        hold(out == ["slept"], f"{at}: a long poll gave {out}")

        shell = PowerShell(pool)
        shell.add_cmdlet("Start-Sleep").add_argument(600)
        shell.begin_invoke()
        time.sleep(0.3)
        shell.stop()
        hold(shell.state == PSInvocationState.STOPPED, f"{at}: stopping gave {shell.state}")
        out, _ = run(pool, "Get-Echo", "still alive")
        hold(out == ["still alive"], f"{at}: after a stop {out}")

        shell = PowerShell(pool)
        shell.add_script("1 + 1")
        shell.invoke()
        if configuration(name) == EXCHANGE:
            hold("no-language mode" in str(shell.streams.error[-1]), f"{at}: a script where none may be")
        else:
            hold(shell.streams.error[-1].fq_error == "CommandNotFoundException", f"{at}: a script nobody knows")

        shell = PowerShell(pool)
        shell.add_cmdlet("Get-Input")
        hold(shell.invoke(["one", 2]) == ["one", 2], f"{at}: input")
        shell = PowerShell(pool)
        shell.add_cmdlet("Get-Large").add_cmdlet("Select-Object").add_parameter("First", 3)
        hold(len(shell.invoke()) == 3, f"{at}: a second command")

        out, shell = run(pool, "Confirm-It")
        hold("there is no host to ask" in str(shell.streams.error[-1]), f"{at}: a question without a host")
        hold(lab.shells(name) == 1, f"{at}: one shell is open")
    hold(lab.shells(name) == 0, f"{at}: no shell is left")


class Saying(PSHostUserInterface):
    def __init__(self, choice):
        super().__init__()
        self.choice, self.asked = choice, []

    def PromptForChoice(self, runspace, pipeline, caption, message, choices, default_choice):
        self.asked.append((caption, message, [choice.extended_properties["label"] for choice in choices], default_choice))
        return self.choice


def prompts(lab):
    ui = Saying(1)
    host = PSHost(None, None, False, "judge", None, ui, "1.0")
    with lab.wsman("windows") as wsman, RunspacePool(wsman, host=host) as pool:
        out, _ = run(pool, "Confirm-It")
        hold(out == ["asking", "choice 1"], f"the answer to a question: {out}")
        hold(ui.asked == [("Confirm", "Are you sure?\r\nReally?", ["&Yes", "&No"], 0)], f"the question: {ui.asked}")


def refusals(lab):
    def refused(kind, words, work):
        try:
            work()
        except kind as error:
            hold(True, words)
            return str(error)
        except Exception as error:  # noqa: BLE001 - named below
            hold(False, f"{words}: {type(error).__name__}: {error}")
            return ""
        hold(False, f"{words}: it went through")
        return ""

    def open_pool(wsman, name=WINDOWS):
        with wsman, RunspacePool(wsman, configuration_name=name) as pool:
            return run(pool, "Get-Door")[0]

    refused(AuthenticationError, "a wrong password", lambda: open_pool(lab.wsman("windows", password="wrong")))
    refused(AuthenticationError, "nobody's name", lambda: open_pool(lab.wsman("windows", user=r"LAB\nobody")))
    words = refused(WSManFaultError, "a user without the right", lambda: open_pool(lab.wsman("windows", user=r"LAB\stranger")))
    hold("Access is denied" in words, f"the words for a user without the right: {words}")
    refused(
        (WinRMTransportError, AuthenticationError),
        "a body in clear text where seals are wanted",
        lambda: open_pool(lab.wsman("windows", encryption="never")),
    )
    refused(AuthenticationError, "Basic over plain HTTP", lambda: open_pool(lab.wsman("windows", "basic", encryption="never")))
    refused(ValueError, "NTLM where Kerberos alone is offered", lambda: open_pool(lab.wsman("kerberos"), EXCHANGE))
    refused(WSManFaultError, "a configuration nobody has", lambda: open_pool(lab.wsman("windows"), "Microsoft.None"))
    answer = requests.post(f"http://localhost:{lab.ports['kerberos']}/PowerShell/", timeout=5)
    offered = answer.headers["WWW-Authenticate"]
    hold(answer.status_code == 401 and offered == "Kerberos", f"Exchange's own challenge: {offered}")

    hold(open_pool(lab.wsman("clear", "basic", encryption="never")) == ["Windows alice"], "Basic where it is allowed")
    hold(open_pool(lab.wsman("clear", encryption="never")) == ["Windows alice"], "clear text where it is allowed")

    wsmans = [lab.wsman("quota") for _ in range(3)]
    pools = [RunspacePool(wsman) for wsman in wsmans]
    pools[0].open()
    pools[1].open()
    words = refused(WSManFaultError, "a third shell of two", pools[2].open)
    hold("maximum number of 2 concurrent shells" in words, f"the words of a quota: {words}")
    pools[0].close()
    pools[2] = RunspacePool(lab.wsman("quota"))
    pools[2].open()
    hold(lab.shells("quota") == 2, "a shell that was closed makes room")
    pools[1].close()
    pools[2].close()
    hold(lab.shells("quota") == 0, "the quota's shells are closed")

    left = RunspacePool(lab.wsman("idle"))
    left.open()
    time.sleep(1.5)
    hold(lab.shells("idle") == 0, "a shell nobody asks ends by itself")


def cuts(lab):
    def ends(name):
        pool = RunspacePool(lab.wsman("windows", reconnection_retries=0))
        pool.open()
        try:
            run(pool, name)
        except Exception as error:  # noqa: BLE001 - any, but in time
            hold(True, f"{name}: {type(error).__name__}")
        else:
            hold(False, f"{name}: it seemed to complete")
        return pool

    pool = ends("Lose-Reply")
    hold(lab.shells("windows") == 1, "a lost reply leaves the shell")
    # Sealed for a connection that is gone, it would be no one's: another log-on closes it.
    pool.connection = pool.shell.wsman = lab.wsman("windows")
    pool.close()
    hold(lab.shells("windows") == 0, "and it can be closed")
    ends("Restart-Server")
    hold(lab.shells("windows") == 0, "a restart leaves no shell")


def disconnects(lab):
    with lab.wsman("windows") as wsman:
        pool = RunspacePool(wsman)
        pool.open()
        shell = PowerShell(pool)
        shell.add_cmdlet("Start-Sleep").add_argument(1)
        shell.begin_invoke()
        pool.disconnect()
        time.sleep(1.2)
        pool.connect()
        shell.connect()
        hold(shell.output == ["slept"], f"output that waited for its client: {shell.output}")
        pool.close()
    hold(lab.shells("windows") == 0, "a shell that was left and found again is closed")


def hostile(lab):
    """Nothing a client sends takes the service down."""
    import socket

    port = lab.ports["windows"]
    for garbage in (b"\x16\x03\x01\x02\x00\x01", b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"\0" * 70_000,
                    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"GET / HTTP/1.1\r\n\r\n" * 50):
        with socket.create_connection(("localhost", port), 5) as one:
            try:
                one.sendall(garbage)
                one.settimeout(1)
                one.recv(1000)
            except OSError:
                pass
    for header in ("Negotiate AAAA", "Negotiate " + "A" * 20_000, "Basic ????", "Kerberos YII=", "Nonsense", "NTLM TlRMTVNTUAADAAAA"):
        answer = requests.post(f"http://localhost:{port}/wsman", headers={"Authorization": header}, data=b"x", timeout=5)
        hold(answer.status_code == 401, f"the log-on {header[:20]!r}: {answer.status_code}")
    half = [socket.create_connection(("localhost", port), 5) for _ in range(50)]
    for one in half:
        one.sendall(b"POST /wsman HTTP/1.1\r\nHost: ")
    with lab.wsman("windows") as wsman, RunspacePool(wsman) as pool:
        hold(run(pool, "Get-Door")[0] == ["Windows alice"], "the service lives beside hostile clients")
    for one in half:
        one.close()
    identify = (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/'
        'identity/1/wsmanidentity.xsd"><s:Header/><s:Body><wsmid:Identify/></s:Body></s:Envelope>'
    )
    answer = requests.post(
        f"http://localhost:{port}/wsman", headers={"WSMANIDENTIFY": "unauthenticated"}, data=identify, timeout=5
    )
    hold("simulation" in answer.text, "it says that it is a simulation")


def lab_itself(lab):
    """The doors of a lab's own server, TLS and all, with the world behind them."""

    def wsman(at, port, auth, ssl, user="admin", **options):
        host, number = lab.ports[f"{at}-{port}"].rsplit(":", 1)
        path = "wsman" if port == 5985 else "PowerShell/"
        return WSMan(
            host, port=int(number), ssl=ssl, cert_validation=False, path=path, username=user, password=PASSWORD_OF_LAB,
            auth=auth, negotiate_service="HTTP", operation_timeout=10, read_timeout=20, **options,
        )

    # Basic is let in where the directory's settings say so, and setup does not.
    try:
        with wsman("lab", 443, "basic", True) as at, RunspacePool(at, configuration_name=EXCHANGE):
            hold(False, "Basic went through before it was allowed")
    except AuthenticationError as error:
        hold(True, f"Basic before it is allowed: {error}")
    with wsman("lab", 80, "ntlm", False) as at, RunspacePool(at, configuration_name=EXCHANGE) as pool:
        _, shell = run(pool, "Set-PowerShellVirtualDirectory", Identity="EX1\\PowerShell (Default Web Site)", BasicAuthentication=True)
        hold(not shell.streams.error, f"Basic is allowed: {[str(one) for one in shell.streams.error]}")
    for words, at in (
        ("over 80, sealed", wsman("lab", 80, "ntlm", False)),
        ("over 443, Basic", wsman("lab", 443, "basic", True)),
        ("over 443, Negotiate", wsman("lab", 443, "ntlm", True)),
    ):
        with at, RunspacePool(at, configuration_name=EXCHANGE) as pool:
            out, shell = run(pool, "Get-ExchangeServer")
            names = [one.adapted_properties.get("Name") or one.extended_properties.get("Name") for one in out]
            hold(names == ["EX1"], f"Get-ExchangeServer {words}: {names}")
            shell = PowerShell(pool)
            shell.add_cmdlet("Get-ExchangeServer").add_parameter("NoSuch", 1)
            shell.invoke()
            hold(shell.streams.error[-1].fq_error.startswith("NamedParameterNotFound"), f"an unknown parameter {words}")
    with wsman("lab", 5985, "ntlm", False) as at, RunspacePool(at) as pool:
        shell = PowerShell(pool)
        shell.add_script("Get-Process")
        shell.invoke()
        hold(bool(shell.streams.error), "any other script is refused by the Windows endpoint")
    hold(lab.shells("lab") == 0, "no shell of the lab is left")
    try:
        with wsman("dead", 80, "ntlm", False) as at, RunspacePool(at, configuration_name=EXCHANGE):
            hold(False, "a dead back end let a shell open")
    except Exception as error:  # noqa: BLE001 - its words are looked at
        hold("500" in str(error) or "Cafe-SendFailure" in str(error), f"the front end's words: {error}")
    answer = requests.post(f"http://{lab.ports['dead-80']}/PowerShell/", timeout=5)
    hold(answer.status_code == 500 and "Cafe-SendFailure" in answer.text, f"the front end's text: {answer.text[:200]}")


def exchange(lab, at):
    """Exchange's shell of a lab's first server, over 80 and sealed."""
    host, number = lab.ports[f"{at}-80"].rsplit(":", 1)
    return WSMan(
        host, port=int(number), ssl=False, path="PowerShell/", username="admin", password=PASSWORD_OF_LAB, auth="ntlm",
        negotiate_service="HTTP", operation_timeout=10, read_timeout=20,
    )


def property_of(one, name):
    return one.adapted_properties.get(name, one.extended_properties.get(name))


def federation(lab):
    """The federation's certificate is renewed as documented: make, set as next, look at every server, publish."""
    with exchange(lab, "federated") as at, RunspacePool(at, configuration_name=EXCHANGE) as pool:
        def trust():
            out, _ = run(pool, "Get-FederationTrust")
            hold(len(out) == 1, f"one trust: {out}")
            return {slot: property_of(out[0], f"Org{slot}PrivCertificate") for slot in ("", "Next", "Prev")}

        def states():
            out, _ = run(pool, "Test-FederationTrustCertificate")
            return {(property_of(one, "Slot"), str(property_of(one, "ServerName")), str(property_of(one, "State"))) for one in out}

        before = trust()
        hold(len(before[""]) == 40 and not before["Next"], f"a trust as it was: {before}")
        hold(all(state == "Installed" for _, _, state in states()), f"its certificate is on every server: {states()}")
        _, shell = run(pool, "Set-FederationTrust", Identity="Microsoft Federation Gateway", PublishFederationCertificate=True)
        hold("no next certificate" in str(shell.streams.error[-1]).lower(), "nothing to publish is an error")
        _, shell = run(pool, "Set-FederationTrust", Identity="Microsoft Federation Gateway", Thumbprint="AB" * 20)
        hold("cannot be found" in str(shell.streams.error[-1]), "a certificate nobody has is an error")

        shell = PowerShell(pool)
        shell.add_cmdlet("New-ExchangeCertificate")
        for key, value in {"DomainName": "Federation", "FriendlyName": "Exchange Delegation Federation", "Services": "Federation",
                           "SubjectKeyIdentifier": "0123456789abcdef0123456789abcdef", "PrivateKeyExportable": True, "Force": True}.items():
            shell.add_parameter(key, value)
        shell.add_cmdlet("Select-Object").add_parameter("Property", ["Thumbprint"])
        made = shell.invoke()
        hold(len(made) == 1, f"a certificate for the federation: {made} {[str(one) for one in shell.streams.error]}")
        new = property_of(made[0], "Thumbprint")
        _, shell = run(
            pool, "Set-FederationTrust", Identity="Microsoft Federation Gateway", Thumbprint=new, RefreshMetadata=True
        )
        hold(not shell.streams.error, f"the next certificate is set: {[str(one) for one in shell.streams.error]}")
        hold(trust() == {**before, "Next": new}, f"next, and nothing else: {trust()}")
        run(pool, "Set-FederationTrust", Identity="Microsoft Federation Gateway", PublishFederationCertificate=True)
        hold(trust() == {"": new, "Next": "", "Prev": before[""]}, f"published: {trust()}")
        hold({slot for slot, _, _ in states()} == {"Current", "Previous"}, f"what is tested then: {states()}")
        out, _ = run(pool, "Get-FederatedOrganizationIdentifier")
        hold(property_of(out[0], "Enabled") is True, "the organisation is federated")


def front_end(lab):
    """Extended Protection of a directory: what a client that binds to the channel and one that does not are let in to."""
    url = f"https://{lab.ports['lab-443']}/EWS/Exchange.asmx"

    def get(binds, auth="ntlm"):
        log_on = HTTPNegotiateAuth("admin", PASSWORD_OF_LAB, auth_provider=auth, send_cbt=binds, service="HTTP")
        answer = requests.get(url, auth=log_on, verify=False, timeout=20)
        return answer.status_code == 200 and "admin logged on" in answer.text

    with exchange(lab, "lab") as at, RunspacePool(at, configuration_name=EXCHANGE) as pool:
        def change(**settings):
            _, shell = run(pool, "Set-WebServicesVirtualDirectory", Identity="EX1\\EWS (Default Web Site)", **settings)
            hold(not shell.streams.error, f"{settings}: {[str(one) for one in shell.streams.error]}")

        hold(get(True) and get(False), "without Extended Protection a binding does not matter")
        change(ExtendedProtectionTokenChecking="Allow")
        hold(get(True) and get(False), "Extended Protection that allows")
        change(ExtendedProtectionTokenChecking="Require")
        hold(get(True), "Extended Protection that requires, with a binding")
        hold(get(True, "negotiate"), "the same by SPNEGO")
        hold(not get(False), "Extended Protection that requires, without a binding")
        change(WindowsAuthentication=False, BasicAuthentication=True)
        try:
            hold(not get(True), "NTLM where the directory takes it no more")
        except AuthenticationError as error:
            hold("Basic" in str(error), f"what is offered instead of NTLM: {error}")
        answer = requests.get(url, auth=("admin", PASSWORD_OF_LAB), verify=False, timeout=20)
        hold(answer.status_code == 200, f"and takes Basic instead: {answer.status_code}")


def imports(lab):
    """What a client asks that imports a session: the commands with their parameters, and how objects are printed."""
    with exchange(lab, "lab") as at, RunspacePool(at, configuration_name=EXCHANGE) as pool:
        def commands(**parameters):
            shell = PowerShell(pool)
            shell.add_cmdlet("Get-Command")
            for key, value in parameters.items():
                shell.add_parameter(key, value)
            shell.add_cmdlet("Select-Object")
            shell.add_parameter("Property", ["Name", "Namespace", "HelpUri", "CommandType", "ResolvedCommandName", "OutputType", "Parameters"])
            out = shell.invoke()
            hold(not shell.streams.error, f"Get-Command {parameters}: {[str(one) for one in shell.streams.error]}")
            return {property_of(one, "Name"): one for one in out}

        # Alias, Function, Filter, Cmdlet, Configuration, as Import-PSSession asks for.
        every = commands(CommandType=0x0F | 0x40, Name=["*"])
        hold(len(every) > 70 and "Enable-ExchangeCertificate" in every, f"{len(every)} commands")
        hold(not commands(CommandType="Alias, Function"), "there are no aliases and functions")
        hold(set(commands(CommandType="Cmdlet", Name=["*-ExchangeCertificate"])) == {
            f"{verb}-ExchangeCertificate" for verb in ("Enable", "Export", "Get", "Import", "New", "Remove")
        }, "commands by a pattern")
        one = every["Enable-ExchangeCertificate"]
        hold(str(property_of(one, "CommandType")) == "Cmdlet", f"a command's type: {property_of(one, 'CommandType')}")
        parameters = property_of(one, "Parameters")
        hold({"Thumbprint", "Services", "Server", "Force", "DoNotRequireSsl", "WhatIf", "ErrorAction"} <= set(parameters), f"{list(parameters)}")
        for name, wanted in (("Services", "System.String[]"), ("Force", "System.Management.Automation.SwitchParameter")):
            shown = parameters[name]
            hold(shown.parameter_type == wanted, f"-{name}: {shown.parameter_type}")
            hold(shown.switch_parameter == (name == "Force"), f"-{name}: whether it is a switch")
            hold(shown.dynamic is False, f"-{name} is not dynamic")
        hold(parameters["ErrorAction"].aliases == ["ea"], "an alias of a parameter")

        out, shell = run(pool, "Get-FormatData", TypeName="*")
        hold(not shell.streams.error, f"Get-FormatData: {[str(one) for one in shell.streams.error]}")
        formats = {property_of(one, "TypeName"): one for one in out}
        name = "Microsoft.Exchange.Management.SystemConfigurationTasks.ExchangeCertificate"
        hold(name in formats, f"{list(formats)}")
        # pypsrp makes texts of objects in lists of a type it does not know: what came is looked at as it came.
        came = ElementTree.fromstring(formats[name]._xml)

        def texts(path):
            return [one.text for one in came.iterfind(f".//{path}")]

        labels = texts("Obj[@N='Headers']/LST/Obj/Props/S[@N='Label']")
        hold(labels == ["Thumbprint", "Services", "Subject"], f"the columns of a certificate: {labels}")
        values = texts("Obj[@N='Rows']/LST/Obj/Props/Obj[@N='Columns']/LST/Obj/Props/Obj[@N='DisplayEntry']/Props/S[@N='Value']")
        hold(values == labels, f"each column shows its property: {values}")
        hold(len(texts("Obj[@N='FormatViewDefinition']/LST/Obj/Props/G[@N='InstanceId']")) == 1, "a view has its number")
        kinds = texts("Obj[@N='Control']/TN/T")
        hold(kinds[:1] == ["System.Management.Automation.TableControl"], f"the control: {kinds}")
        out, _ = run(pool, "Get-FormatData", TypeName="Microsoft.Exchange.No.Such")
        hold(out == [], "no formats of a class nobody has")

        # And then a proxy calls: by the parameters it was told.
        out, shell = run(pool, "Get-ExchangeCertificate", Server="EX1", ErrorAction="Stop")
        hold(len(out) >= 3 and not shell.streams.error, "what a proxy calls")


def leaf(address, *options):
    """The certificate OpenSSL is shown; none where there is no handshake."""
    shown = subprocess.run(
        ["openssl", "s_client", "-connect", address, *options], input="", capture_output=True, text=True, timeout=20,
    ).stdout
    if "-----BEGIN CERTIFICATE-----" not in shown:
        return None
    told = subprocess.run(
        ["openssl", "x509", "-noout", "-fingerprint", "-sha1", "-text"], input=shown, capture_output=True, text=True, timeout=20,
    ).stdout
    thumbprint = told.split("Fingerprint=")[1].split("\n")[0].replace(":", "").upper()
    return thumbprint, told


def presented(address, *options):
    shown = leaf(address, *options)
    return shown and shown[0]


class Verbs:
    """The helper's verbs in a session, the module sent as text as docs/dev/helper-on-the-wire.md says."""

    def __init__(self, pool, files):
        self.pool = pool
        shell = PowerShell(pool)
        shell.add_script(
            "param([string]$Text) New-Module -Name Exseal -ScriptBlock ([ScriptBlock]::Create($Text)) | "
            "Import-Module -Global -DisableNameChecking"
        )
        shell.add_parameter("Text", "".join((HELPER / file).read_text() for file in files))
        shell.invoke()
        hold(not shell.streams.error, f"the module is taken: {[str(one) for one in shell.streams.error]}")

    def __call__(self, verb, **parameters):
        """What it gave, or the details of its error."""
        shell = PowerShell(self.pool)
        shell.add_cmdlet(verb)
        for key, value in parameters.items():
            shell.add_parameter(key, value)
        shell.add_cmdlet("ConvertTo-Json").add_parameter("Depth", 8).add_parameter("Compress", True)
        out = shell.invoke()
        if not shell.streams.error:
            return json.loads(out[0]) if out else None
        error = shell.streams.error[-1]
        try:
            return json.loads(str(error.target_object))
        except ValueError:
            return {"code": error.fq_error}

    def did(self, words, verb, **parameters):
        given = self(verb, **parameters)
        hold(given.get("changed") is True, f"{words}: {given}")
        return given


def changes(lab):
    """Each change is seen from outside by OpenSSL, which knows nothing of the lab."""
    files = json.loads((HELPER / "contract.json").read_text())["change"]["files"]
    at = {port: lab.ports[f"changing-{port}"] for port in (25, 443, 444, 5985)}
    host, port = at[5985].rsplit(":", 1)
    wsman = WSMan(
        host, port=int(port), ssl=False, path="wsman", username="admin", password=PASSWORD_OF_LAB, auth="ntlm",
        negotiate_service="HTTP", operation_timeout=10, read_timeout=20,
    )
    folder = Path(sys.argv[3])
    with wsman, RunspacePool(wsman) as pool, RunspacePool(wsman) as other, RunspacePool(wsman) as reader:
        verb = Verbs(pool, files)
        old, front = presented(at[444]), presented(at[443])
        entries = {one["endpoint"]: one for one in verb("Get-ExsealHttpSys")}
        hold(entries["0.0.0.0:444"]["thumbprint"] == old, f"http.sys and the wire agree on 444: {entries}")

        making = {"Subject": "CN=EX1", "DnsNames": ["EX1", "ex1.contoso.lab"], "FriendlyName": "Microsoft Exchange", "Days": 1826,
                  "Serial": "3F0A5C7719D24E8E90B2C4D6E8F0A153"}
        new = verb.did("a certificate is made", "New-ExsealCertificate", **making)["after"]["thumbprint"]
        again = verb("New-ExsealCertificate", **making)
        hold(again["changed"] is False and again["after"]["thumbprint"] == new, f"and found again by its serial number: {again}")
        hold(presented(at[444]) == old, "a certificate that is only made changes nothing on the wire")
        refused = verb("Set-ExsealHttpSysCertificate", Endpoint="0.0.0.0:444", Expected=front, Thumbprint=new)
        hold((refused["code"], refused["effect"], refused["found"]) == ("Moved", "none", old), f"a moved precondition: {refused}")
        hold(presented(at[444]) == old, "a refusal changes nothing on the wire")
        verb.did("444 is bound anew", "Set-ExsealHttpSysCertificate", Endpoint="0.0.0.0:444", Expected=old, Thumbprint=new)
        shown, told = leaf(at[444])
        hold(shown == new, f"444 presents the new one: {shown}")
        for part in ("sha256WithRSAEncryption", "(2048 bit)", "DNS:EX1, DNS:ex1.contoso.lab", "TLS Web Server Authentication", "CA:FALSE",
                     "Digital Signature, Key Encipherment", "3f:0a:5c:77:19:d2:4e:8e:90:b2:c4:d6:e8:f0:a1:53"):
            hold(part in told, f"OpenSSL reads {part} in it")
        hold(presented(at[443]) == front, "443 was not named")
        used = verb("Remove-ExsealCertificate", Store="My", Thumbprint=new, DeleteKey=True)
        hold(used["code"] == "InUse", f"what 444 presents is not removed: {used}")
        verb.did("IIS binds the old one again", "Set-ExsealWebBinding", SiteId=2, BindingInformation="*:444:", Expected=new, Thumbprint=old)
        hold(presented(at[444]) == old, "444 presents the old one again")
        verb.did("the new one goes to the roots", "Copy-ExsealCertificate", Thumbprint=new, To="Root")
        roots = [one["thumbprint"] for one in verb("Get-ExsealStore", Name="Root")]
        hold(new in roots, "and is among them")
        verb.did("and is taken from there", "Remove-ExsealCertificate", Store="Root", Thumbprint=new, DeleteKey=False)
        verb.did("and from My", "Remove-ExsealCertificate", Store="My", Thumbprint=new, DeleteKey=True)

        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=mail.contoso.lab", "-addext",
             "subjectAltName=DNS:mail.contoso.lab", "-keyout", folder / "key.pem", "-out", folder / "leaf.pem"],
            capture_output=True, check=True, timeout=30,
        )
        subprocess.run(
            ["openssl", "pkcs12", "-export", "-in", folder / "leaf.pem", "-inkey", folder / "key.pem", "-out", folder / "leaf.pfx",
             "-passout", "pass:geheim"],
            capture_output=True, check=True, timeout=30,
        )
        told = subprocess.run(
            ["openssl", "x509", "-in", folder / "leaf.pem", "-noout", "-fingerprint", "-sha1"], capture_output=True, text=True, check=True,
        ).stdout
        made = told.split("=")[1].strip().replace(":", "")
        pool.exchange_keys()
        pfx = base64.b64encode((folder / "leaf.pfx").read_bytes()).decode()

        def taking(password):
            return verb("Import-ExsealCertificate", Thumbprint=made, Pfx=pool.serialize(pfx, ObjectMeta("SS")),
                        Password=pool.serialize(password, ObjectMeta("SS")))

        wrong = taking("falsch")
        hold((wrong["code"], wrong["effect"]) == ("PfxUnreadable", "none"), f"a wrong password: {wrong}")
        hold(verb("Import-ExsealCertificate", Thumbprint=made, Pfx=pfx, Password="geheim")["code"].startswith("ParameterArgument"),
             "a secret as text is refused")
        hold(taking("geheim")["changed"] is True, "a file that OpenSSL wrote is taken in")
        verb.did("443 is bound to it", "Set-ExsealHttpSysCertificate", Endpoint="0.0.0.0:443", Expected=front, Thumbprint=made)
        hold(presented(at[443]) == made, "443 presents OpenSSL's own certificate")
        verb.did("and back", "Set-ExsealHttpSysCertificate", Endpoint="0.0.0.0:443", Expected=made, Thumbprint=front)
        hold(presented(at[443]) == front, "443 presents what it did")

        smtp = presented(at[25], "-starttls", "smtp")
        readers = verb("Revoke-ExsealKeyAccess", Thumbprint=smtp, Sid="S-1-5-20")["after"]["readers"]
        hold("S-1-5-20" not in readers, f"NETWORK SERVICE may not read: {readers}")
        hold(presented(at[25], "-starttls", "smtp") != smtp, "transport cannot present what it cannot read")
        verb.did("it may read again", "Grant-ExsealKeyAccess", Thumbprint=smtp, Sid="S-1-5-20")
        hold(presented(at[25], "-starttls", "smtp") == smtp, "and presents it")

        needed = verb("Stop-ExsealService", Name="WAS")
        hold((needed["code"], needed["found"]) == ("DependentsRunning", "W3SVC"), f"what needs it is not stopped unasked: {needed}")
        verb.did("IIS is stopped", "Stop-ExsealService", Name="WAS", Dependents=["W3SVC"])
        hold(until(lambda: presented(at[443]) is None), "443 is closed")
        verb.did("IIS is started", "Start-ExsealService", Name="W3SVC")
        hold(until(lambda: presented(at[443]) == front), "443 is open again")
        hold(verb("Stop-ExsealService", Name="WinRM")["code"] == "Refused", "the way in stays open")

        second = Verbs(other, files)
        lock = {"Owner": "anna at adm1", "Plan": "p-17", "Run": "r-1", "Seconds": 900}
        verb.did("the lock is taken", "Lock-ExsealServer", **lock)
        refused = second("Lock-ExsealServer", **{**lock, "Owner": "ben at adm2", "Run": "r-2"})
        hold((refused["code"], refused["holder"]["owner"]) == ("Locked", "anna at adm1"), f"a second hand is refused: {refused}")
        verb.did("and given back", "Unlock-ExsealServer", Plan="p-17", Run="r-1")
        hold(second("Lock-ExsealServer", **{**lock, "Run": "r-2"})["changed"] is True, "then the second has it")

        looking = Verbs(reader, files[:1])
        hold(looking("Get-ExsealLock")["code"] == "CommandNotFoundException", "a session that only looks has no verbs")
        hold(len(looking("Get-ExsealHttpSys")) >= 3, "but readings")
    hold(lab.shells("changing") == 0, "no shell is left")


def until(holds, seconds=10):
    """Whether it comes to hold: ports open and close beside the answer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.2)
    return False


PASSWORD_OF_LAB = "Simulated-1"


def own_tests(lab):
    """pypsrp's own tests of a live server, as they are; the fixture that names the server's ways in is ours: its list asks
    for CredSSP, which nobody here offers."""
    folder = Path(sys.argv[3])
    conftest = folder / "conftest.py"
    conftest.write_text(
        "import pytest\nfrom pypsrp.wsman import WSMan\n"
        f"PORT = {lab.ports['windows']}\nCLEAR = {lab.ports['clear']}\n"
        "def ways():\n"
        f"    one = dict(username={USER!r}, password={PASSWORD!r}, ssl=False)\n"
        "    yield WSMan('localhost', port=PORT, auth='negotiate', **one)\n"
        "    yield WSMan('localhost', port=PORT, auth='ntlm', **one)\n"
        "    yield WSMan('localhost', port=CLEAR, auth='basic', encryption='never', **one)\n"
        "@pytest.fixture\ndef ways_of_judge():\n    return list(ways())\n"
    )
    source = (folder / "test_integration.py").read_text()
    # The fixture of the same name in a module wins over a conftest's.
    before, _, after = source.partition("class TestPowerShellFunctional")
    imports = before.split("@pytest.fixture")[0]
    fixture = "@pytest.fixture\ndef functional_transports(ways_of_judge):\n    return ways_of_judge\n\n\n"
    (folder / "test_here.py").write_text(imports + fixture + "class TestPowerShellFunctional" + after)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_here.py", "-k", "test_psrp and not jea"],
        cwd=folder, capture_output=True, text=True, timeout=120,
    )
    hold(result.returncode == 0 and "1 passed" in result.stdout, f"pypsrp's own test_psrp: {result.stdout[-3000:]}")
    hold(lab.shells("windows") == 0, "pypsrp's own test leaves no shell")


def main():
    lab = Lab(sys.argv[1])
    # A hang is a failure, not a wait.
    alarm = threading.Timer(240, lambda: (print("the judge waited for 240 s:", failures, checked[-1:]), os._exit(1)))
    alarm.daemon = True
    alarm.start()
    ways = (("exchange", "ntlm"), ("exchange", "kerberos"), ("kerberos", "kerberos"), ("windows", "ntlm"), ("windows", "kerberos"),
            ("clear", "basic"))
    for name, auth in ways:
        everything(lab, name, auth)
    for work in (prompts, refusals, cuts, disconnects, hostile, lab_itself, federation, front_end, imports, own_tests):
        try:
            work(lab)
        except Exception:  # noqa: BLE001 - the others are still looked at
            hold(False, f"{work.__name__}: {traceback.format_exc()}")
    hold(lab.process.poll() is None, "the lab runs to the end")
    lab.process.stdin.close()
    lab.process.wait(10)
    kdc.stdin.close()
    kdc.wait(10)
    if failures:
        print("\n".join(failures))
        sys.exit(1)
    print(f"{len(checked)} statements held by pypsrp")


main()
