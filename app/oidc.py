"""Sign-in through an OpenID Connect provider: the authorization code flow with PKCE; the answer becomes a session of ours.

So sessions, revocation, roles and audit are the same as of local accounts: the provider says who it is, the account of that
name says what they may. A name can be chosen at many providers; so an account is entered this way only after an admin said
so, by the first who comes under its name, and by nobody else from then on (docs/decisions/0008-the-console.md).
"""

import base64
import hashlib
import hmac
import secrets as random
import threading
import time
from typing import Any, cast
from urllib.parse import urlencode

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app import words
from app.throttle import Throttle
from engine.errors import SettingsInvalid, SignInRefused, SourceAway
from engine.settings import Settings
from engine.stores.accounts import AWAITED, Account, AccountRefused, Accounts, hashed
from engine.stores.audit import AuditLog
from engine.tls import pages
from governance.audit import REFUSED

COOKIE = "rollcall_oidc"
BACK = "/sign-in/oidc/back"
WITHIN_S = 600
ANSWERS_WITHIN_S = 5.0
PENDING = 10_000
LONGEST_SUB = 255
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
"""Signatures that are believed; `none` and those under a shared secret are not."""


class Provider:
    """The provider that the settings name. Shared by all requests; call it from a thread, it asks the network."""

    def __init__(self, installation: Settings, secret: str) -> None:
        self._settings = settings = installation.console
        self._secret, self._secure = secret, pages.secure_cookie(installation)
        self._base = pages.console_address(installation)
        self.throttle = Throttle(settings.tries_a_minute)
        """Refused sign-ins by address: each is an entry of the audit, and strangers may not write into it without end."""
        self._pending: dict[str, tuple[str, str, float]] = {}    # state -> nonce, verifier, until
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settings: Settings) -> "Provider | None":
        """The provider, or None where none is set up. Raises SettingsInvalid when its secret is missing."""
        if not settings.console.oidc_issuer:
            return None
        path = settings.secrets / "oidc.secret"
        try:
            return cls(settings, path.read_text(encoding="utf-8").strip())
        except (FileNotFoundError, UnicodeDecodeError):
            raise SettingsInvalid(f"ROLLCALL_CONSOLE__OIDC_ISSUER is set, but {path} cannot be read: write the secret of our "
                                  "client there, or leave the issuer out.") from None

    def begin(self) -> Response:
        """The way to the provider; the browser keeps the state, so that nobody else can come back with it."""
        state, nonce, verifier = (random.token_urlsafe(32) for _ in range(3))
        now = time.monotonic()
        address = self._known()["authorization_endpoint"]
        with self._lock:
            self._pending = {one: kept for one, kept in list(self._pending.items())[-PENDING:] if kept[2] > now}
            self._pending[state] = nonce, verifier, now + WITHIN_S
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = urlencode({
            "response_type": "code", "client_id": self._settings.oidc_client_id, "redirect_uri": self._redirect,
            "scope": "openid profile email", "state": state, "nonce": nonce, "code_challenge": challenge,
            "code_challenge_method": "S256"})
        answer = RedirectResponse(f"{address}?{query}", 303)
        answer.set_cookie(COOKIE, state, max_age=WITHIN_S, path=BACK, httponly=True, samesite="lax",
                          secure=self._secure)
        return answer

    def who(self, query: dict[str, str], cookies: dict[str, str]) -> tuple[str, str]:
        """Who came back: their name, and their subject, which is theirs for ever: issuer, a space and `sub`. Raises
        SignInRefused, SourceAway."""
        state = query.get("state", "")
        with self._lock:
            nonce, verifier, until = self._pending.pop(state, ("", "", 0.0))
        if not state or not hmac.compare_digest(state, cookies.get(COOKIE, "")) or time.monotonic() > until:
            raise SignInRefused(words.OIDC_STALE)
        if "code" not in query:
            raise SignInRefused(words.OIDC_DECLINED)
        known = self._known()
        told = self._asked("POST", known["token_endpoint"], data={
            "grant_type": "authorization_code", "code": query["code"], "redirect_uri": self._redirect,
            "client_id": self._settings.oidc_client_id, "client_secret": self._secret, "code_verifier": verifier})
        try:
            keys = KeySet.import_key_set(cast(KeySetSerialization, self._asked("GET", known["jwks_uri"])))
            claims = jwt.decode(told["id_token"], keys, algorithms=ALGORITHMS).claims
            jwt.JWTClaimsRegistry(
                iss={"essential": True, "value": self._settings.oidc_issuer},
                aud={"essential": True, "value": self._settings.oidc_client_id},
                exp={"essential": True}, nonce={"essential": True, "value": nonce}).validate(claims)
            name, sub = claims[self._settings.oidc_claim], claims["sub"]
            if not isinstance(sub, str) or not 0 < len(sub) <= LONGEST_SUB or not isinstance(name, str):
                raise ValueError("sub")
        except (JoseError, KeyError, ValueError, TypeError):
            raise SignInRefused(words.OIDC_UNSOUND) from None
        return name.lower(), f"{self._settings.oidc_issuer} {sub}"

    def gone_on(self, answer: Response) -> Response:
        """The answer of a sign-in as a page that goes on by itself: a redirect would still count as coming from the provider,
        and the browser would keep our strict cookie back."""
        page = HTMLResponse(f'<!DOCTYPE html><html lang="en"><meta http-equiv="refresh" content="0;url=/">'
                            f'<title>{words.SIGN_IN}</title><a href="/">{words.GO_ON}</a></html>')
        page.raw_headers.extend(pair for pair in answer.raw_headers if pair[0] == b"set-cookie")
        page.delete_cookie(COOKIE, path=BACK)
        return page

    @property
    def _redirect(self) -> str:
        return self._base + BACK

    def _known(self) -> dict[str, Any]:
        found = self._asked("GET", self._settings.oidc_issuer.rstrip("/") + "/.well-known/openid-configuration")
        if found.get("issuer") != self._settings.oidc_issuer:
            raise SignInRefused(words.OIDC_UNSOUND)
        return found

    def _asked(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        try:
            answer = httpx.request(method, url, timeout=ANSWERS_WITHIN_S, **more)
            answer.raise_for_status()
            found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise SourceAway(words.oidc_away(type(error).__name__)) from None
        if not isinstance(found, dict):
            raise SourceAway(words.oidc_away("no object"))
        return found


def account_of(accounts: Accounts, audit: AuditLog, name: str, subject: str, address: str) -> Account:
    """The account of who came back, bound to them if it waited for them. Raises SignInRefused, which says the same whatever was
    missing - the audit has what -, and StoreAway, NotAudited."""
    account, missing = accounts.get(name), ""
    if account is None:
        missing = "there is no such account"
    elif account.disabled:
        missing = "it is disabled"
    elif account.subject == AWAITED:
        try:
            with audit.acting(name, "accounts.change", name, f"bind to {hashed(subject)[:16]}, from {address}"):
                account = accounts.bind_to(name, subject)
        except AccountRefused as error:
            missing = str(error)
    if not missing and account is not None and account.subject != subject:
        missing = "it is bound to somebody else" if account.subject else "it is not bound"
    if account is None or missing:    # a name that is none of ours is a stranger's, and is not written down
        known = name if account is not None else "an unknown account"
        audit.append_or_keep("stranger", "sign-in", known, REFUSED, f"OIDC, from {address}: {missing}")
        raise SignInRefused(words.OIDC_NOT_OPEN)
    return account
