"""Plans for Kafka's rules: what they do, in which order, whom they lock out, their files; and the differences."""

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.access.apply import outdated
from governance.kafka_access.decide import decide
from governance.kafka_access.drift import Different, differences
from governance.kafka_access.lockouts import lockouts, losses
from governance.kafka_access.ownership import EVERYTHING, Managed
from governance.kafka_access.plan import Left, NotAPlan, Plan, Why, fingerprint, part, plan, stale
from governance.kafka_access.rule import CLUSTER, Rule
from governance.kafka_access.wanted import managed, parsed
from governance.kafka_access.wanted import rules as wanted_rules
from tests.governance.kafka_cases import NAMES, REQUESTS, SLOW, Request, any_rules, rule, rules

A = Managed(principals=frozenset({("User:a", "literal")}))
"""Owns only the rules of a."""

MOVE = """
teams:
  orders:
    principals:
      orders-reader:
        - {role: consumer, topics: [PREFIX-*], groups: [orders-reader]}
  old:
    principals: OLD
managed:
  principals: [old-*]
"""
BEFORE = MOVE.replace("PREFIX", "v1").replace("OLD", "{old-reader: [{role: reader, topics: [v1-x]}]}")
AFTER = MOVE.replace("PREFIX", "v2").replace("OLD", "{}")


def allowed(state: frozenset[Rule], request: Request) -> bool:
    return decide(state, (), *request).allowed


def test_a_team_moves_and_another_is_dissolved() -> None:
    before, after = parsed(BEFORE), parsed(AFTER)
    made = plan(wanted_rules(after, NAMES), wanted_rules(before, NAMES), managed(after, NAMES), True, before.teams_by_principal)
    assert [(step.create, made.says(step.rule)) for step in made.steps] == [
        (True, "orders's orders-reader may read topics that start with 'v2-' from any address"),
        (False, "old's old-reader may see the partitions of topic 'v1-x' from any address"),
        (False, "old's old-reader may read topic 'v1-x' from any address"),
        (False, "orders's orders-reader may read topics that start with 'v1-' from any address")]
    assert made.commands == [f'kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG" {words}' for words in (
        "--add --allow-principal User:orders-reader --allow-host '*' --operation Read --topic v2- "
        "--resource-pattern-type prefixed",
        "--remove --force --allow-principal User:old-reader --allow-host '*' --operation Describe --operation Read "
        "--topic v1-x",
        "--remove --force --allow-principal User:orders-reader --allow-host '*' --operation Read --topic v1- "
        "--resource-pattern-type prefixed")]
    assert made.left == ()


def test_without_deletes_nothing_is_deleted_and_others_are_never_touched() -> None:
    there = rules("allow a READ topic x\nallow b READ topic x")
    assert plan([], there, A, deletes=False).left == (
        Left(rule("allow a READ topic x"), Why.DELETES_OFF), Left(rule("allow b READ topic x"), Why.OF_OTHERS))
    assert plan([], there, A, deletes=False).empty
    made = plan([], there, A, deletes=True)
    assert made.deletes == (rule("allow a READ topic x"),)
    assert made.left == (Left(rule("allow b READ topic x"), Why.OF_OTHERS),)


@SLOW
@given(any_rules(), any_rules())
def test_applied_a_plan_gives_what_is_wanted_and_a_second_is_empty(wanted: frozenset[Rule], there: frozenset[Rule]) -> None:
    made = plan(wanted, there, EVERYTHING, deletes=True)
    state = set(there)
    for step in made.steps:
        assert (step.rule in state) != step.create      # nothing twice, nothing that is not there
        (state.add if step.create else state.remove)(step.rule)
    assert state == wanted == made.after
    assert plan(wanted, state, EVERYTHING, deletes=True).empty


@SLOW
@given(any_rules(), any_rules(), st.booleans())
def test_a_plan_that_owns_little_leaves_the_rest(wanted: frozenset[Rule], there: frozenset[Rule], deletes: bool) -> None:
    made = plan(wanted, there, A, deletes)
    surplus = there - wanted
    assert made.after == wanted | {one for one in surplus if one.principal != "User:a" or not deletes}
    assert {left.rule for left in made.left} | set(made.deletes) == surplus
    again = plan(wanted, made.after, A, deletes)
    assert (again.empty, again.left) == (True, made.left)


