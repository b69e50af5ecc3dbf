"""Servers that mean no good: each must end in a clear answer within the deadline. And one that speaks as Exchange servers do."""

import socket
import ssl
import struct
import threading
import time


def endless_banner(client):
    while True:
        client.sendall(b"220-still talking\r\n" * 64)


def endless_line(client):
    while True:
        client.sendall(b"x" * 4096)


def garbage(client):
    import random

    random.seed(7)
    client.sendall(bytes(random.randrange(256) for _ in range(5000)))
    client.recv(4096)


def silent(client):
    time.sleep(60)


def closes(client):
    client.close()


def drip(client):
    for byte in b"220 slow.example.lab ESMTP\r\n" * 100:
        client.sendall(bytes([byte]))
        time.sleep(0.2)


def drip_tls(client):
    client.recv(4096)
    for byte in b"\x16\x03\x03\x40\x00" + b"\x00" * 5000:
        client.sendall(bytes([byte]))
        time.sleep(0.2)


def record(kind, body):
    return struct.pack(">BHH", kind, 0x0303, len(body)) + body


def message(kind, body):
    return bytes([kind]) + struct.pack(">I", len(body))[1:] + body


def hello():
    return message(2, b"\x03\x03" + b"r" * 32 + b"\x00" + b"\xc0\x2f" + b"\x00")


def huge_chain(client):
    """A chain that never ends: a length of 16 MiB, and data for as long as anyone reads."""
    client.recv(4096)
    client.sendall(record(22, hello()) + record(22, b"\x0b\xff\xff\xff" + b"\xff\xff\xfc"))
    while True:
        client.sendall(record(22, b"\x00" * 16000))


def many_certificates(client):
    """Ten thousand certificates of one byte."""
    client.recv(4096)
    chain = b"\x00\x00\x01x" * 10_000
    whole = message(11, struct.pack(">I", len(chain))[1:] + chain)
    client.sendall(record(22, hello()))
    for at in range(0, len(whole), 16000):
        client.sendall(record(22, whole[at:at + 16000]))
    time.sleep(1)


def endless_alerts(client):
    client.recv(4096)
    while True:
        client.sendall(record(21, b"\x01\x70") * 500)


def empty_records(client):
    client.recv(4096)
    while True:
        client.sendall(record(22, b"") * 2000)


def web_server(client):
    client.recv(4096)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\nThe plain HTTP request was sent to HTTPS port")


def injected(client):
    client.sendall(b"220 mx\r\n")
    client.recv(4096)
    client.sendall(b"250-mx\r\n250 STARTTLS\r\n")
    client.recv(4096)
    client.sendall(b"220 go\r\n250 injected\r\n")
    client.recv(4096)


def refuses(client):
    client.sendall(b"220 mx\r\n")
    client.recv(4096)
    client.sendall(b"250-mx\r\n250 STARTTLS\r\n")
    client.recv(4096)
    client.sendall(b"454 4.7.0 TLS not available due to local problem\r\n")
    client.recv(4096)


HOSTILE = [
    # behaviour, protocol, words one of which the outcome has to be
    (endless_banner, "smtp", {"unexpected"}),
    (endless_line, "imap", {"unexpected"}),
    (garbage, "tls", {"unexpected"}),
    (garbage, "pop", {"unexpected"}),
    (silent, "tls", {"timed-out"}),
    (silent, "smtp", {"timed-out"}),
    (closes, "tls", {"hung-up"}),
    (closes, "pop", {"hung-up"}),
    (drip, "smtp", {"timed-out"}),
    (drip_tls, "tls", {"timed-out"}),
    (huge_chain, "tls", {"unexpected"}),
    (many_certificates, "tls", {"unexpected"}),
    (endless_alerts, "tls", {"unexpected", "timed-out"}),
    (empty_records, "tls", {"unexpected"}),
    (web_server, "tls", {"unexpected"}),
    (injected, "smtp", {"unexpected"}),
    (refuses, "smtp", {"refused"}),
]


def serve(port, behave):
    listener = socket.create_server(("127.0.0.1", port))

    def one(client):
        try:
            behave(client)
        except OSError:
            pass
        finally:
            client.close()

    def all():
        while True:
            client, _ = listener.accept()
            threading.Thread(target=one, args=(client,), daemon=True).start()

    threading.Thread(target=all, daemon=True).start()


def exchange(plain, transport):
    """Speaks as Exchange's transport does: one certificate by STARTTLS, another by X-ANONYMOUSTLS."""
    contexts = {}
    for verb, (chain, key) in {b"STARTTLS": plain, b"X-ANONYMOUSTLS": transport}.items():
        contexts[verb] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        contexts[verb].load_cert_chain(chain, key)

    def behave(client):
        client.sendall(b"220 EX1.example.lab Microsoft ESMTP MAIL Service ready\r\n")
        client.recv(4096)
        client.sendall(b"250-EX1.example.lab Hello\r\n250-SIZE\r\n250-STARTTLS\r\n250-X-ANONYMOUSTLS\r\n250 CHUNKING\r\n")
        verb = client.recv(4096).strip().upper()
        client.sendall(b"220 2.0.0 SMTP server ready\r\n")
        with contexts[verb].wrap_socket(client, server_side=True) as inside:
            inside.recv(4096)

    return behave
