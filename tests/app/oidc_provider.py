"""A small OpenID Connect provider on this machine: real requests, real signatures, and answers that can be made wrong."""

import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bench.installation import free_ports

CLIENT, SECRET = "rollcall", "the secret of the client"


class Issuer:
    """The provider. claims: what the next token says beside what it must; change it to make it wrong."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.key = RSAKey.generate_key(2048, {"kid": "one"})
        self.signing, self.algorithm = self.key, "RS256"
        self.claims: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}

    def authorized(self, query: dict[str, str]) -> str:
        """What the person's browser brings back after they signed in: a code for what was asked."""
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        code = f"code-{len(self.codes)}"
        self.codes[code] = query
        return code

    async def token(self, request: Request) -> JSONResponse:
        """The code's token, once, for who proves that they began."""
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = self.codes.pop(form["code"], None)
        verifier = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if asked is None or form["client_secret"] != SECRET or verifier != asked["code_challenge"] \
                or form["redirect_uri"] != asked["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {"iss": self.address, "aud": CLIENT, "sub": "1", "exp": now + 60, "iat": now, "nonce": asked["nonce"],
                  "preferred_username": "ada", **self.claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        return JSONResponse({"id_token": jwt.encode({"alg": self.algorithm, "kid": "one"}, claims, self.signing,
                                                    algorithms=[self.algorithm])})

    async def configuration(self, _: Request) -> JSONResponse:
        """Where everything is."""
        return JSONResponse({"issuer": self.address, "authorization_endpoint": f"{self.address}/authorize",
                             "token_endpoint": f"{self.address}/token", "jwks_uri": f"{self.address}/keys"})

    async def keys(self, _: Request) -> JSONResponse:
        """The public keys."""
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})


@contextmanager
def issuing() -> Iterator[Issuer]:
    """A running provider."""
    port = free_ports(1)[0]
    issuer = Issuer(f"http://127.0.0.1:{port}")
    app = Starlette(routes=[Route("/.well-known/openid-configuration", issuer.configuration), Route("/keys", issuer.keys),
                            Route("/token", issuer.token, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    limit = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < limit
        time.sleep(0.02)
    yield issuer
    server.should_exit = True
    thread.join(20)