@settings(SLOW, max_examples=60)
@given(any_rules(), any_rules(), st.booleans())
# a refusal is replaced by another; a permission comes with its refusal; both go
@example(rules("allow a READ topic abc\ndeny a READ topic abc"), rules("allow a READ topic abc\ndeny a READ topic *"), True)
@example(rules("allow a READ topic abc*\ndeny a READ topic abc"), rules(""), True)
@example(rules(""), rules("allow a READ topic abc*\ndeny a READ topic abc"), True)
@example(rules("allow a READ topic abc"), rules("allow a READ topic ab*"), True)
@example(rules("allow a ALTER cluster kafka-cluster\ndeny a ALTER cluster kafka-cluster"), rules(""), True)
def test_on_the_way_nobody_is_refused_or_let_in_who_is_not_at_both_ends(
        there: frozenset[Rule], wanted: frozenset[Rule], deletes: bool) -> None:
    made = plan(wanted, there, EVERYTHING, deletes)
    same = [(request, now) for request in REQUESTS if (now := allowed(there, request)) == allowed(made.after, request)]
    state = there
    for step in made.steps:
        state = state | {step.rule} if step.create else state - {step.rule}
        touched = [(request, now) for request, now in same if step.rule.resource == request[3] and step.rule.covers(request[4])]
        assert [request for request, now in touched if allowed(state, request) != now] == []


def test_rights_over_the_cluster_are_deleted_last() -> None:
    there = rules("allow a ALTER cluster kafka-cluster\ndeny b ALTER cluster kafka-cluster\n"
                  "allow a READ topic x\ndeny a READ topic y")
    assert [step.rule.resource for step in plan([], there, EVERYTHING, deletes=True).steps] == [
        "topic", "topic", "cluster", "cluster"]


PROTECTED = ("User:a",)


@pytest.mark.parametrize(("there", "wanted", "says"), [
    ("allow a READ topic abc", "allow a READ topic abc\nallow b READ topic abc", []),
    ("allow b READ topic abc", "", []),
    ("allow a READ topic abc", "allow a READ topic ab*", []),
    ("allow a READ topic abc", "", [
        "a is protected and could no longer read topic 'abc' and see the partitions of topic 'abc'; this would be deleted and "
        "nothing else allows it: a may read topic 'abc' from any address."]),
    ("allow a READ topic abc\nallow a WRITE topic abc", "allow a WRITE topic abc", ["no longer read topic 'abc';"]),
    ("allow a READ topic ab*", "allow a READ topic abc", ["no longer read topics that start with 'ab'"]),
    ("allow a READ topic ab*", "allow a READ topic ab* 10.0.0.1", ["no longer read topics that start with 'ab'"]),
    ("allow a READ topic ab* 10.0.0.1", "allow a READ topic ab* 10.0.0.2", ["from 10.0.0.1; this would be deleted"]),
    ("allow a READ topic *", "allow a READ topic ab*", ["no longer read every topic"]),
    ("allow * READ topic abc", "", ["everybody may read topic 'abc' from any address."]),
    ("allow a READ topic abc", "allow a READ topic abc\ndeny * ALL topic *", [
        "no longer read topic 'abc' and see the partitions of topic 'abc'; this would be created: nobody may do "
        "everything with every topic"]),
    ("allow a READ topic abc", "allow a READ topic abc\ndeny a WRITE topic abc", []),
    ("allow a READ topic abc", "allow a READ topic abc\ndeny a READ topic abc 10.0.0.9",
     ["no longer read topic 'abc' from 10.0.0.9"]),
    ("allow a READ topic abc\ndeny a READ topic abc", "", ["no longer see the partitions of topic 'abc'"]),
    ("allow a ALTER cluster kafka-cluster", "", ["change rules and passwords of everybody and see the cluster"]),
    ("allow a ALL group g", "allow a READ group g",
     ["no longer delete group 'g' and see the settings of group 'g' and change the settings of group 'g'; this would"]),
    # all that starts so but the name itself, which was refused before
    ("allow a READ topic ab*\ndeny a READ topic ab", "allow a READ topic ab*\ndeny a READ topic ab\ndeny a READ topic *",
     ["no longer read topics that start with 'ab'; this would be created"]),
    # both rules that allow it go: each is named
    ("allow a READ topic abc\nallow a READ topic ab*", "", ["topics that start with 'ab'", "topic 'abc'"]),
])
def test_who_is_protected_is_not_locked_out(there: str, wanted: str, says: list[str]) -> None:
    made = plan(rules(wanted), rules(there), EVERYTHING, deletes=True)
    found = lockouts(made, PROTECTED, ())
    assert len(found) == len(says)
    assert all(any(words in told for told in found) for words in says), found
    assert lockouts(made, PROTECTED, super_users=PROTECTED) == []
    assert lockouts(made, (), ()) == []


