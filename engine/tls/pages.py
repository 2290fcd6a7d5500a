"""Where the view and the console are reached, and what they are started with: https where `tls.on` says so."""

from typing import Literal

from engine.settings import Settings
from engine.tls import authority


def scheme(settings: Settings) -> str:
    """Of the addresses of all that we serve."""
    return "https" if settings.tls.on else "http"


def address(settings: Settings, page: Literal["view", "console"]) -> str:
    """Where it listens, as https://127.0.0.1:8501."""
    ours = settings.view if page == "view" else settings.console
    return f"{scheme(settings)}://{ours.host}:{ours.port}"


def console_address(settings: Settings) -> str:
    """Where people reach the console: the first of `console.origins`, else where it listens."""
    return next(iter(settings.console.origins), address(settings, "console")).rstrip("/")


def secure_cookie(settings: Settings) -> bool:
    """Whether cookies are sent over https only."""
    return settings.console.secure_cookie or settings.tls.on


def gunicorn(settings: Settings) -> list[str]:
    """Options of the view's server."""
    return ["--certfile", str(_pem(settings, "view")), "--keyfile", str(_pem(settings, "view"))] if settings.tls.on else []


def streamlit(settings: Settings) -> list[str]:
    """Options of the console's."""
    pem = str(_pem(settings, "console"))
    return ["--server.sslCertFile", pem, "--server.sslKeyFile", pem] if settings.tls.on else []


def _pem(settings: Settings, name: str) -> str:
    return str(authority.folder(settings) / f"{name}.pem")
