"""Golden cases of rules: who is asked for and when, under a stage file; what became of each must be as it was."""

from pathlib import Path

import msgspec
import pytest
import yaml

from kilonode.base.encoding import from_plain
from kilonode.cloud.openstack.compute.model import Server
from tests.cloud.compute.harness import FLAVORS, Compute, running
from tests.run.golden import check_golden

CASES = Path(__file__).parents[1] / "rule_cases"
FLAVOR_IDS = {flavor.name: flavor.id for flavor in FLAVORS}


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A server that is asked for."""

    name: str
    flavor: str
    image: str
    metadata: dict[str, str] = {}
    after_s: float = 0.0
    """How long after the one before it."""


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `.input.yaml`."""

    profile: str
    seed: int
    nodes: int
    servers: tuple[Wanted, ...]


@pytest.mark.parametrize("case", sorted(path.name.removesuffix(".input.yaml") for path in CASES.glob("*.input.yaml")))
async def test_what_rules_do_is_as_it_was(case: str) -> None:
    wanted = from_plain(yaml.safe_load((CASES / f"{case}.input.yaml").read_text()), Case)
    async with running(nodes=wanted.nodes, stages=str(CASES / wanted.profile), seed=wanted.seed) as compute:
        ids = [await asked_for(compute, one) for one in wanted.servers]
        rested = [await compute.rest(server_id) for server_id in ids]
        found = {server.name: fate(server) for server in rested if server is not None}
        compute.check_books()
    check_golden(CASES / f"{case}.output.yaml", yaml.safe_dump(found, sort_keys=False))


async def asked_for(compute: Compute, wanted: Wanted) -> str:
    await compute.clock.sleep(wanted.after_s)
    return await compute.boot(
        wanted.name, FLAVOR_IDS[wanted.flavor], imageRef=wanted.image, metadata=dict(wanted.metadata)
    )


def fate(server: Server) -> dict[str, object]:
    found: dict[str, object] = {"state": server.state, "node": server.node, "builds": server.turn + 1}
    found["took_us"] = server.task_since_us - server.created_us
    return found | ({"fault": server.fault.message} if server.fault is not None else {})
