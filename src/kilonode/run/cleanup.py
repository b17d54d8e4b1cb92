"""Cleanup: everything a run made goes, and nothing else.

`clean` needs the run's id and a login, no record of what was made, so it works after a crash, on another machine, and
twice. It goes through the kinds in the order in which they depend on each other; each kind has a bounded number of
rounds: find, delete all at once (within `concurrency`), find again. A resource that is gone already is fine; one that
is still in use is tried again in the next round; what stays after the last round is reported, not hidden.

Some things live inside what the run made and have no name of the run: the interfaces of its routers, quotas of its
projects, and on its networks the nameless ports that belong to nobody or to a server of the run. They go with what they
are in. Anything else is never deleted, even on a network of the run: then the network stays too, and the report tells.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import OperationError
from kilonode.clients.openstack.connection import Connection
from kilonode.history.records import OpKind
from kilonode.run.actions import Actions, Record
from kilonode.run.leftovers import KINDS, REFUSALS, Found, Kind, Leftover, find_kind, find_leftovers, has_service
from kilonode.run.naming import check_run_id

OWNERS: Final = ("user", "project")
"""The kinds that everything else belongs to."""
MOST_PASSES: Final = 3
MOST_ROUNDS: Final = 60
MOST_TRIES: Final = 5
"""How many times a list is asked for before cleanup gives up."""
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 5.0
DEFAULT_TIMEOUT_S: Final = 900.0
NOT_FOUND: Final = 404

Answer = TypeVar("Answer")


class CleanupReport(msgspec.Struct, frozen=True):
    """What cleanup did and could not do."""

    run_id: str
    deleted: dict[str, int]
    """Kind to how many are gone."""
    remaining: tuple[Leftover, ...]
    """What is still there."""
    problems: tuple[str, ...]
    """Why, in the services' words; each once."""
    unseen: tuple[str, ...]
    """Kinds that this user could not look for, and why."""

    @property
    def complete(self) -> bool:
        """Nothing that could be seen is left."""
        return not self.remaining


