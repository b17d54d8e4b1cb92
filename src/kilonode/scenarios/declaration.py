"""Declaring scenarios: the decorator, what it makes of a function, and the one place where all of them are kept.

    @scenario("compute.boot_and_delete")
    async def boot_and_delete(it: Iteration, *, flavor: FlavorName, image: ImageName) -> None:
        '''Boot a server, then delete it.'''

Finding scenarios, and loading the files and packages that declare them: `kilonode.scenarios.registry`.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from kilonode.base.encoding import from_plain
from kilonode.base.errors import InputError
from kilonode.scenarios.docstring import read_docstring
from kilonode.scenarios.references import ReferenceKind
from kilonode.scenarios.signature import place_of, read_references, read_signature

Function = TypeVar("Function", bound=Callable[..., Awaitable[object]])

SERVICES: Final = ("identity", "compute", "image", "network", "volume", "placement")
"""What a scenario can need of a cloud, as `Connection` names it."""
CLEANUP_STEP: Final = "cleanup"

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")


@dataclass(frozen=True, slots=True)
class Scenario:
    """What one iteration does, and everything that can be known of it without running it."""

    name: str
    summary: str
    description: str
    arguments: type[msgspec.Struct]
    """A frozen record that forbids unknown fields; made from the signature."""
    services: tuple[str, ...]
    """The services of a cloud that it needs; none: it needs no cloud."""
    references: Mapping[str, ReferenceKind]
    """Argument to what it names in the cloud: resolved to an id before the load."""
    steps: tuple[str, ...]
    """Steps that every good iteration records; empty: not known."""
    source: str
    """File and line of the function."""
    function: Callable[..., Awaitable[object]]

    def read_arguments(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The keyword arguments of `function` from plain values, in which references are ids. Raises InputError.

        Whoever calls the function records the iteration, and lets it clean up when it failed and `has_made` something.
        """
        try:
            arguments = from_plain(dict(values), self.arguments)
        except msgspec.ValidationError as error:
            raise InputError(f"bad arguments for {self.name}", where="args", got=str(error)) from error
        return {name: getattr(arguments, name) for name in self.arguments.__struct_fields__}

    def may_record(self, step: str) -> bool:
        """False when it is known that no iteration records a step of this name.

        Below a step there may be more than the scenario promises, such as the phases of a boot.
        """
        return not self.steps or any(
            step == known or step.startswith(f"{known}.") for known in (*self.steps, CLEANUP_STEP)
        )


class Registry:
    """All scenarios that were declared so far, by name."""

    def __init__(self) -> None:
        self._scenarios: dict[str, Scenario] = {}

    def add(self, scenario: Scenario) -> None:
        """One more. Raises InputError when the name is taken."""
        other = self._scenarios.get(scenario.name)
        if other is not None:
            raise InputError(
                f"two scenarios are called {scenario.name!r}",
                where=scenario.source,
                got=f"the other one is at {other.source}",
                hint="give one of them another name",
            )
        self._scenarios[scenario.name] = scenario

    def get(self, name: str) -> Scenario | None:
        """The scenario of that name, or None."""
        return self._scenarios.get(name)

    def names(self) -> tuple[str, ...]:
        """All names, in the order of their declaration."""
        return tuple(self._scenarios)

    def keep_only(self, names: tuple[str, ...]) -> None:
        """Take back every other declaration: of a file that turned out to be broken."""
        self._scenarios = {name: self._scenarios[name] for name in names}


DECLARED: Final = Registry()


def scenario(name: str, *, services: tuple[str, ...] | None = None) -> Callable[[Function], Function]:
    """Declare an async function as the scenario `name`; the function itself stays as it is.

    `name` is words with dots: `compute.boot`. `services` are what it needs of a cloud; without it, the first
    word of the name when that is a service. A scenario that works on no cloud has `services=()` or another first word.
    Raises InputError when the name is taken or the function's signature or docstring is not one of a scenario.
    """

    def declare(function: Function) -> Function:
        where = place_of(function)
        if not _NAME.fullmatch(name):
            raise InputError(
                "not a name for a scenario", where=where, expected="words with dots: my.boot", got=repr(name)
            )
        needed = services if services is not None else tuple({name.partition(".")[0]} & set(SERVICES))
        if unknown := sorted(set(needed) - set(SERVICES)):
            raise InputError("no such service", where=where, expected=", ".join(SERVICES), got=", ".join(unknown))
        text = read_docstring(function.__doc__ or "", where)
        arguments = read_signature(function, text.arguments)
        DECLARED.add(
            Scenario(
                name=name,
                summary=text.summary,
                description=text.description,
                arguments=arguments,
                services=needed,
                references=read_references(arguments),
                steps=text.steps,
                source=where,
                function=function,
            )
        )
        return function

    return declare
