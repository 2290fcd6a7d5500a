"""Whom a request is about: the only part of it that names somebody, kept apart and forgotten when it is closed."""

from collections.abc import Mapping
from typing import Any, Self
from uuid import UUID

from pydantic import Field, field_validator, model_validator

from governance.register import Part


class Subject(Part):
    """The person.

    uuid, email: at least one of both, by which they are searched for; the uuid of who was found by e-mail is added. fields: of
    a rectification what is to stand, as a partial person of the source (`{"name": {"first": "Ada"}}`). reply_to: where letters
    go, where that is not the e-mail.
    """

    uuid: str = ""
    email: str = Field("", max_length=254, description="RFC 5321: an address has at most 254 characters.")
    fields: Mapping[str, Any] = {}
    reply_to: str = ""

    @property
    def address(self) -> str:
        """Where a letter goes to; empty if nobody said."""
        return self.reply_to or self.email

    @field_validator("uuid")
    @classmethod
    def _canonical(cls, text: str) -> str:
        try:
            return str(UUID(text)) if text else ""
        except ValueError:
            raise ValueError("a uuid looks like 9a723211-0e87-41f1-b1e4-ed1a15226b80") from None

    @field_validator("email")
    @classmethod
    def _an_address(cls, text: str) -> str:
        local, at, domain = text.rpartition("@")
        if text and not (at and local and domain and text.isprintable() and " " not in text):
            raise ValueError("an e-mail address looks like ada@example.org")
        return text

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not self.uuid and not self.email:
            raise ValueError("uuid or email: say whom it is about, by one of them")
        return self
