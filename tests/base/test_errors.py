from kilonode.base.errors import InputError, LabError, OperationError, Problem, nearest, trim
from kilonode.base.outcomes import FAILURES, Outcome


def test_a_problem_prints_its_place_first_and_its_hint_last() -> None:
    problem = Problem(
        "unknown key", file="a.yaml", line=3, column=5, path="$.load", expected="rate", got="rtae", hint="rate?"
    )
    assert str(problem) == "a.yaml:3:5: $.load: unknown key\n  expected: rate\n  got: rtae\n  hint: rate?"


def test_an_input_error_prints_every_problem() -> None:
    error = InputError("bad file", problems=[Problem("one"), Problem("two", hint="look")])
    assert str(error) == "one\ntwo\n  hint: look"
    assert error.exit_code == 2


def test_each_cause_has_its_exit_code() -> None:
    assert (InputError("x").exit_code, LabError("x").exit_code) == (2, 5)


def test_messages_of_services_are_cut_to_one_short_line() -> None:
    assert trim("a\n  b\tc") == "a b c"
    assert len(trim("x" * 1000)) == 300
    assert OperationError(Outcome.HTTP_5XX, "y" * 1000, status=500).message.endswith("…")


def test_the_nearest_name_is_offered_only_when_it_is_near() -> None:
    assert nearest("compute.boott", ["compute.boot", "noop"]) == "did you mean 'compute.boot'?"
    assert nearest("zebra", ["compute.boot", "noop"]) == ""


def test_what_the_load_did_to_itself_is_no_failure_of_the_cloud() -> None:
    assert Outcome.DROPPED not in FAILURES
    assert Outcome.CANCELLED not in FAILURES
    assert Outcome.OK not in FAILURES
    assert Outcome.TIMEOUT in FAILURES
