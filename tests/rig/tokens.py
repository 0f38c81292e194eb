"""A token server as registries of clouds have one: Basic in, a signed Bearer token out, over TLS with an own CA.

The protocol: https://distribution.github.io/distribution/spec/auth/token/ and ``…/jwt/``.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from rig.registry import PASSWORD, USER, Registry

ISSUER, SERVICE, REFRESH = "ekiben-tests", "registry", "a-refresh-token"


@dataclass
class Tokens:
    """What the server was asked: ``(kind, scopes)`` each; ``lifetime`` is in seconds."""

    realm: str
    ca: Path
    lifetime: int = 300
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)


@contextmanager
def secured(folder: Path) -> Iterator[tuple[Registry, Tokens]]:
    """A registry over TLS that takes tokens of its server only; both end with the block."""
    ca = trustme.CA()
    (folder / "ca.crt").write_bytes(ca.cert_pem.bytes())
    server_pem = folder / "server.pem"
    server_pem.write_bytes(ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.bytes())
    key, certificate = _signer()
    (folder / "signer.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    tokens = Tokens(f"https://127.0.0.1:{server.server_port}/token", folder / "ca.crt")
    server.tokens, server.key, server.certificate = tokens, key, certificate  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    told = f"realm: '{tokens.realm}', service: {SERVICE}, issuer: {ISSUER}, rootcertbundle: {folder / 'signer.crt'}"
    registry = Registry(folder, tls=str(server_pem), auth=f"token: {{{told}}}")
    try:
        yield registry.start(), tokens
    finally:
        registry.stop()
        server.shutdown()
        server.server_close()


def _signer() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER)])
    now = datetime.now(timezone.utc)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return key, made.sign(key, hashes.SHA256())


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {basic}":
            return self._answer(401, {"errors": []})
        self._give("basic", tuple(query.get("scope", [])))

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if form.get("refresh_token") != [REFRESH]:
            return self._answer(401, {"errors": []})
        self._give("refresh", tuple(form.get("scope", [""])[0].split()))

    def _give(self, kind: str, scopes: tuple[str, ...]) -> None:
        self.server.tokens.asked.append((kind, scopes))
        access = [
            {"type": "repository", "name": name, "actions": actions.split(",")}
            for name, actions in (scope.removeprefix("repository:").rsplit(":", 1) for scope in scopes)
        ]
        now = int(time.time())
        claims = {
            **{"iss": ISSUER, "aud": SERVICE, "sub": USER, "jti": str(time.time_ns()), "access": access},
            **{"nbf": now - 10, "iat": now, "exp": now + self.server.tokens.lifetime},
        }
        der = self.server.certificate.public_bytes(serialization.Encoding.DER)
        head = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        signed = f"{_plain(json.dumps(head).encode())}.{_plain(json.dumps(claims).encode())}"
        signature = self.server.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        name = "token" if kind == "basic" else "access_token"
        self._answer(200, {name: f"{signed}.{_plain(signature)}", "expires_in": self.server.tokens.lifetime})

    def _answer(self, status: int, data: dict[str, Any]) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_parts: Any) -> None:
        """Tests have a list of what was asked."""


def _plain(body: bytes) -> str:
    return base64.urlsafe_b64encode(body).decode().rstrip("=")
