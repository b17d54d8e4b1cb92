"""What a sentence is resolved with: how often what is there is looked at, for a look may be a login on each host."""

from collections.abc import Sequence

import pytest

from kilonode.base.errors import InputError
from kilonode.base.randomness import Randomness
from kilonode.faults.driver import Capability, Effect, Found, Keep, Step
from kilonode.faults.language import parse
from kilonode.faults.model import Action, Fault, Kind, Target
from kilonode.faults.planning import PlannedFault, plan_sentence
from kilonode.faults.registry import Drivers


class Services:
    """A driver for services, which remembers what it was asked for."""

    name = "services"

    def __init__(self, *there: str) -> None:
        self.there = there
        self.looks: list[tuple[str, ...]] = []

    def handles(self, fault: Fault) -> bool:
        return fault.target.kind is Kind.SERVICE

    async def find(self, target: Target) -> Sequence[Found]:
        self.looks.append(target.names)
        things = [Found(Kind.SERVICE, name, (name.partition("-")[0],), node=f"on-{name}") for name in self.there]
        return [each for each in things if not target.names or {each.name, *each.groups} & set(target.names)]

    def plan(
        self, fault: Fault, found: Sequence[Found], peers: Sequence[Found], randomness: Randomness
    ) -> Sequence[Step]:
        heals = "" if fault.action is Action.START else "start it"
        return [Step(self.name, fault.action, each.name, f"{fault.action} {each.name}", heals) for each in found]

    async def inject(self, step: Step, keep: Keep) -> Effect:
        raise NotImplementedError

    async def heal(self, step: Step) -> Effect:
        raise NotImplementedError

    async def capabilities(self) -> Sequence[Capability]:
        raise NotImplementedError


async def plan(text: str, services: Services) -> PlannedFault:
    (part,) = await plan_sentence(parse(text), Drivers([services]), Randomness(1))
    return part.fault


@pytest.mark.parametrize(
    "text", ["kill web-1", "kill one web", "start web", "kill web on node on-web-1", "freeze all web-1, web-2"]
)
async def test_what_has_been_found_is_looked_for_once_and_nothing_else_is(text: str) -> None:
    services = Services("web-1", "web-2", "store")
    assert (await plan(text, services)).chosen
    assert len(services.looks) == 1
    assert services.looks[0]


@pytest.mark.parametrize("text", ["kill wev", "kill web-1 and wev"])
async def test_only_for_a_name_that_nothing_has_all_there_is_is_looked_at(text: str) -> None:
    services = Services("web-1", "web-2", "store")
    with pytest.raises(InputError, match="there is no service 'wev'") as caught:
        await plan(text, services)
    assert "did you mean" in str(caught.value)
    assert services.looks[1:] == [()]
