"""What was asked for against what is: every kind of finding, and that nothing is found where nothing is wrong."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonode.base.outcomes import Outcome
from kilonode.check.consistency import Breach, Evidence, Finding, check_consistency
from kilonode.check.evaluation import evaluate
from kilonode.check.following import wanted_state
from kilonode.check.inventory import Inventory, NodeUse, QuotaUse, Thing
from kilonode.check.metrics import CONSISTENCY_METRICS
from kilonode.check.wanted import Presence
from kilonode.history.asked import Asked, AskedRecords
from kilonode.report.words import criterion_note
from tests.check.histories import history, open_workload, rules, run, steady

RUN = "5f0c21aa"
SMALL = {"VCPU": 1, "MEMORY_MB": 64}
KINDS = ("server", "volume", "port", "floating_ip", "network", "subnet")


def asked(method: str, path: str, *, status: int = 202, service: str = "compute", **more: object) -> Asked:
    fields: dict[str, object] = {"word": "", "name": "", "refers": {}, "identity": "", "outcome": Outcome.OK.value}
    at_ns = more.pop("at_ns", 0)
    return msgspec.convert(
        [
            service,
            method,
            path,
            *[(fields | more)[key] for key in ("word", "name", "refers", "identity")],
            at_ns,
            at_ns,
            status,
            (fields | more)["outcome"],
            more.get("resent", False),
        ],
        Asked,
    )


def boot(identity: str, **more: object) -> Asked:
    fields = {"word": "server", "name": f"kn-{RUN}-boots-{identity}-server", "refers": {"flavorRef": "f1"}}
    return asked("POST", "/servers", identity=identity, **(fields | more))  # type: ignore[arg-type]


def delete(identity: str, **more: object) -> Asked:
    return asked("DELETE", f"/servers/{identity}", **({"status": 204} | more))  # type: ignore[arg-type]


def act(identity: str, word: str, **more: object) -> Asked:
    return asked("POST", f"/servers/{identity}/action", word=word, **more)  # type: ignore[arg-type]


def lost_answer(outcome: Outcome = Outcome.RESET) -> dict[str, object]:
    return {"status": 0, "outcome": outcome.value}


def server(identity: str, **more: object) -> Thing:
    fields: dict[str, object] = {
        "kind": "server",
        "id": identity,
        "name": f"kn-{RUN}-boots-{identity}-server",
        "project_id": "p1",
        "status": "ACTIVE",
        "flavor": "small",
        "amount": SMALL,
        "node": "compute-1",
    }
    return Thing(**(fields | more))  # type: ignore[arg-type]


def node(name: str, allocations: dict[str, dict[str, int]], **more: object) -> NodeUse:
    used: dict[str, int] = {}
    for amount in allocations.values():
        for key, value in amount.items():
            used[key] = used.get(key, 0) + value
    fields: dict[str, object] = {
        "id": name,
        "name": name,
        "capacity": {"VCPU": 4, "MEMORY_MB": 4096, "DISK_GB": 100},
        "used": used,
        "allocations": allocations,
    }
    return NodeUse(**(fields | more))  # type: ignore[arg-type]


def inventory(*things: Thing, **more: object) -> Inventory:
    on: dict[str, dict[str, dict[str, int]]] = {"compute-1": {}}
    for thing in things:
        if thing.kind == "server" and thing.node:
            on.setdefault(thing.node, {})[thing.id] = thing.amount
    fields: dict[str, object] = {
        "run_id": RUN,
        "things": things,
        "kinds": KINDS,
        "all_projects": True,
        "nodes": tuple(node(name, allocations) for name, allocations in on.items()),
        "quotas": (),
        "flavors": {"f1": "small", "f2": "large"},
        "settled": True,
        "settling_s": 2.0,
    }
    return Inventory(**(fields | more))  # type: ignore[arg-type]


def found(requests: list[Asked], there: Inventory, *, complete: bool = True) -> list[Finding]:
    return list(check_consistency(Evidence(AskedRecords(tuple(requests), complete), there)).findings)


def breaches(requests: list[Asked], there: Inventory) -> list[tuple[str, str]]:
    return [(finding.breach.value, finding.id) for finding in found(requests, there)]


def count(breach: Breach, evidence: Evidence) -> tuple[int | None, str]:
    result = next(one for one in check_consistency(evidence).counts if one.breach is breach)
    return result.count, result.note


def test_every_kind_of_finding_is_a_metric_of_criteria() -> None:
    assert {breach.value for breach in Breach} == set(CONSISTENCY_METRICS)


def test_a_cloud_that_is_as_it_was_asked_to_be_has_no_findings() -> None:
    requests = [boot("a"), boot("b"), delete("b"), act("a", "os-stop"), act("a", "os-start")]
    port = Thing(
        kind="port",
        id="p",
        network_id="n",
        holder="compute:nova",
        holds=("a",),
        addresses=("n 10.0.0.5",),
        project_id="p1",
    )
    quotas = (
        QuotaUse(project_id="p1", name="servers", used=1),
        QuotaUse(project_id="p1", name="cores", used=1),
        QuotaUse(project_id="p1", name="memory_mb", used=64),
        QuotaUse(project_id="p1", name="ports", used=1),
    )
    assert breaches(requests, inventory(server("a"), port, Thing(kind="network", id="n"), quotas=quotas)) == []


@pytest.mark.parametrize(
    ("breach", "samples", "of"),
    [
        (Breach.LOST, 3, "resources created"),
        (Breach.STRAYED, 3, "resources created"),
        (Breach.RESURRECTED, 2, "resources deleted"),
        (Breach.STUCK, 1, "resources there in the end"),
    ],
)
def test_a_criterion_says_of_how_many_there_could_have_been_findings(breach: Breach, samples: int, of: str) -> None:
    requests = [boot("a"), boot("b"), boot("c"), delete("b"), delete("c")]
    evidence = Evidence(AskedRecords(tuple(requests), True), inventory(server("a")))
    [result] = evaluate(history(steady()), run(open_workload(), criteria=rules(f"{breach} == 0")), evidence).criteria
    assert (result.measured, result.samples, result.samples_of) == (0.0, samples, of)
    assert criterion_note(result).startswith(f"of {samples} {of}")


def test_an_acknowledged_server_that_is_not_there_and_was_not_deleted_is_lost() -> None:
    assert breaches([boot("a"), boot("b")], inventory(server("a"))) == [("lost", "b")]


@pytest.mark.parametrize("outcome", [Outcome.RESET, Outcome.TIMEOUT, Outcome.CANCELLED, Outcome.PROTOCOL])
def test_after_a_deletion_without_an_answer_either_is_right(outcome: Outcome) -> None:
    requests = [boot("a"), delete("a", **lost_answer(outcome))]
    assert breaches(requests, inventory()) == []
    assert breaches(requests, inventory(server("a"))) == []


@pytest.mark.parametrize(("status", "uncertain"), [(500, True), (503, True), (409, False), (403, False), (404, False)])
def test_an_answer_that_says_that_the_service_failed_leaves_it_open_and_a_refusal_does_not(
    status: int, uncertain: bool
) -> None:
    requests = [boot("a"), delete("a", status=status)]
    assert breaches(requests, inventory()) == ([] if uncertain else [("lost", "a")])


def test_a_deletion_that_never_left_this_machine_deletes_nothing() -> None:
    assert breaches([boot("a"), delete("a", **lost_answer(Outcome.REFUSED))], inventory()) == [("lost", "a")]


def test_a_deletion_that_was_sent_twice_and_then_found_nothing_may_have_been_obeyed_the_first_time() -> None:
    assert breaches([boot("a"), delete("a", status=404, resent=True)], inventory()) == []


def test_a_deletion_that_was_sent_and_then_refused_when_it_was_sent_again_may_have_been_obeyed() -> None:
    assert breaches([boot("a"), delete("a", **lost_answer(Outcome.REFUSED), resent=True)], inventory()) == []


def test_a_deletion_that_was_uncertain_and_then_finds_nothing_is_certain() -> None:
    requests = [boot("a"), delete("a", **lost_answer()), delete("a", status=404)]
    assert breaches(requests, inventory()) == []
    assert breaches(requests, inventory(server("a"))) == [("resurrected", "a")]


def test_a_creation_without_an_answer_may_be_there_or_not() -> None:
    requests = [boot("", **lost_answer())]
    assert breaches(requests, inventory()) == []
    assert breaches(requests, inventory(server("a"))) == []


def test_what_was_deleted_and_is_there_came_back() -> None:
    assert breaches([boot("a"), delete("a")], inventory(server("a"))) == [("resurrected", "a")]


def test_what_was_deleted_and_failed_to_go_is_no_resurrection_since_the_cloud_says_so() -> None:
    assert breaches([boot("a"), delete("a")], inventory(server("a", status="ERROR", node=""))) == []


def test_two_of_one_name_are_duplicates() -> None:
    twin = server("b", name=server("a").name)
    assert breaches([boot("a")], inventory(server("a"), twin)) == [("duplicated", "a"), ("duplicated", "b")]


def test_an_address_given_twice_on_one_network_is_a_duplicate_and_on_two_networks_is_not() -> None:
    ports = [
        Thing(kind="port", id=identity, network_id=network, addresses=(f"{network} 10.0.0.5",))
        for identity, network in (("p1", "n1"), ("p2", "n1"), ("p3", "n2"))
    ]
    networks = [Thing(kind="network", id="n1"), Thing(kind="network", id="n2")]
    assert breaches([], inventory(*ports, *networks)) == [("duplicated", "p1")]


def test_a_server_with_allocations_on_two_nodes_runs_twice() -> None:
    nodes = (node("compute-1", {"a": SMALL}), node("compute-2", {"a": SMALL}))
    assert breaches([boot("a")], inventory(server("a"), nodes=nodes)) == [("duplicated", "a")]


def test_a_server_whose_move_waits_for_a_confirmation_is_on_two_nodes_in_two_names() -> None:
    nodes = (node("compute-1", {"a": SMALL}), node("compute-2", {"m": SMALL}))
    requests = [boot("a"), act("a", "resize", refers={"flavorRef": "f1"})]
    there = inventory(server("a", status="VERIFY_RESIZE"), nodes=nodes, moves=("m",))
    assert breaches(requests, there) == []
    assert breaches(requests, msgspec.structs.replace(there, moves=())) == [("leaked", "m")]


@pytest.mark.parametrize("state", [{"status": "BUILD", "task": "spawning"}, {"status": "ACTIVE", "task": "deleting"}])
def test_what_is_still_under_way_after_settling_is_stuck(state: dict[str, str]) -> None:
    (finding,) = found([boot("a")], inventory(server("a", **state)))
    assert finding.breach is Breach.STUCK
    assert finding.text == f"still {state['status']} ({state['task']}) 2 s after the load"


def test_what_others_have_under_way_is_their_own_affair() -> None:
    assert breaches([], inventory(server("x", name="somebody's", status="BUILD", task="spawning", node=""))) == []


def test_ports_volumes_and_floating_ips_of_what_is_gone_have_leaked() -> None:
    things = [
        Thing(kind="port", id="p", holder="compute:nova", holds=("gone",)),
        Thing(kind="volume", id="v", status="in-use", holds=("gone",)),
        Thing(kind="floating_ip", id="f", holds=("gone-port",)),
        Thing(kind="subnet", id="s", network_id="gone-network"),
        Thing(kind="port", id="d", holder="network:dhcp", holds=("dhcp-agent",)),
    ]
    leaked = [("leaked", "p"), ("leaked", "v"), ("leaked", "f"), ("leaked", "s")]
    assert breaches([], inventory(*things)) == leaked


def test_an_allocation_without_a_server_has_leaked() -> None:
    nodes = (node("compute-1", {"a": SMALL, "ghost": SMALL}),)
    assert breaches([boot("a")], inventory(server("a"), nodes=nodes)) == [("leaked", "ghost")]


def test_a_node_whose_sum_is_not_the_sum_of_its_allocations_has_leaked() -> None:
    nodes = (node("compute-1", {"a": SMALL}, used={"VCPU": 3, "MEMORY_MB": 64}),)
    (finding,) = found([boot("a")], inventory(server("a"), nodes=nodes))
    assert finding.text == "3 VCPU are counted as used, and the allocations have 1"


def test_a_server_whose_allocation_is_not_what_its_flavor_takes_or_not_where_it_is_has_leaked() -> None:
    wrong = (node("compute-1", {"a": {"VCPU": 2, "MEMORY_MB": 64}}),)
    assert breaches([boot("a")], inventory(server("a"), nodes=wrong)) == [("leaked", "a")]
    elsewhere = (node("compute-1", {}), node("compute-2", {"a": SMALL}))
    assert breaches([boot("a")], inventory(server("a"), nodes=elsewhere)) == [("leaked", "a")]
    nowhere = (node("compute-1", {}),)
    assert breaches([boot("a")], inventory(server("a"), nodes=nowhere)) == [("leaked", "a")]


def test_a_node_that_gave_more_than_it_has_is_overbooked() -> None:
    servers = [server(str(number)) for number in range(5)]
    requests = [boot(str(number)) for number in range(5)]
    assert breaches(requests, inventory(*servers)) == [("overbooked", "compute-1")]


def test_a_quota_that_counts_something_else_than_there_is_has_leaked() -> None:
    there = inventory(server("a"), quotas=(QuotaUse(project_id="p1", name="servers", used=2),))
    assert breaches([boot("a")], there) == [("leaked", "p1")]


@pytest.mark.parametrize(
    ("actions", "status", "flavor", "right"),
    [
        ([("os-stop", {})], "SHUTOFF", "small", True),
        ([("os-stop", {})], "ACTIVE", "small", False),
        ([("os-stop", lost_answer())], "ACTIVE", "small", True),
        ([("os-stop", lost_answer())], "SHUTOFF", "small", True),
        ([("os-stop", {"status": 409})], "SHUTOFF", "small", False),
        ([("os-stop", {}), ("os-start", {})], "SHUTOFF", "small", False),
        ([("resize", {"refers": {"flavorRef": "f2"}}), ("confirmResize", {})], "ACTIVE", "large", True),
        ([("resize", {"refers": {"flavorRef": "f2"}}), ("confirmResize", {})], "ACTIVE", "small", False),
        ([("resize", {"refers": {"flavorRef": "f2"}}), ("revertResize", {})], "ACTIVE", "small", True),
        ([("resize", {"refers": {"flavorRef": "f2"}}), ("revertResize", {})], "ACTIVE", "large", False),
        ([("resize", {"refers": {"flavorRef": "f2"}}), ("confirmResize", lost_answer())], "ACTIVE", "large", True),
        ([("resize", {"refers": {"flavorRef": "f2"}})], "VERIFY_RESIZE", "large", True),
        ([("resize", {"refers": {"flavorRef": "f2"}})], "ACTIVE", "small", True),
        ([("os-stop", {}), ("rebuild", {})], "ACTIVE", "small", True),
    ],
)
def test_a_server_is_in_the_state_and_has_the_flavor_that_was_asked_for_last(
    actions: list[tuple[str, dict[str, object]]], status: str, flavor: str, right: bool
) -> None:
    requests = [boot("a"), *(act("a", word, **more) for word, more in actions)]
    found_breaches = breaches(requests, inventory(server("a", status=status, flavor=flavor)))
    assert found_breaches == ([] if right else [("strayed", "a")])


def test_subnets_may_go_with_their_network() -> None:
    requests = [
        asked("POST", "/networks", service="network", status=201, word="network", identity="n"),
        asked(
            "POST", "/subnets", service="network", status=201, word="subnet", identity="s", refers={"network_id": "n"}
        ),
        asked("DELETE", "/networks/n", service="network", status=204),
    ]
    assert breaches(requests, inventory()) == []
    assert breaches(requests[:2], inventory(Thing(kind="network", id="n"))) == [("lost", "s")]


def test_without_an_inventory_everything_is_unknown() -> None:
    evidence = Evidence(AskedRecords((boot("a"),), True), None)
    assert {count(breach, evidence)[0] for breach in Breach} == {None}


def test_what_a_torn_record_of_requests_does_not_show_as_deleted_is_not_proved_to_be_lost() -> None:
    evidence = Evidence(AskedRecords((boot("a"),), False), inventory())
    assert count(Breach.LOST, evidence) == (None, "part of what was asked for is not known")


def test_a_user_who_is_not_shown_placement_does_not_know_whether_allocations_leaked() -> None:
    evidence = Evidence(AskedRecords((boot("a"),), True), inventory(server("a"), nodes=None))
    assert count(Breach.LEAKED, evidence) == (None, "placement was not shown to this user")
    assert count(Breach.OVERBOOKED, evidence)[0] is None
    assert count(Breach.LOST, evidence) == (0, "")
    leaking = inventory(Thing(kind="port", id="p", holder="compute:nova", holds=("gone",)), nodes=None)
    assert count(Breach.LEAKED, Evidence(AskedRecords((), True), leaking))[0] == 1


def test_kinds_that_were_not_listed_cannot_be_said_to_be_there() -> None:
    requests = (asked("POST", "/volumes", service="volume", identity="v", word="volume"),)
    evidence = Evidence(AskedRecords(requests, True), inventory(kinds=("server",)))
    assert count(Breach.LOST, evidence) == (None, "not looked at: volume")


VERBS = st.sampled_from(["boot", "delete"])
ANSWERS = st.sampled_from(["yes", "no", "maybe"])
EVENTS = st.lists(st.tuples(st.sampled_from("abc"), VERBS, ANSWERS, st.booleans()), max_size=12)


@settings(max_examples=300)
@given(EVENTS)
def test_a_cloud_that_obeys_is_never_blamed(events: list[tuple[str, str, str, bool]]) -> None:
    """A model of an honest cloud: it does what it acknowledges, and what it likes of what it does not answer."""
    there: set[str] = set()
    ever: set[str] = set()
    known: set[str] = set()
    requests: list[Asked] = []
    for identity, verb, answer, obeys in events:
        if verb == "boot" and identity not in ever:
            ever.add(identity)
            if answer == "yes" or (answer == "maybe" and obeys):
                there.add(identity)
            known |= {identity} if answer == "yes" else set()
            answers: dict[str, dict[str, object]] = {"yes": {}, "no": {"status": 403}, "maybe": lost_answer()}
            requests.append(boot(identity if answer == "yes" else "", **answers[answer]))
        elif verb == "delete" and identity in known:  # nobody knows the id of what was never acknowledged
            if answer == "maybe":
                requests.append(delete(identity, **lost_answer()))
                there -= {identity} if obeys else set()
            elif answer == "no":
                requests.append(delete(identity, status=409))
            else:
                requests.append(delete(identity, status=204 if identity in there else 404))
                there.discard(identity)
    assert found(requests, inventory(*(server(identity) for identity in sorted(there)))) == []


@settings(max_examples=200)
@given(EVENTS, st.sampled_from("abc"))
def test_a_cloud_that_loses_what_it_acknowledged_is_always_blamed(
    events: list[tuple[str, str, str, bool]], victim: str
) -> None:
    requests = [boot(identity) for identity in "abc"]
    requests += [
        delete(identity, **({} if answer == "yes" else lost_answer()))
        for identity, verb, answer, _ in events
        if verb == "delete" and identity != victim and answer != "no"
    ]
    wanted = wanted_state(requests).resources
    there = [server(identity) for identity in "abc" if wanted["server", identity].presence is not Presence.GONE]
    left = [thing for thing in there if thing.id != victim]
    assert breaches(requests, inventory(*left)) == [("lost", victim)]
