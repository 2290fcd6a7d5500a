"""The settings of TLS."""

import ipaddress
import re

from pydantic import Field, field_validator

from engine.section import Section

_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}$)(\*\.)?{_LABEL}(\.{_LABEL})*")


def is_address(name: str) -> bool:
    """Whether a host is written as an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_host(name: str) -> bool:
    """Whether it is a name that a host may have."""
    return _NAME.fullmatch(name) is not None


class Tls(Section):
    """TLS between all parts, with certificates of a private authority (`rollcall certs`)."""

    on: bool = Field(False, description=(
        "Whether everything speaks TLS: every server and page, and every client of ours to systems elsewhere too. "
        "`rollcall certs --on` sets it; change it while nothing runs."))
    names: list[str] = Field([], description=(
        "Host names and IP addresses that stand in our certificates beside this machine's own, as `rollcall.example.org`."))
    days: int = Field(397, description="Days a certificate of ours is good for.", le=3650)

    @field_validator("names")
    @classmethod
    def _hosts(cls, names: list[str]) -> list[str]:
        """Names of hosts or IP addresses, without a port."""
        if wrong := [name for name in names if not is_address(name) and not is_host(name)]:
            raise ValueError(f"{wrong[0]!r} is no host name and no IP address; one is written as rollcall.example.org")
        return names
