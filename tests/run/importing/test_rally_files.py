"""Rally's result files, in every layout: what is read, what is refused, and that nothing else ever happens."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.base.outcomes import Outcome
from kilonode.history.archive import read_history
from kilonode.history.records import Op, OpKind
from kilonode.run.evaluation import evaluate_run, experiment_of
from kilonode.run.facts import run_facts
from kilonode.run.importing.rally_files import read_rally, read_rally_file
from kilonode.run.importing.rally_ops import classify, step_name
from kilonode.run.importing.rally_runs import import_rally, workload_names

ZERO = 1_475_000_000.0


def iteration(at: float, took: float = 0.5, **more: Any) -> dict[str, Any]:
    plain = {"timestamp": ZERO + at, "duration": took, "idle_duration": 0.0, "error": [], "atomic_actions": {}}
    return plain | more


def result(*iterations: dict[str, Any], hooks: Any = (), **more: Any) -> dict[str, Any]:
    runner = {"type": "constant", "concurrency": 2, "times": len(iterations)}
    kw = {"runner": runner, "args": {"size": 1}, "hooks": [{"name": "fault_injection", "args": {"action": "kill it"}}]}
    key = {"name": "Things.make_and_drop", "pos": 0, "kw": kw}
    return {"key": key, "result": list(iterations), "hooks": hooks, "load_duration": 10.0, **more}


FLAT = [{"hook": "fault_injection", "started_at": ZERO + 3, "finished_at": ZERO + 4, "status": "success"}]
NESTED = [
    {
        "config": {"name": "fault_injection", "args": {"action": "stop it"}, "trigger": {}},
        "results": [{"started_at": ZERO + 3, "finished_at": ZERO + 4, "status": "success"}],
        "summary": {"success": 1},
    }
]


def read(document: Any) -> Any:
    return read_rally(json.dumps(document).encode(), "results.json")


def ops_of(document: Any, folder: Path) -> list[Op]:
    file = folder / "results.json"
    file.write_text(json.dumps(document))
    run = import_rally([file], folder / "runs", datetime(2026, 1, 2, tzinfo=UTC))
    return list(read_history(run.path).columns.ops())


@pytest.mark.parametrize("hooks", [FLAT, repr(FLAT), json.dumps(FLAT)])
def test_flat_hooks_are_read_also_from_text(hooks: Any) -> None:
    (load,) = read([result(iteration(0), hooks=hooks)])
    (hook,) = load.hooks
    assert (hook.name, hook.action, hook.started_s - ZERO) == ("fault_injection", "kill it", 3.0)


@pytest.mark.parametrize("hooks", [NESTED, repr(NESTED)])
def test_nested_hooks_are_read_also_from_text(hooks: Any) -> None:
    (load,) = read([result(iteration(0), hooks=hooks)])
    (hook,) = load.hooks
    assert (hook.name, hook.action, hook.finished_s - ZERO) == ("fault_injection", "stop it", 4.0)


def test_a_hook_that_failed_says_so() -> None:
    failed = [FLAT[0] | {"status": "failed", "error": {"etype": "E", "msg": "no such node", "details": ""}}]
    (load,) = read([result(iteration(0), hooks=failed)])
    assert load.hooks[0].error == "no such node"


def test_a_task_report_is_read() -> None:
    actions = [
        {
            "name": "nova.boot_server", "started_at": ZERO + 1, "finished_at": ZERO + 2, "children": [
                {"name": "nova.wait", "started_at": ZERO + 1.5, "finished_at": ZERO + 2, "children": []}
            ],
        }
    ]  # fmt: skip
    workload = {
        "runner": {"constant_for_duration": {"concurrency": 4, "duration": 60}},
        "scenario": {"NovaServers.boot": {"flavor": "tiny"}},
        "hooks": [
            {
                "config": {"action": {"sys_call": "reboot"}, "trigger": {"event": {}}, "description": None},
                "results": NESTED[0]["results"],
            }
        ],
        "load_duration": 61.0,
        "data": [iteration(1, 1.0, atomic_actions=actions)],
    }
    (load,) = read({"info": {"format_version": "1.2"}, "tasks": [{"subtasks": [{"workloads": [workload]}]}]})
    assert (load.scenario, load.runner, load.concurrency) == ("NovaServers.boot", "constant_for_duration", 4)
    assert load.hooks[0].action == "reboot"
    assert [action.path for action in load.iterations[0].actions] == [
        ("nova.boot_server",),
        ("nova.boot_server", "nova.wait"),
    ]


def test_iterations_last_as_long_as_on_the_wall_and_what_rally_slept_is_a_step(tmp_path: Path) -> None:
    actions = {"nova.boot_server": 1.5, "nova.delete_server": 0.5}
    ops = ops_of([result(iteration(0, 1.0, idle_duration=1.0, atomic_actions=actions))], tmp_path)
    spans = {(op.kind, op.step): (op.started_ns / 1e9, op.finished_ns / 1e9) for op in ops}
    assert spans == {
        ("iteration", ""): (0.0, 2.0),
        ("step", "nova_boot_server"): (0.0, 1.5),
        ("step", "nova_delete_server"): (1.5, 2.0),
        ("step", "idle"): (1.0, 2.0),
    }


def test_the_last_action_of_a_failed_iteration_failed_with_it(tmp_path: Path) -> None:
    error = ["ClientException", "Unknown Error (HTTP 503)", "Traceback"]
    ops = ops_of([result(iteration(0, 1.0, error=error, atomic_actions={"a": 0.5, "b": 0.5}))], tmp_path)
    outcomes = {op.step: op.outcome for op in ops}
    assert outcomes == {"": Outcome.HTTP_5XX, "a": Outcome.OK, "b": Outcome.HTTP_5XX}
    assert all("Traceback" not in op.error for op in ops)


def test_two_actions_of_one_name_are_two_steps(tmp_path: Path) -> None:
    actions = [
        {"name": "nova.boot", "started_at": ZERO, "finished_at": ZERO + 1, "children": []},
        {
            "name": "nova.boot", "started_at": ZERO + 1, "finished_at": ZERO + 2, "children": [
                {"name": "wait", "started_at": ZERO + 1, "finished_at": ZERO + 2}
            ],
        },
    ]  # fmt: skip
    ops = ops_of([result(iteration(0, 2.0, atomic_actions=actions))], tmp_path)
    assert {op.step for op in ops if op.kind == OpKind.STEP} == {"nova_boot", "nova_boot_2", "nova_boot_2.wait"}


def test_hooks_are_disruptions(tmp_path: Path) -> None:
    (hook,) = (op for op in ops_of([result(iteration(0), hooks=FLAT)], tmp_path) if op.kind == OpKind.DISRUPTION)
    assert (hook.step, hook.started_ns, hook.finished_ns) == ("kill it", 3_000_000_000, 4_000_000_000)


def test_an_imported_run_is_judged_like_any_other(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text(json.dumps([result(*(iteration(at / 10, 0.05) for at in range(100)), hooks=FLAT)] * 2))
    run = import_rally([file], tmp_path / "runs", datetime(2026, 1, 2, tzinfo=UTC), criteria=["error_rate < 1%"])
    results = evaluate_run(run)
    assert results.verdict == "valid"
    assert [workload.facts.name for workload in results.workloads] == ["make_and_drop-1", "make_and_drop-2"]
    facts = run_facts(experiment_of(run), run.record())
    assert [workload.repeats for workload in facts.workloads] == ["", "make_and_drop-1"]
    assert run.record().imported == "rally"
    assert b"sha256" in run.environment_file.read_bytes()


def test_a_run_whose_hook_failed_cannot_tell_what_the_fault_did(tmp_path: Path) -> None:
    failed = [FLAT[0] | {"status": "failed", "error": {"etype": "E", "msg": "no such node", "details": ""}}]
    file = tmp_path / "results.json"
    file.write_text(json.dumps([result(*(iteration(at / 10, 0.05) for at in range(100)), hooks=failed)]))
    results = evaluate_run(import_rally([file], tmp_path / "runs", datetime(2026, 1, 2, tzinfo=UTC)))
    assert results.verdict == "unknown"
    assert [reason.text for reason in results.reasons] == ["The disruption “kill it” failed: no such node."]


def test_an_instant_beyond_all_calendars_is_refused_in_words_that_fit() -> None:
    with pytest.raises(InputError) as refused:
        read([result(iteration(0), hooks=[FLAT[0] | {"started_at": 9e9}])])
    assert refused.value.problem.expected == "a number from 0 to 8,589,934,592"


def test_loads_that_differ_get_names_that_differ() -> None:
    def named(scenario: str, **more: Any) -> dict[str, Any]:
        entry = result(iteration(0), **more)
        return entry | {"key": entry["key"] | {"name": scenario}}

    loads = read([named("A.list"), named("B.list"), named("A.list"), named("A." + "x" * 60), named("A.9")])
    assert workload_names(loads) == [
        ("list-1", "list-1"),
        ("list_2", "list_2"),
        ("list-2", "list-1"),
        ("x" * 30, "x" * 30),
        ("load_9", "load_9"),
    ]


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ([], "results.json"),
        ({"info": {}}, "results.json"),
        ("text", "results.json"),
        ([result(iteration(0) | {"timestamp": "now"})], "results.json: [0].result[0].timestamp"),
        ([result(iteration(0) | {"duration": -1})], "results.json: [0].result[0].duration"),
        ([result({"timestamp": ZERO})], "results.json: [0].result[0]"),
        ([{"key": {"name": "x"}}], "results.json: [0]"),
        ([result(iteration(0), hooks="open('/etc/passwd')")], "results.json: [0].hooks"),
        ([result(iteration(0), hooks=[{"status": "success"}])], "results.json: [0].hooks[0]"),
        ({"tasks": [{"subtasks": 1}]}, "results.json: .tasks[0].subtasks"),
    ],
)
def test_what_is_no_result_file_is_refused_with_its_place(document: Any, place: str) -> None:
    with pytest.raises(InputError) as raised:
        read(document)
    assert raised.value.problem.path == place


def test_broken_json_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a Rally result file"):
        read_rally(b"[1, ", "x.json")
    with pytest.raises(InputError, match="cannot read"):
        read_rally_file(tmp_path / "nothing.json")


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(plain, st.sampled_from(["key", "result", "hooks", "load_duration"]))
def test_any_value_anywhere_is_read_or_refused_and_nothing_else(value: Any, key: str) -> None:
    for document in (value, [value], [result(iteration(0)) | {key: value}], [result(value)], {"tasks": value}):
        try:
            read(document)
        except InputError:
            pass


@pytest.mark.parametrize(
    ("kind", "message", "outcome"),
    [
        ("InternalServerError", "Internal Server Error (HTTP 500)", Outcome.HTTP_5XX),
        ("NotFound", "not there (HTTP 404)", Outcome.HTTP_4XX),
        ("ConnectFailure", "Unable to establish connection to http://10.0.0.2:5000", Outcome.REFUSED),
        ("TimeoutException", "Rally tired waiting for Server", Outcome.TIMEOUT),
        ("GetResourceErrorStatus", "Resource <Server> has ERROR status", Outcome.WRONG_STATE),
        ("OverLimit", "Quota exceeded (HTTP 413)", Outcome.QUOTA),
        ("KeyError", "'x'", Outcome.SCENARIO),
    ],
)
def test_exceptions_become_outcomes(kind: str, message: str, outcome: Outcome) -> None:
    assert classify(kind, message) == outcome


@given(st.text(max_size=40))
def test_every_action_has_a_step_with_a_good_name(name: str) -> None:
    assert step_name(name) and "." not in step_name(name)