def test_only_what_is_needed_counts_if_that_is_said() -> None:
    made = plan(rules(""), rules("allow a READ topic abc\nallow a WRITE topic zz"), EVERYTHING, deletes=True)
    assert len(lockouts(made, PROTECTED, ())) == 2
    found = lockouts(made, PROTECTED, (), needed=rules("allow a READ topic ab*\nallow b WRITE topic zz"))
    assert len(found) == 1
    assert "read topic 'abc'" in found[0]
    assert lockouts(made, PROTECTED, (), needed=()) == []


@pytest.mark.parametrize(("there", "wanted", "lost"), [
    ("", "allow a WRITE topic t\ndeny * WRITE topic t", True),      # Kafka has not even given what is needed
    ("", "allow a WRITE topic t\ndeny * READ topic t", False),
    ("", "allow a WRITE topic t\ndeny b WRITE topic t", False),
    ("deny * WRITE topic t", "allow a WRITE topic t\ndeny * WRITE topic t", False),    # it is so already: no plan does it
    ("", "allow a WRITE topic t", False)])
def test_what_is_needed_cannot_be_refused_before_it_is_given(there: str, wanted: str, lost: bool) -> None:
    made = plan(rules(wanted), rules(there), EVERYTHING, deletes=True)
    found = lockouts(made, PROTECTED, (), needed=rules("allow a WRITE topic t"))
    assert ["a is protected and could no longer write to topic 't'; this would be created: nobody may" in one
            for one in found] == [True] * lost


@settings(SLOW, max_examples=60)
@given(any_rules(), any_rules())
def test_a_loss_is_found_if_and_only_if_some_request_is_lost(before: frozenset[Rule], after: frozenset[Rule]) -> None:
    found = losses(before, after, "User:a")
    mine = [request for request in REQUESTS if request[0] == "User:a"]
    lost = [request for request in mine if allowed(before, request) and not allowed(after, request)]
    assert bool(lost) <= bool(found)
    for loss in found:
        # what is told is true: a name that only the example's rules speak of, from an address that it stands for
        name = loss.name + "~" if loss.pattern == "prefixed" else "~" if loss.name == "*" else loss.name
        host = "10.99.0.1" if loss.host == "*" else loss.host
        for operation in loss.operations:
            request = ("User:a", host, operation, loss.resource, name)
            assert allowed(before, request)
            assert not allowed(after, request)
        assert loss.by in before ^ after


@pytest.mark.parametrize(("wanted", "there", "missing", "unexpected", "different"), [
    ("allow a READ topic x", "allow a READ topic x", "", "", []),
    ("allow a READ topic x", "", "allow a READ topic x", "", []),
    ("", "allow a READ topic x", "", "allow a READ topic x", []),
    ("", "allow b READ topic x", "", "", []),
    ("allow b READ topic x", "", "allow b READ topic x", "", []),
    ("allow a READ topic x", "allow a READ topic x 10.0.0.1", "", "",
     [("allow a READ topic x", "allow a READ topic x 10.0.0.1")]),
    ("allow a READ topic x", "allow a READ topic x*", "", "", [("allow a READ topic x", "allow a READ topic x*")]),
    ("allow a READ topic x", "deny a READ topic x", "", "", [("allow a READ topic x", "deny a READ topic x")]),
    ("allow a READ topic x", "allow a WRITE topic x", "allow a READ topic x", "allow a WRITE topic x", []),
    ("allow a READ topic x", "allow a READ group x", "allow a READ topic x", "allow a READ group x", []),
    ("allow a READ topic x", "allow a READ topic y", "allow a READ topic x", "allow a READ topic y", []),
    # the nearest is paired, the other is unexpected
    ("allow a READ topic x", "allow a READ topic x 10.0.0.1\ndeny a READ topic x* 10.0.0.2",
     "", "deny a READ topic x* 10.0.0.2", [("allow a READ topic x", "allow a READ topic x 10.0.0.1")]),
])
def test_differences(wanted: str, there: str, missing: str, unexpected: str, different: list[tuple[str, str]]) -> None:
    found = differences(rules(wanted), rules(there), A)
    assert (frozenset(found.missing), frozenset(found.unexpected)) == (rules(missing), rules(unexpected))
    assert found.different == tuple(Different(rule(one), rule(other)) for one, other in different)
    assert bool(found) == bool(missing or unexpected or different)


