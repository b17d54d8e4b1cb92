"""The inventory of a cloud after a load: what there is, by its APIs alone, so on any OpenStack cloud.

`take_inventory` first waits until nothing of the run is under way any more and nothing changes between two looks,
within a bound; then it looks at everything once: the resources of all projects that the user may see, what placement
accounts for on each node, and the use of quotas in the run's projects. What the user may not see, or a service that
fails again and again, is named in the inventory, and so becomes unknown instead of zero.

Only looking: nothing is changed. Many small questions are asked at once, `CONCURRENCY` of them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import InputError, OperationError
from kilonode.check.consistency import is_under_way
from kilonode.check.inventory import Inventory, NodeUse, QuotaUse, Thing
from kilonode.clients.openstack.connection import Connection
from kilonode.history.records import OpKind
from kilonode.run.accounts import moves_under_way, node_uses, quota_uses
from kilonode.run.actions import Actions
from kilonode.run.leftovers import (
    KINDS,
    REFUSALS,
    Kind,
    find_kind,
    has_service,
    list_everything,
    list_keypairs,
)
from kilonode.run.things import thing_of
from kilonode.scenarios.naming import run_prefix

CONCURRENCY: Final = 16
LOOKED_AT: Final = (
    "server", "snapshot", "volume", "port", "floating_ip", "network", "subnet", "router", "security_group", "keypair",
    "image",
)  # fmt: skip
CHANGING: Final = ("server", "snapshot", "volume", "image", "port")
"""The kinds that have states that end by themselves: these are watched until they are still."""
SHORTEST_PAUSE_S: Final = 0.5
MOST_TRIES: Final = 5
PAUSE_AFTER_FAILURE_S: Final = 1.0
LONGEST_LOOK_S: Final = 600.0
"""What has not been looked at by then is unknown: a cloud that hangs must not hold up the end of a run for ever."""
PAUSE_PER_LOOK: Final = 2.0
"""A look is followed by a pause this many times as long as it took: watching must not be a load of its own."""

State = tuple[str, str, str, str, str]
"""Kind, id, status, task, node."""


async def take_inventory(
    connection: Connection,
    run_id: str,
    projects: Sequence[str],
    clock: Clock,
    settle_s: float,
) -> Inventory:
    """Wait until what of the run can change by itself is still, at most `settle_s`, then look at everything.

    A cloud that does not answer gives an inventory of nothing that says so; an OperationError is never raised.
    """
    taker = _Taker(connection, run_id, tuple(dict.fromkeys(projects)), clock)
    settled, settling_s = await taker.settle(settle_s)
    return await taker.take(settled, settling_s)


class _Taker:
    def __init__(self, connection: Connection, run_id: str, projects: tuple[str, ...], clock: Clock) -> None:
        self.connection, self.run_id, self.projects, self.clock = connection, run_id, projects, clock
        self.prefix = run_prefix(run_id)
        self.unseen: dict[str, None] = {}
        self.deadline_s = 0.0
        self.actions = Actions(clock, lambda _: None, OpKind.CLEANUP, CONCURRENCY)

    async def settle(self, settle_s: float) -> tuple[bool, float]:
        """Wait until nothing of the run is under way and two looks are alike: whether that came, and after how long."""
        begun_ns = self.clock.now_ns()
        before: frozenset[State] | None = None
        while True:
            look_ns = self.clock.now_ns()
            now, under_way = await self._look()
            ended_ns = self.clock.now_ns()
            spent_s = (ended_ns - begun_ns) / NANOSECONDS_PER_SECOND
            if now is not None and now == before and not under_way:
                return True, spent_s
            if spent_s >= settle_s:
                return False, spent_s
            before = now
            pause_s = max(SHORTEST_PAUSE_S, PAUSE_PER_LOOK * (ended_ns - look_ns) / NANOSECONDS_PER_SECOND)
            await self.clock.sleep(min(pause_s, settle_s))

    async def _look(self) -> tuple[frozenset[State] | None, bool]:
        """The states of what is the run's, None when the cloud did not answer; and whether anything is under way."""
        own: list[Thing] = []
        for kind in KINDS:
            if kind.name in CHANGING and has_service(self.connection, kind.service):
                try:
                    own += [thing for thing in await self._list(kind) if thing.name.startswith(self.prefix)]
                except OperationError as error:
                    if error.status not in REFUSALS:
                        return None, True
        states = frozenset((thing.kind, thing.id, thing.status, thing.task, thing.node) for thing in own)
        return states, any(is_under_way(thing) for thing in own)

    async def _list(self, kind: Kind) -> list[Thing]:
        if kind.name == "keypair":
            return await self._keypairs(kind)
        return [thing_of(kind.name, item) for item in await list_everything(self.connection, kind)]

    async def _keypairs(self, kind: Kind) -> list[Thing]:
        """Those of this user, and of each user that the run has made: they belong to users, not to projects."""
        users = next(each for each in KINDS if each.name == "user")
        try:
            made = await find_kind(self.connection, users, self.run_id, {})
        except OperationError as error:
            if error.status not in REFUSALS:
                raise
            made = []  # who may not see users makes none: the load was this user's
        lists = await self.actions.each(
            [partial(list_keypairs, self.connection, kind, user_id) for user_id in ("", *(user.id for user in made))]
        )
        return [thing_of(kind.name, item) for items in lists for item in items]

    async def take(self, settled: bool, settling_s: float) -> Inventory:
        """Look at everything once, within `LONGEST_LOOK_S`."""
        self.deadline_s = asyncio.get_running_loop().time() + LONGEST_LOOK_S
        things: list[Thing] = []
        kinds: list[str] = []
        for kind in KINDS:
            if kind.name in LOOKED_AT and has_service(self.connection, kind.service):
                found = await self._seen(f"{kind.name}s", partial(self._list, kind))
                if found is not None:
                    things += found
                    kinds.append(kind.name)
        nodes: Sequence[NodeUse] | None = None
        if has_service(self.connection, "placement"):
            nodes = await self._seen("placement", lambda: node_uses(self.connection, self.actions))
        servers = {thing.id for thing in things if thing.kind == "server"}
        consumers = {consumer for node in nodes or () for consumer in node.allocations}
        moves: Sequence[str] = ()
        if consumers - servers:
            moves = await self._seen("migrations", lambda: moves_under_way(self.connection)) or ()
        quotas: Sequence[QuotaUse] | None = await self._seen(
            "quotas", lambda: quota_uses(self.connection, self.projects, self.actions)
        )
        flavors = await self._seen("flavors", self._flavors) or {}
        all_projects = "server" in kinds and bool(await self._seen("projects", self._sees_all_projects))
        return Inventory(
            run_id=self.run_id,
            things=tuple(things),
            kinds=tuple(kinds),
            all_projects=all_projects,
            nodes=tuple(nodes) if nodes is not None else None,
            moves=tuple(moves),
            quotas=tuple(quotas) if quotas is not None else None,
            flavors=flavors,
            projects=self.projects,
            unseen=tuple(self.unseen),
            settled=settled,
            settling_s=settling_s,
        )

    async def _flavors(self) -> dict[str, str]:
        flavors = next(kind for kind in KINDS if kind.name == "flavor")
        return {str(item["id"]): str(item["name"]) for item in await list_everything(self.connection, flavors)}

    async def _sees_all_projects(self) -> bool:
        """Whether this user is shown the servers of all projects. Raises OperationError when nobody says."""
        query = (("all_tenants", "true"), ("limit", "1"))
        try:
            await self.connection.compute.get("/servers", query=query)
        except OperationError as error:
            if error.status not in REFUSALS:
                raise
            return False
        return True

    async def _seen(self, what: str, question: Callable[[], Awaitable[Any]]) -> Any:
        """The answer, or None when there is none after some tries or when time is over; then it is noted why."""
        try:
            async with asyncio.timeout_at(self.deadline_s):
                return await self._patiently(question)
        except (OperationError, InputError) as error:
            self.unseen[f"{what}: {error.problem.what}"] = None
        except TimeoutError:
            self.unseen[f"{what}: looking at everything took more than {LONGEST_LOOK_S:g} s"] = None
        return None

    async def _patiently(self, question: Callable[[], Awaitable[Any]]) -> Any:
        for _ in range(MOST_TRIES - 1):
            try:
                return await question()
            except OperationError as error:
                if error.status in REFUSALS:
                    raise
            await self.clock.sleep(PAUSE_AFTER_FAILURE_S)
        return await question()
