"""The six kinds of requests: what a person asks for, and the article that gives it."""

from enum import StrEnum


class Kind(StrEnum):
    """What is asked for."""

    ACCESS = "access"
    RECTIFICATION = "rectification"
    ERASURE = "erasure"
    RESTRICTION = "restriction"
    PORTABILITY = "portability"
    OBJECTION = "objection"

    @property
    def article(self) -> int:
        """Of the GDPR."""
        return _ARTICLES[self]

    @property
    def said(self) -> str:
        """`Erasure (Art. 17 GDPR)`."""
        return f"{self.capitalize()} (Art. {self.article} GDPR)"


_ARTICLES = {Kind.ACCESS: 15, Kind.RECTIFICATION: 16, Kind.ERASURE: 17, Kind.RESTRICTION: 18, Kind.PORTABILITY: 20,
             Kind.OBJECTION: 21}
