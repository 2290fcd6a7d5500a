"""The wanted state: teams, their principals and roles, as governance/kafka_acls.yaml has them; and the rules that follow.

A name is written exactly (`orders`), as a beginning (`orders-*`) or for everything (`"*"`). `"{people}"`, `"{control}"` and
`"{dead}"` stand for the topics of the installation, whatever they are called there.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from governance.kafka_access.document import Document, Fault, NotWanted, Step
from governance.kafka_access.ownership import Managed, Named
from governance.kafka_access.roles import RESOURCE_OF, ROLES, Role, bindings
from governance.kafka_access.rule import (
    ANY,
    CLUSTER,
    OPERATIONS,
    Rule,
    host_faults,
    name_faults,
    named,
    operation_faults,
    principal_faults,
)

CONTENT = Path(__file__).parent.with_name("kafka_acls.yaml")

PLACEHOLDERS = ("people", "control", "dead")

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_LISTS = tuple(name for name in RESOURCE_OF if name)
_NEAR = 0.75


class Part(BaseModel):
    """A part of the wanted state: frozen; an unknown name is an error rather than a silent typo."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Grant(Part):
    """One role of a principal: on what, and from which addresses."""

    role: Role
    topics: tuple[str, ...] = ()
    dead_letters: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    transactional_ids: tuple[str, ...] = ()
    hosts: tuple[str, ...] = (ANY,)

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """The lists that are written down, the empty ones too."""
        return {name: getattr(self, name) for name in _LISTS if name in self.model_fields_set}


class Team(Part):
    """People who run programs together; principal (without `User:`) -> its roles."""

    about: str = ""
    principals: dict[str, tuple[Grant, ...]]


class Exact(Part):
    """A rule that no role gives: a refusal, or what was found in Kafka and kept. why: for who reads it later."""

    principal: str
    permission: Literal["allow", "deny"]
    operation: str
    resource: str
    name: str = CLUSTER
    host: str = ANY
    why: str = ""


class Ours(Part):
    """What apply may delete beside rules of the principals above: rules of former ones, anybody's rules on our topics."""

    principals: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Wanted(Part):
    """The whole of it."""

    teams: dict[str, Team] = {}
    rules: tuple[Exact, ...] = ()
    protected: tuple[str, ...] = Field((), description="Principals that no plan may take a right from.")
    managed: Ours = Ours()

    @cached_property
    def teams_by_principal(self) -> dict[str, str]:
        """`User:name` -> its team."""
        return {f"User:{name}": team for team, content in self.teams.items() for name in content.principals}

    @property
    def protected_principals(self) -> frozenset[str]:
        """As Kafka has them."""
        return frozenset(f"User:{name}" for name in self.protected)


def parsed(text: str) -> Wanted:
    """The wanted state that a file holds. Raises NotWanted with the line and the remedy of everything that is wrong."""
    document = Document(text)
    try:
        content = Wanted.model_validate(document.content)
    except ValidationError as error:
        raise NotWanted([Fault(document.line(path), f"{_place(path)}{what}")
                         for path, what in (_said(cast(Mapping[str, Any], one)) for one in error.errors())]) from None
    if found := [Fault(document.line(path), f"{_place(path)}{what}") for path, what in _nonsense(content)]:
        raise NotWanted(found)
    return content


def rules(wanted: Wanted, names: Mapping[str, str]) -> frozenset[Rule]:
    """The rules that the wanted state amounts to. names: placeholder -> topic, for each of PLACEHOLDERS."""
    found = set()
    for team in wanted.teams.values():
        for principal, grants in team.principals.items():
            for grant in grants:
                for operation, resource, name in bindings(grant.role, grant.names):
                    pair = named(_filled(name, names))
                    found |= {Rule(f"User:{principal}", host, operation, True, resource, *pair) for host in grant.hosts}
    for one in wanted.rules:
        found.add(Rule(f"User:{one.principal}", one.host, one.operation, one.permission == "allow", one.resource,
                       *named(_filled(one.name, names))))
    return frozenset(found)


def managed(wanted: Wanted, names: Mapping[str, str]) -> Managed:
    """What apply may delete: rules of the principals it names, and what stands under `managed`."""
    def ours(listed: Iterable[str], before: str = "") -> frozenset[Named]:
        pairs = (named(_filled(one, names)) for one in listed)
        return frozenset((name if name == ANY else f"{before}{name}", how) for name, how in pairs)

    principals = (*(name for team in wanted.teams.values() for name in team.principals), *wanted.managed.principals,
                  *(one.principal for one in wanted.rules if one.principal != ANY))
    return Managed(ours(principals, "User:"), ours(wanted.managed.topics), ours(wanted.managed.groups))


def _filled(name: str, names: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: names[found[1]], name)


Said = tuple[tuple[Step, ...], str]
"""Where, and what is wrong there."""


def _place(path: tuple[Step, ...]) -> str:
    shown = ".".join(str(step) if isinstance(step, str) else f"{step + 1}" for step in path)
    return f"{shown}: " if shown else ""