def test_rules_of_others_about_our_topics_are_counted_and_no_difference() -> None:
    ours = Managed(frozenset({("User:a", "literal")}), frozenset({("mine", "literal"), ("team-", "prefixed")}))
    met = rules("allow z READ topic *\ndeny z READ topic mi*\nallow z READ topic t*\nallow * READ topic min*")
    owned = rules("allow z READ topic mine\nallow z READ topic team-x\nallow a READ topic *")
    far = rules("allow z READ topic yours\nallow z READ topic mine-*\nallow z READ group mi*\n"
                "allow z ALL cluster kafka-cluster")
    found = differences([], met | owned | far, ours)
    assert (frozenset(found.others), frozenset(found.unexpected)) == (met, owned)
    assert not differences([], met, ours)
    assert not differences(met, met, ours).others, "what is wanted is no other's"


@SLOW
@given(any_rules(), any_rules())
def test_each_difference_is_told_once_and_is_what_a_plan_does(wanted: frozenset[Rule], there: frozenset[Rule]) -> None:
    found = differences(wanted, there, EVERYTHING)
    made = plan(wanted, there, EVERYTHING, deletes=True)
    assert sorted([*found.missing, *(one.wanted for one in found.different)]) == sorted(made.creates)
    assert sorted([*found.unexpected, *(one.there for one in found.different)]) == sorted(made.deletes)
    assert not {(one.principal, one.operation, one.resource, one.name) for one in found.missing} & {
        (one.principal, one.operation, one.resource, one.name) for one in found.unexpected}


@pytest.mark.parametrize(("touched", "others", "says", "far"), [
    ("allow a READ topic abc", "", "1 rule of 1 principal on 1 topic", False),
    ("allow a READ topic abc\nallow b READ topic abc\nallow b READ group g", "", "3 rules of 2 principals on 1 topic", False),
    ("allow a READ topic ab*", "", "1 rule of 1 principal on 1 topic", False),
    ("allow a READ topic ab*", "allow z READ topic abc\nallow z READ topic abd\nallow z READ topic x",
     "1 rule of 1 principal on 2 topics", False),
    ("allow a READ topic ab*", "allow z READ topic x", "1 rule of 1 principal on 1 topic", False),
    ("allow a READ topic *", "", "1 rule of 1 principal on every topic", True),
    ("allow a READ group *", "", "1 rule of 1 principal on 0 topics and every group", True),
    ("allow a WRITE transactional_id *", "", "1 rule of 1 principal on 0 topics and every transactional id", True),
    # a beginning under which all falls that is known is as good as every topic
    ("allow a READ topic ab*", "allow z READ topic abc\nallow z READ topic abd*\nallow z READ topic *",
     "1 rule of 1 principal on every known topic", True),
    ("allow a READ topic ab*", "allow z READ topic abc\nallow z READ topic a*", "1 rule of 1 principal on 1 topic", False),
    ("allow a READ group g*", "allow z READ group g1\nallow z READ topic x",
     "1 rule of 1 principal on 0 topics and every known group", True),
    ("deny * READ topic abc", "", "1 rule of everybody on 1 topic", True),
    ("allow a ALTER cluster kafka-cluster", "", "1 rule of 1 principal on 0 topics and the cluster", True),
    ("\n".join(f"allow a READ topic t{at}" for at in range(10)), "", "10 rules of 1 principal on 10 topics", False),
    ("\n".join(f"allow a READ topic t{at}" for at in range(11)), "", "11 rules of 1 principal on 11 topics", True),
])
def test_the_reach_of_a_plan(touched: str, others: str, says: str, far: bool) -> None:
    both = rules(touched) | rules(others)
    for made in (plan(rules(others), both, EVERYTHING, True), plan(both, rules(others), EVERYTHING, True)):
        assert (str(made.reach()), made.reach().far) == (says, far)


@SLOW
@given(any_rules(), any_rules(), st.booleans())
def test_a_plan_survives_its_file(wanted: frozenset[Rule], there: frozenset[Rule], deletes: bool) -> None:
    made = plan(wanted, there, A, deletes, {"User:a": "the team of a"})
    again = Plan.from_json(made.to_json())
    assert again == made
    assert json.loads(made.to_json())["made_from"] == made.fingerprint == again.fingerprint


def test_a_fingerprint_is_of_the_rules_and_not_of_their_order() -> None:
    two = [rule("allow a READ topic x"), rule("allow b READ topic x")]
    assert fingerprint(two) == fingerprint(two[::-1]) == fingerprint(two * 2)
    assert len({fingerprint(two), fingerprint(two[:1]), fingerprint([])}) == 3


