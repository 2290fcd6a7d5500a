"""Kafka's rules and users in memory, behind kafka-python's administrator: the code of engine/access runs on it as it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import pbkdf2_hmac
from types import SimpleNamespace
from typing import Any

from kafka.admin import ACL, ACLFilter, ACLOperation, ACLPermissionType, ScramMechanism, UserScramCredentialUpsertion
from kafka.errors import KafkaConnectionError

from engine.access.broker import Broker, acl_of, rule_of
from engine.errors import RollcallError
from engine.stores.records import Record, Stale
from governance.kafka_access.rule import Rule


class FakeAdmin:
    """What of KafkaAdminClient is used. away: what whoever opens it is told; fails_at: which change from now on is lost;
    lost_answers: of how many changes of users from now on the answer is lost, when they are done."""

    def __init__(self, rules: frozenset[Rule]) -> None:
        self.acls = {acl_of(rule) for rule in rules}
        self.users: dict[str, Any] = {"stream": self._credential()}
        self.away: RollcallError | None = None
        self.fails_at = 0
        self.passwords: dict[tuple[str, ScramMechanism], UserScramCredentialUpsertion] = {}
        self.lost_answers = 0

    @property
    def rules(self) -> frozenset[Rule]:
        return frozenset(map(rule_of, self.acls))

    def has(self, *rules: Rule) -> None:
        """More rules, by whomever."""
        self.acls |= set(map(acl_of, rules))

    @contextmanager
    def opened(self, *_: object) -> Iterator[Broker]:
        """In place of `Broker.opened`."""
        if self.away:
            raise self.away
        yield FakeBroker(self)

    def describe_acls(self, asked: ACLFilter) -> tuple[list[ACL], None]:
        return [acl for acl in self.acls if self._fits(acl, asked)], None

    def create_acls(self, acls: list[ACL]) -> dict[str, Any]:
        self._write()
        self.acls |= set(acls)
        return {"failed": []}

    def delete_acls(self, filters: list[ACLFilter]) -> list[tuple[Any, Any, Any]]:
        self._write()
        self.acls -= {acl for acl in self.acls for one in filters if self._fits(acl, one)}
        return [(one, [], SimpleNamespace(errno=0)) for one in filters]

    def describe_user_scram_credentials(self) -> dict[str, Any]:
        return self.users

    def alter_user_scram_credentials(self, changes: list[Any]) -> dict[str, None]:
        for one in changes:
            mechanism = one.mechanism
            self._write()
            if isinstance(one, UserScramCredentialUpsertion):
                self.passwords[one.user, mechanism] = one
                infos = self.infos(one.user)
                self.users[one.user] = {"credential_infos": [
                    *(info for info in infos if info["mechanism"] is not mechanism),
                    {"mechanism": mechanism, "iterations": one.iterations}]}
            else:
                self.passwords.pop((one.user, mechanism), None)
                left = [info for info in self.infos(one.user) if info["mechanism"] is not mechanism]
                self.users.pop(one.user)
                if left:
                    self.users[one.user] = {"credential_infos": left}
        if self.lost_answers:
            self.lost_answers -= 1
            raise KafkaConnectionError
        return {one.user: None for one in changes}

    def infos(self, name: str) -> list[dict[str, Any]]:
        """Credentials of a user, as Kafka describes them."""
        found: list[dict[str, Any]] = self.users.get(name, {"credential_infos": []})["credential_infos"]
        return found

    def lets_in(self, name: str, password: str) -> bool:
        """Whether somebody has this password by any mechanism."""
        return any(user == name and pbkdf2_hmac(one.mechanism.hash_name, password.encode(), one.salt, one.iterations)
                   == one.salted_password for (user, _), one in self.passwords.items())

    def _write(self) -> None:
        self.fails_at -= 1
        if self.fails_at == 0:
            raise KafkaConnectionError

    @staticmethod
    def _credential() -> dict[str, Any]:
        return {"credential_infos": [{"mechanism": ScramMechanism.SCRAM_SHA_256, "iterations": 8192}]}

    @staticmethod
    def _fits(acl: ACL, asked: ACLFilter) -> bool:
        pattern, wanted = acl.resource_pattern, asked.resource_pattern
        return ((asked.principal is None or asked.principal == acl.principal)
                and (asked.host is None or asked.host == acl.host)
                and asked.operation in (ACLOperation.ANY, acl.operation)
                and asked.permission_type in (ACLPermissionType.ANY, acl.permission_type)
                and (wanted.resource_name is None or (pattern.resource_type, pattern.resource_name, pattern.pattern_type)
                     == (wanted.resource_type, wanted.resource_name, wanted.pattern_type)))


class FakeBroker(Broker):
    """A broker whose sign-in is looked up."""

    def signs_in(self, name: str, password: str) -> bool:
        found: bool = self.admin.lets_in(name, password)
        return found


class FakeRecords:
    """The versions of what is wanted, as engine/stores/records.py keeps them."""

    def __init__(self) -> None:
        self.kept: list[Record] = []

    def last(self, *_: object) -> Record | None:
        return self.kept[-1] if self.kept else None

    def versions(self, *_: object) -> list[Record]:
        return list(self.kept)

    def add(self, record: Record) -> Record:
        if record.n != len(self.kept) + 1:
            raise Stale(self.last())
        self.kept.append(record)
        return record