def _said(error: Mapping[str, Any]) -> Said:
    """An error of the schema with its remedy."""
    path: tuple[Step, ...] = tuple(error["loc"])
    given = error["input"]
    match error["type"]:
        case "missing":
            return path[:-1], f"`{path[-1]}` is missing; write it"
        case "extra_forbidden":
            return path, f"nothing here is called so; {_instead(str(path[-1]), _fields(path[:-1]))}"
        case "enum" | "literal_error":
            allowed = [role.value for role in Role] if error["type"] == "enum" else ["allow", "deny"]
            return path, f"{given!r} is none of those that are known; {_instead(str(given), allowed)}"
        case "string_type":
            return path, _quoted(given) or "one name is expected here, not several; write one"
        case "tuple_type" | "list_type":
            example = given if isinstance(given, str) and given else "name"
            return path, f"a list is expected here; write [{example}], or [] for none"
        case "model_type" | "dict_type" | "model_attributes_type":
            return path, _quoted(given) or "names with what belongs to them are expected here; write `name: ...` below it"
        case _:
            return path, str(error["msg"])


def _quoted(given: object) -> str:
    """`{people}` without quotes is a table to YAML."""
    if isinstance(given, dict) and len(given) == 1 and next(iter(given)) in PLACEHOLDERS:
        return f'a name in braces must stand in quotes; write "{{{next(iter(given))}}}"'
    return ""


def _instead(given: str, allowed: Iterable[str]) -> str:
    known = list(allowed)
    near = get_close_matches(given, known, 1)
    return f"write {near[0]}" if near else f"write one of: {', '.join(known)}"


def _fields(path: tuple[Step, ...]) -> Iterable[str]:
    """The names that are known at a place."""
    match path:
        case ():
            return Wanted.model_fields
        case ("teams", _):
            return Team.model_fields
        case ("rules", _):
            return Exact.model_fields
        case ("managed",):
            return Ours.model_fields
        case _:
            return Grant.model_fields


def _nonsense(content: Wanted) -> Iterator[Said]:
    """What the schema lets through and Kafka would choke on or ignore."""
    yield from _teams(content)
    for at, one in enumerate(content.rules):
        yield from _rule(("rules", at), one)
    for at, name in enumerate(content.protected):
        path: tuple[Step, ...] = ("protected", at)
        found = _principal(name)
        known = {principal.partition(":")[2] for principal in content.teams_by_principal}
        near = [] if name in known else get_close_matches(name, known, 1, _NEAR)
        if near:
            found.append(f"no team has {name!r}, so nobody would be protected; write {near[0]}")
        yield from ((path, what) for what in found)
    for at, name in enumerate(content.managed.principals):
        plain = named(name)[0]
        yield from ((("managed", "principals", at), what) for what in (_principal(plain) if plain != ANY else []))
    for where in ("topics", "groups"):
        for at, name in enumerate(getattr(content.managed, where)):
            yield from ((("managed", where, at), what) for what in _name(RESOURCE_OF[where], name))


def _teams(content: Wanted) -> Iterator[Said]:
    first: dict[str, str] = {}
    for team, one in content.teams.items():
        for principal, grants in one.principals.items():
            path: tuple[Step, ...] = ("teams", team, "principals", principal)
            yield from ((path, what) for what in _principal(principal))
            if principal == ANY:
                yield path, "everybody is in no team; write what everybody may under `rules`"
            if principal in first:
                yield path, f"team {first[principal]} has it too; a principal belongs to one team, take it out of the other"
            first.setdefault(principal, team)
            for at, grant in enumerate(grants):
                yield from _grant((*path, at), grant)


def _grant(path: tuple[Step, ...], grant: Grant) -> Iterator[Said]:
    shape = ROLES[grant.role]
    for where in shape.needs:
        if not grant.names.get(where):
            yield (*path, where), f"a {grant.role} needs {where}; write {where}: [name]"
    for where, listed in grant.names.items():
        if where not in shape.lists:
            yield (*path, where), f"a {grant.role} has no {where} ({shape.about}); take them out"
            continue
        for at, name in enumerate(listed):
            yield from (((*path, where, at), what) for what in _name(RESOURCE_OF[where], name))
    if not grant.hosts:
        yield (*path, "hosts"), "it could come from nowhere; leave hosts out for any address"
    for at, host in enumerate(grant.hosts):
        yield from (((*path, "hosts", at), what) for what in host_faults(host))


def _rule(path: tuple[Step, ...], one: Exact) -> Iterator[Said]:
    yield from (((*path, "principal"), what) for what in _principal(one.principal))
    yield from (((*path, "host"), what) for what in host_faults(one.host))
    known = one.resource in OPERATIONS
    wrong = operation_faults(one.resource, one.operation)
    yield from (((*path, "operation" if known else "resource"), what) for what in wrong)
    if known:
        yield from (((*path, "name"), what) for what in _name(one.resource, one.name))


def _principal(name: str) -> list[str]:
    if name.startswith("User:"):
        return [f"the type is understood here; write {name.removeprefix('User:')}"]
    return principal_faults(f"User:{name}")


def _name(resource: str, name: str) -> list[str]:
    unknown = [found for found in _PLACEHOLDER.findall(name) if found not in PLACEHOLDERS]
    if unknown:
        return [f'"{{{unknown[0]}}}" stands for no topic of the installation; '
                f"{_instead(unknown[0], PLACEHOLDERS)}, in braces"]
    return name_faults(resource, *named(_filled(name, dict.fromkeys(PLACEHOLDERS, "t"))))