Y, Z = asdict(rule("allow a READ topic y")), asdict(rule("allow b READ topic z"))
KEPT = plan(rules("allow a READ topic x"), rules("allow a READ topic old"), A, True)


@pytest.mark.parametrize(("change", "says"), [
    ({"format": "rollcall kafka access plan 0"}, "of the form"),
    ({"made_from": "0" * 64}, "does not fit together"),
    ({"wanted": None}, "This is no plan file: wanted"),
    ({"there": []}, "does not fit together"),
    ({"commands": []}, "does not fit together"),
    ({"more": 1}, "This is no plan file: more"),
    ({"creates": [{"says": "a may read topic 'x' from any address", "rule": Y}]}, "does not fit together"),
    ({"creates": [{"says": "", "rule": {**Y, "principal": "a"}}]}, "would create nonsense"),
    ({"creates": [{"says": "", "rule": {"principal": "User:a"}}]}, r"This is no plan file: creates\.0\.rule\.host"),
    ({"creates": [{"says": "", "rule": {**Y, "allow": "yes"}}]}, r"This is no plan file: creates\.0\.rule\.allow"),
    ({"creates": [{"says": "", "rule": {**Y, "more": 1}}]}, r"This is no plan file: creates\.0\.rule\.more"),
    ({"deletes": [{"says": "b may read topic 'z' from any address", "rule": Z}]}, "does not fit together"),
])
def test_a_file_that_was_changed_is_refused(change: dict[str, object], says: str) -> None:
    file = {**json.loads(KEPT.to_json()), **change}
    with pytest.raises(NotAPlan, match=says):
        Plan.from_json(json.dumps(file))


DENY, ALLOW = rule("deny * READ topic x"), rule("allow a READ topic x")
DUE = plan([DENY, ALLOW], rules("allow a READ topic old"), A, True, {"User:a": "the team of a"})
NOT_DUE = "is not what the wanted state asks for today"


@pytest.mark.parametrize(("kept", "says"), [
    (DUE, ""),
    (part(DUE, DUE.creates, ()), ""),
    # cut down: as a plan of chosen differences is (docs/decisions/0010-kafka-access.md)
    (part(DUE, [ALLOW], ()), ""),
    (replace(DUE, creates=DUE.creates[::-1]), NOT_DUE),
    (replace(DUE, creates=(DENY, ALLOW, ALLOW)), NOT_DUE),
    (replace(DUE, deletes=DUE.deletes * 2), NOT_DUE),
    (replace(DUE, creates=(*DUE.creates, rule("allow b READ topic z"))), NOT_DUE),
    (replace(DUE, teams={"User:a": "another team"}), NOT_DUE),
    (replace(DUE, teams={}), NOT_DUE),
    # of an older wanted state, to which the refusal was added since
    (plan([ALLOW], DUE.there, A, True, DUE.teams), "What is wanted was changed"),
])
def test_a_file_that_fits_together_is_compared_with_what_is_due_now(kept: Plan, says: str) -> None:
    found = outdated(Plan.from_json(kept.to_json()), DUE)
    assert says in found
    assert bool(says) == bool(found)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "{}", '{"format": 1}'])
def test_what_is_no_plan_file_is_refused(text: str) -> None:
    with pytest.raises(NotAPlan, match="This is no plan file"):
        Plan.from_json(text)


@pytest.mark.parametrize(("there", "wanted", "says"), [
    ("allow a READ topic old", "allow a READ topic x", ""),
    ("allow a READ topic old\nallow z READ topic z", "allow a READ topic x", "1 rule appeared in Kafka and 0 rules went"),
    ("", "allow a READ topic x", "0 rules appeared in Kafka and 1 rule went"),
    ("allow a READ topic old", "allow a READ topic y", "What is wanted was changed"),
])
def test_a_plan_that_is_out_of_date_is_refused(there: str, wanted: str, says: str) -> None:
    found = stale(KEPT, plan(rules(wanted), rules(there), A, True))
    assert says in found
    assert bool(says) == bool(found)


def test_a_rule_without_a_type_can_be_planned_away_and_kept_in_a_file() -> None:
    broken = Rule("alice", "*", "READ", True, "topic", "x", "literal")
    made = plan([], {broken, rule("allow a ALL topic x")}, Managed(topics=frozenset({("x", "literal")})), deletes=True)
    assert made.deletes[-1] in (broken, rule("allow a ALL topic x"))
    assert Plan.from_json(made.to_json()) == made
    assert CLUSTER not in made.to_json()
