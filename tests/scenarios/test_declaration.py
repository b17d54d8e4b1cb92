"""What the decorator makes of a function, and what it refuses."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
import pytest
from jsonschema import Draft202012Validator
from msgspec import Meta

from kilonode.base.errors import InputError
from kilonode.base.units import Duration, Size
from kilonode.scenarios.declaration import DECLARED, Scenario, scenario
from kilonode.scenarios.describe import describe
from kilonode.scenarios.iteration import Iteration
from kilonode.scenarios.references import FlavorName, NetworkName, ReferenceKind

HALF_A_MINUTE = Duration(30)


@pytest.fixture(autouse=True)
def nothing_stays_declared() -> Iterator[None]:
    before = DECLARED.names()
    yield
    DECLARED.keep_only(before)


def found(name: str) -> Scenario:
    declared = DECLARED.get(name)
    assert declared is not None
    return declared


def test_everything_about_a_scenario_comes_from_its_signature_and_docstring() -> None:
    @scenario("compute.example")
    async def example(
        it: Iteration,
        *,
        flavor: FlavorName,
        network: Annotated[NetworkName, Meta(description="Where to.")] = "",
        pause: Duration = HALF_A_MINUTE,
        count: Annotated[int, Meta(ge=1)] = 3,
    ) -> None:
        """Do something.

        In two
        lines.

        Arguments:
            count: How often,
                told in two lines.
            pause: How long.

        Steps: boot, boot.active,
        delete.
        """

    made = found("compute.example")
    assert (made.summary, made.description) == ("Do something.", "In two lines.")
    assert made.steps == ("boot", "boot.active", "delete")
    assert made.services == ("compute",)
    assert made.references == {"flavor": ReferenceKind.FLAVOR, "network": ReferenceKind.NETWORK}
    assert [
        (argument.name, argument.type, argument.required, argument.default, argument.description)
        for argument in describe(made).arguments
    ] == [
        ("flavor", "text", True, None, "A flavor, by name or id."),
        ("network", "text", False, "", "Where to."),
        ("pause", "duration", False, "30s", "How long."),
        ("count", "whole number", False, 3, "How often, told in two lines."),
    ]


def test_the_function_itself_stays_as_it_is() -> None:
    async def example(it: Iteration) -> None:
        pass

    assert scenario("my.example")(example) is example


def test_services_come_from_the_first_word_or_as_told() -> None:
    @scenario("my.example")
    async def none(it: Iteration) -> None:
        pass

    @scenario("my.other", services=("compute", "volume"))
    async def two(it: Iteration) -> None:
        pass

    assert (found("my.example").services, found("my.other").services) == ((), ("compute", "volume"))


def test_arguments_are_read_from_plain_values() -> None:
    @scenario("my.example")
    async def example(it: Iteration, *, pause: Duration, sizes: tuple[Size, ...] = (), word: str = "x") -> None:
        pass

    arguments = found("my.example").read_arguments({"pause": "1m30s", "sizes": ["1MiB", "2kB"]})
    assert arguments == {"pause": Duration(90), "sizes": (Size(2**20), Size(2000)), "word": "x"}


@pytest.mark.parametrize("values", [{}, {"pause": "x"}, {"pause": 3}, {"pause": "3s", "unknown": 1}])
def test_wrong_arguments_are_refused(values: dict[str, Any]) -> None:
    @scenario("my.example")
    async def example(it: Iteration, *, pause: Duration) -> None:
        pass

    with pytest.raises(InputError, match=r"bad arguments for my\.example"):
        found("my.example").read_arguments(values)


def test_the_schema_of_arguments_tells_what_the_reader_accepts() -> None:
    class Disk(msgspec.Struct):
        size: Size

    @scenario("my.example")
    async def example(
        it: Iteration,
        *,
        disk: Disk,
        kind: Literal["raw", "qcow2"] = "raw",
        pause: Duration = HALF_A_MINUTE,
        amounts: dict[str, int] | None = None,
    ) -> None:
        """Do something."""

    schema = describe(found("my.example")).schema
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert schema["properties"]["pause"]["default"] == "30s"
    assert schema["required"] == ["disk"]
    assert validator.is_valid({"disk": {"size": "1GiB"}, "pause": "2s", "amounts": {"VCPU": 1}})
    for wrong in ({}, {"disk": {"size": 3}}, {"disk": {"size": "1GiB"}, "kind": "iso"}, {"other": 1}):
        assert not validator.is_valid(wrong)


def test_steps_that_may_come_are_told_from_those_that_cannot() -> None:
    @scenario("my.example")
    async def example(it: Iteration) -> None:
        """Do something.

        Steps: boot, boot.active.
        """

    made = found("my.example")
    assert all(map(made.may_record, ("boot", "boot.active", "boot.active.spawning", "cleanup", "cleanup.server")))
    assert not any(map(made.may_record, ("boots", "delete", "boo")))


def test_a_scenario_that_promises_no_steps_may_record_any() -> None:
    @scenario("my.example")
    async def example(it: Iteration) -> None:
        pass

    assert found("my.example").may_record("anything")


def test_two_scenarios_of_one_name_are_refused_and_the_first_one_stays() -> None:
    @scenario("my.example")
    async def first(it: Iteration) -> None:
        pass

    async def second(it: Iteration) -> None:
        pass

    with pytest.raises(InputError, match=r"two scenarios are called 'my\.example'") as raised:
        scenario("my.example")(second)
    assert "test_declaration.py:" in raised.value.problem.got
    assert found("my.example").function is first


@pytest.mark.parametrize("name", ["", "My.example", "my example", "my.", "my-example", ".my"])
def test_a_bad_name_is_refused(name: str) -> None:
    async def example(it: Iteration) -> None:
        pass

    with pytest.raises(InputError, match="not a name for a scenario"):
        scenario(name)(example)


def test_an_unknown_service_is_refused() -> None:
    async def example(it: Iteration) -> None:
        pass

    with pytest.raises(InputError, match="no such service") as raised:
        scenario("my.example", services=("compute", "computer"))(example)
    assert raised.value.problem.got == "computer"


async def without_iteration() -> None:
    pass


async def without_type(it: Iteration, *, count=1) -> None:  # type: ignore[no-untyped-def]
    pass


async def with_any_number(it: Iteration, **arguments: int) -> None:
    pass


async def with_a_strange_type(it: Iteration, *, moment: complex = 1j) -> None:
    pass


async def with_a_bad_constraint(it: Iteration, *, word: Annotated[str, Meta(ge=1)]) -> None:
    pass


async def with_a_description_too_many(it: Iteration, *, count: int) -> None:
    """Do.

    Arguments:
        counts: How many.
    """


async def with_steps_that_are_none(it: Iteration) -> None:
    """Do.

    Steps: one, Two.
    """


async def with_arguments_that_are_none(it: Iteration) -> None:
    """Do.

    Arguments:
        what to do
    """


def not_async(it: Iteration) -> None:
    pass


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (not_async, "a scenario must be an async function"),
        (without_iteration, "a scenario takes the iteration first"),
        (without_type, "an argument has no type"),
        (with_any_number, "a scenario's arguments have names"),
        (with_a_strange_type, "an argument's type or default cannot be checked"),
        (with_a_bad_constraint, "an argument's type or default cannot be checked"),
        (with_a_description_too_many, "the docstring describes an argument that is not there"),
        (with_steps_that_are_none, "not a step's name"),
        (with_arguments_that_are_none, "not the description of an argument"),
    ],
)
def test_a_function_that_cannot_be_a_scenario_is_refused_with_its_place(function: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        scenario("my.example")(function)
    assert "test_declaration.py:" in raised.value.problem.path
    assert DECLARED.get("my.example") is None
