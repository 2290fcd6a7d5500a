"""A webhook and a mail server on this machine that keep what they are told, and fail when they are asked to."""

import base64
import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "127.0.0.1"


class Hook(ThreadingHTTPServer):
    """The webhook. answers: the status of the next answers, then 204; told: bodies; headers: of the last request."""

    def __init__(self) -> None:
        self.answers, self.told = list[int](), list[dict[str, Any]]()
        self.headers: dict[str, str] = {}
        super().__init__((HOST, 0), _HookHandler)

    @property
    def address(self) -> str:
        """Where it listens, with a path that is a secret."""
        return f"http://{HOST}:{self.server_address[1]}/hook/canary-path"


class _HookHandler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        """One message."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.headers = dict(self.headers)
        status = self.server.answers.pop(0) if self.server.answers else 204
        if status == 204:
            self.server.told.append(body)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", self.server.address)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class Post(socketserver.ThreadingTCPServer):
    """The mail server. told: messages; signed_in: names and passwords that came, and whether encrypted; refuses: whose mail it
    does not take; answers_data: what it says to the next messages; parting: to QUIT; tls: None if it offers no STARTTLS."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls, self.told, self.signed_in = tls, list[str](), list[tuple[str, bool]]()
        self.refuses, self.answers_data, self.password_is = set[str](), list[str](), ""
        self.parting = "221 bye"
        super().__init__((HOST, 0), _PostHandler)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


class _PostHandler(socketserver.StreamRequestHandler):
    server: Post
    encrypted = False

    def say(self, text: str) -> None:
        """One answer."""
        self.wfile.write(f"{text}\r\n".encode())

    def finish(self) -> None:
        """Lets go of what encrypts, too."""
        super().finish()
        self.connection.close()

    def handle(self) -> None:
        """One conversation."""
        self.say("220 here")
        while line := self.rfile.readline().decode().strip():
            match line.upper().split()[0].split(":")[0]:
                case "EHLO":
                    self.say("250-here")
                    if self.server.tls and not self.encrypted:
                        self.say("250-STARTTLS")
                    self.say("250 AUTH PLAIN")
                case "STARTTLS":
                    assert self.server.tls
                    self.say("220 go on")
                    try:
                        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
                    except OSError:    # it does not trust us
                        return
                    self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
                    self.encrypted = True
                case "AUTH":
                    given = base64.b64decode(line.split()[2]).decode()
                    self.server.signed_in.append((given, self.encrypted))
                    self.say("235 well" if given.endswith(f"\0{self.server.password_is}") else "535 no, ada is unknown")
                case "RCPT":
                    self.say("550 not here" if any(one in line for one in self.server.refuses) else "250 well")
                case "DATA":
                    self.say("354 go on")
                    lines = iter(lambda: self.rfile.readline().decode().rstrip("\r\n"), ".")
                    text, answer = "\n".join(lines), self.server.answers_data.pop(0) if self.server.answers_data else "250 well"
                    if answer.startswith("250"):
                        self.server.told.append(text)
                    self.say(answer)
                case "QUIT":
                    self.say(self.server.parting)
                    return
                case _:
                    self.say("250 well")


@contextmanager
def serving(server: Any) -> Iterator[Any]:
    """Answers meanwhile."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate of this machine that nobody vouches for, and a server's context with it."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
            .sign(key, hashes.SHA256()))
    file = folder / "certificate.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return file, context