async def clean(
    connection: Connection,
    run_id: str,
    clock: Clock,
    record: Record,
    *,
    concurrency: int = 10,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> CleanupReport:
    """Delete everything that the run made. `record` takes an Op of kind cleanup for each deletion.

    Raises InputError for what is no run id, OperationError when the cloud does not answer at all.
    """
    cleaner = _Cleaner(connection, check_run_id(run_id), Actions(clock, record, OpKind.CLEANUP, concurrency), timeout_s)
    return await cleaner.run()


class _Cleaner:
    def __init__(self, connection: Connection, run_id: str, actions: Actions, timeout_s: float) -> None:
        self.connection, self.run_id, self.actions = connection, run_id, actions
        self.deadline_ns = actions.clock.now_ns() + round(timeout_s * NANOSECONDS_PER_SECOND)
        self.owners: dict[str, dict[str, str]] = {name: {} for name in OWNERS}
        self.servers: set[str] = {""}
        """The servers of the run that there have been, and the empty id of no server."""
        self.deleted: dict[str, int] = {}
        self.problems: dict[str, None] = {}
        self.number = 0

    async def run(self) -> CleanupReport:
        """Pass after pass until nothing new is found: what was asked for last may appear while the first pass goes on.

        Only then users and projects go, for without them nobody would know whose a late comer is.
        """
        found = await self._find()
        remaining = await self._pass(found)
        for _ in range(MOST_PASSES - 1):
            if not self.deleted and not remaining:
                break
            found = await self._find()
            late = [leftover for leftover in found.leftovers if leftover.kind not in OWNERS]
            if set(late) <= set(remaining):
                remaining = late
                break
            remaining = await self._pass(found)
        for kind in KINDS:
            if kind.name in OWNERS:
                held = {leftover.project_id for leftover in remaining} if kind.name == "project" else set()
                owners = [leftover for leftover in found.leftovers if leftover.kind == kind.name]
                remaining += [owner for owner in owners if owner.id in held]  # or what is in it would be orphaned
                remaining += await self._kind(kind, [owner for owner in owners if owner.id not in held])
        problems = tuple(self.problems) if remaining else ()
        return CleanupReport(self.run_id, self.deleted, tuple(remaining), problems, found.unseen)

    async def _find(self) -> Found:
        found = await self._patiently(partial(find_leftovers, self.connection, self.run_id))
        for leftover in found.leftovers:
            if leftover.kind in OWNERS:
                self.owners[leftover.kind][leftover.id] = leftover.run_id
            elif leftover.kind == "server":
                self.servers.add(leftover.id)
        return found

    async def _pass(self, found: Found) -> list[Leftover]:
        """Delete what is neither user nor project, kind by kind; what is left of it."""
        remaining: list[Leftover] = []
        for kind in KINDS:
            if kind.name not in OWNERS:
                wanted = [leftover for leftover in found.leftovers if leftover.kind == kind.name]
                remaining += await self._kind(kind, wanted)
        return remaining

    async def _kind(self, kind: Kind, wanted: list[Leftover]) -> list[Leftover]:
        """Delete these, round by round; what is left of them after the last round."""
        pause_s = FIRST_PAUSE_S
        left = wanted
        for _ in range(MOST_ROUNDS):
            if not left:
                break
            await self.actions.each([partial(self._delete, kind, leftover) for leftover in left])
            left = await self._still_there(kind, wanted)
            if not left or self.actions.clock.now_ns() >= self.deadline_ns:
                break
            await self.actions.clock.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            left = await self._still_there(kind, wanted)
        if len(wanted) > len(left):
            self.deleted[kind.name] = self.deleted.get(kind.name, 0) + len(wanted) - len(left)
        return left

    async def _still_there(self, kind: Kind, wanted: list[Leftover]) -> list[Leftover]:
        ids = {leftover.id for leftover in wanted}
        owners = self.owners["user" if kind.name == "keypair" else "project"]
        found = await self._patiently(partial(find_kind, self.connection, kind, self.run_id, owners))
        return [leftover for leftover in found if leftover.id in ids]

    async def _patiently(self, question: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask the cloud, and a few times more when it fails: one bad moment must not leave everything behind."""
        pause_s = FIRST_PAUSE_S
        for _ in range(MOST_TRIES - 1):
            try:
                return await question()
            except OperationError:
                if self.actions.clock.now_ns() >= self.deadline_ns:
                    raise
            await self.actions.clock.sleep(pause_s)
            pause_s = min(3 * pause_s, LONGEST_PAUSE_S)
        return await question()

    async def _delete(self, kind: Kind, leftover: Leftover) -> None:
        self.number += 1
        number = self.number
        try:
            if kind.name == "router":
                await self._take_off_interfaces(leftover, number)
            elif kind.name == "network":
                await self._delete_nameless_ports(leftover, number)
            elif kind.name == "project":
                await self._reset_quotas(leftover, number)
            await self.actions.do(f"{kind.name}s", "delete", number, self._request(kind, leftover))
        except OperationError as error:
            self.problems[f"{kind.name} {leftover.name}: {error.message}"] = None

    async def _request(self, kind: Kind, leftover: Leftover) -> None:
        """One deletion; what is gone already is as good as deleted."""
        service = self.connection.service(kind.service)
        query = (("user_id", leftover.user_id),) if leftover.user_id else ()
        path = f"{kind.delete_path or kind.path}/{leftover.id}"
        try:
            await service.delete(path, query=query)
        except OperationError as error:
            if error.status != NOT_FOUND:
                raise

    async def _take_off_interfaces(self, router: Leftover, number: int) -> None:
        network = self.connection.network
        ports = await network.list_all("/ports", "ports", (("device_id", router.id),))
        for port in ports:
            if not str(port.get("device_owner", "")).startswith("network:router_interface"):
                continue
            for address in port.get("fixed_ips", ()):
                path = f"/routers/{router.id}/remove_router_interface"
                body = {"subnet_id": address["subnet_id"]}
                await self._best_effort("routers", "remove_interface", number, network.put(path, json=body))

    async def _delete_nameless_ports(self, network: Leftover, number: int) -> None:
        service = self.connection.network
        for port in await service.list_all("/ports", "ports", (("network_id", network.id),)):
            if not port.get("name") and str(port.get("device_id") or "") in self.servers:
                await self._best_effort("ports", "delete", number, service.delete(f"/ports/{port['id']}"))

    async def _reset_quotas(self, project: Leftover, number: int) -> None:
        for name, path in (
            ("compute", f"/os-quota-sets/{project.id}"),
            ("network", f"/quotas/{project.id}"),
            ("volume", f"/os-quota-sets/{project.id}"),
        ):
            if has_service(self.connection, name):
                service = self.connection.service(name)
                await self._best_effort("quotas", name, number, service.delete(path))

    async def _best_effort(self, stage: str, step: str, number: int, action: Any) -> None:
        """Something whose failure shows by itself later, if it matters."""
        try:
            await self.actions.do(stage, step, number, action)
        except OperationError as error:
            if error.status not in REFUSALS:
                self.problems[f"{stage} {step}: {error.message}"] = None
