"""Carrying one upgrade out: step by step, verified, watched, and taken back where it fails.

Every step is an Op, and the whole is one: *due* when it was planned for, *started* when its first step began,
*finished* when its last one was over. Outcomes of the whole: `ok`; `wrong_state`: it failed, and the error says why and
whether it was taken back; `cancelled`: the load ended before it did; `dropped`: it did not begin. What was done stays
done: an upgrade is not healed.

Nothing of it is in the journal of undo: what becomes of an upgrade when Kilonode is killed is for the cloud to say.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import FaultError, KilonodeError, trim
from kilonode.base.finishing import finish
from kilonode.base.outcomes import Outcome
from kilonode.check.criteria import parse_criterion
from kilonode.check.live import LiveReport
from kilonode.check.live_conditions import LiveCondition
from kilonode.history.records import Op, OpKind
from kilonode.history.upgrades import UpgradeAction, UpgradePart
from kilonode.run.deaths import ANYTHING, Deliberate
from kilonode.run.upgrade_commands import run_command
from kilonode.run.upgrade_rules import opposite
from kilonode.run.upgrade_serving import Instance, Migration, ServingWatch, Upgradable, chosen
from kilonode.run.upgrades import Upgrade, UpgradeStep, UpgradeWatch

LOOK_EVERY_S: Final = 0.05
STAYS_TIMEOUT_S: Final = 5.0
"""How long what works no more in the end has to do so again: one that is started again, for one."""
COMMANDS: Final = "commands"
"""What steps that are commands are about."""


@dataclass(frozen=True, slots=True)
class DueUpgrade:
    """One upgrade whose time has come."""

    upgrade: Upgrade
    name: str
    number: int
    """Which disruption of the run."""
    due_ns: int


class Upgrader:
    """Carries out one upgrade. What workers report is given to it by `add`."""

    def __init__(
        self,
        due: DueUpgrade,
        cloud: Upgradable | None,
        clock: Clock,
        record: Callable[[Op], None],
        note: Callable[[str], None],
        deliberate: Deliberate | None = None,
    ) -> None:
        """`deliberate` is told what is ended on purpose."""
        self._due = due
        self._deliberate = deliberate or Deliberate(clock)
        self._upgrade = due.upgrade
        self._cloud = cloud
        self._clock = clock
        self._record = record
        self._note = note
        self._watching: list[_Watched] = []
        self._done: list[_Done] = []
        self._replacing: set[asyncio.Future[None]] = set()
        """Replacements that were begun. Nothing that ends this ends them: a process is never left half replaced."""
        self._became = ""
        """What became of what was done, where it was taken back."""
        self._replaced: list[str] = []
        """Whose replacement was begun."""
        self._migrated: list[str] = []
        """Whose data were migrated."""
        self._before: frozenset[str] = frozenset()
        """The processes that were there before."""

    def add(self, report: LiveReport) -> None:
        """Take a report of the load."""
        for one in self._watching:
            one.add(report)

    async def carry_out(self, stop: asyncio.Event) -> None:
        """Do it, and record all of it. `stop`: the load is over. Where it is cut off it is taken back first."""
        sentence = self._upgrade.sentence
        self._note(f"disruption {sentence}: begun")
        started_ns = self._clock.now_ns()
        outcome, error = Outcome.OK, ""
        try:
            async with self._seeing_who_serves():
                outcome, error = await self._do_or_take_back(stop)
        except (KilonodeError, OSError) as failure:
            outcome, error = Outcome.WRONG_STATE, str(failure)
        except asyncio.CancelledError:
            outcome, error = Outcome.CANCELLED, f"it was cut off{self._became}"
            raise
        finally:
            self._note(f"disruption {sentence}: {error or 'done'}")
            self._op(sentence, min(self._due.due_ns, started_ns), started_ns, outcome, error)

    async def _do_or_take_back(self, stop: asyncio.Event) -> tuple[Outcome, str]:
        try:
            for step in self._upgrade.steps:
                if step.run:
                    await self._run(step, stop)
                else:
                    await self._replace(step, stop)
            await self._see_all_stay()
            await self._close(stop)
        except asyncio.CancelledError:
            await self._take_back()
            raise
        except _LoadOverError:
            return Outcome.CANCELLED, f"the load was over before it was done{await self._take_back()}"
        except (KilonodeError, OSError) as failure:
            self._note(f"disruption {self._upgrade.sentence}: {failure}")
            return Outcome.WRONG_STATE, f"{_in_short(failure)}{await self._take_back()}"
        return Outcome.OK, ""

    async def _take_back(self) -> str:
        """Take back what was done, the last first, all of it; what became of that, to be added to the reason."""
        await finish(self._undo_all())
        return self._became

    async def _undo_all(self) -> None:
        await asyncio.gather(*self._replacing, return_exceptions=True)
        self._done = [one for one in self._done if not one.came_to_nothing]
        stays = list(dict.fromkeys(self._migrated))
        migrated = f"; what was migrated stays: {', '.join(stays)}" if stays else ""
        if not self._upgrade.back or not self._done:
            self._became = migrated
            return
        failed = []
        while self._done:
            one = self._done.pop()
            try:
                await self._step(one.what, UpgradeAction.UNDO, one.undo())
            except (KilonodeError, OSError) as failure:
                failed.append(f"{one.what}: {_in_short(failure)}")
        self._became = (f"; not all was taken back: {', '.join(failed)}" if failed else "; taken back") + migrated

    async def _run(self, step: UpgradeStep, stop: asyncio.Event) -> None:
        _go_on_unless(stop)
        timeout_s = float(step.timeout)
        if step.undo:  # before: half a command may have to be taken back, too
            self._done.append(_Done(COMMANDS, lambda: self._meddle(ANYTHING, run_command(step.undo, timeout_s))))
        doing = self._meddle(ANYTHING, run_command(step.run, timeout_s))
        await self._step(COMMANDS, UpgradeAction(step.kind), doing)
        await self._watch(COMMANDS, stop)

    async def _replace(self, step: UpgradeStep, stop: asyncio.Event) -> None:
        if self._cloud is None:
            raise FaultError("nothing here can replace the processes of this cloud", hint="use steps with run:")
        names = chosen(step.replace, [one for one in await self._cloud.instances() if not one.leaving])
        together = step.way == "blue_green"
        size = len(names) if step.at_once == "all" or together else step.at_once
        for place, batch in enumerate(names[at : at + size] for at in range(0, len(names), size)):
            if place and self._upgrade.pause:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), float(self._upgrade.pause))
            await self._migrate(await self._cloud.migrations(batch, self._upgrade.to, after=False), stop)
            _go_on_unless(stop)
            self._replaced += batch
            to, all_at_once = self._upgrade.to, None
            if together:
                all_at_once = asyncio.ensure_future(self._cloud.replace_together(batch, to))
            results = await asyncio.gather(
                *(
                    self._replace_one(
                        name,
                        all_at_once or asyncio.ensure_future(self._cloud.replace(name, to)),
                        float(step.timeout),
                        self._cloud,
                    )
                    for name in batch
                ),
                return_exceptions=True,
            )
            for result in results:
                if isinstance(result, BaseException):
                    raise result
            await self._watch(", ".join(batch), stop)

    async def _close(self, stop: asyncio.Event) -> None:
        """Do to data what only the new version can live with, when all is done and well: there is no way back then."""
        if self._cloud is None or not self._replaced:
            return
        migrations = await self._cloud.migrations(self._replaced, self._upgrade.to, after=True)
        _go_on_unless(stop)
        if migrations:
            self._done.clear()
        await self._migrate(migrations)

    async def _migrate(self, migrations: Sequence[Migration], stop: asyncio.Event | None = None) -> None:
        for migration in migrations:
            if stop is not None:
                _go_on_unless(stop)
            self._note(f"disruption {self._upgrade.sentence}: {migration.words}")
            self._migrated.append(migration.what)
            await self._step(migration.what, UpgradeAction.MIGRATE, migration.do())

    async def _replace_one(
        self, name: str, replacing: "asyncio.Future[None]", timeout_s: float, cloud: Upgradable
    ) -> None:
        self._replacing.add(replacing)
        self._deliberate.begin(name)
        replacing.add_done_callback(lambda _: self._deliberate.end(name))
        if self._upgrade.to is not None:  # of the same again there is nothing to take back
            self._done.append(_Done(name, lambda: self._meddle(name, cloud.take_back(name)), replacing))
        await self._step(name, UpgradeAction.REPLACE, asyncio.shield(replacing))
        await self._step(name, UpgradeAction.VERIFY, self._verify(name, timeout_s, cloud))

    async def _meddle(self, name: str, doing: Awaitable[None]) -> None:
        """Do something after which this process may be gone, or another."""
        self._deliberate.begin(name)
        try:
            await doing
        finally:
            self._deliberate.end(name)

    async def _verify(self, name: str, timeout_s: float, cloud: Upgradable) -> None:
        """See that the new process does its work and is of the wanted version. Raises FaultError."""
        deadline_ns = self._clock.now_ns() + round(timeout_s * NANOSECONDS_PER_SECOND)
        label = self._upgrade.to.name if self._upgrade.to is not None else None
        while True:
            found = [one for one in await cloud.instances() if one.name == name and not one.leaving]
            if any(one.serves and one.identity not in self._before and label in (None, one.version) for one in found):
                return
            if self._clock.now_ns() > deadline_ns:
                state = ", ".join(f"{one.version}, {'serves' if one.serves else 'does not serve'}" for one in found)
                raise FaultError(
                    f"{name} is not what it should be after {timeout_s:g} s",
                    expected=f"version {label}" if label else "a new process that serves",
                    got=state or "it is not there",
                )
            await self._clock.sleep(LOOK_EVERY_S)

    async def _see_all_stay(self) -> None:
        """See that what was replaced still works now that all is: some of it may have died since. Raises FaultError."""
        if self._cloud is not None:
            for name in dict.fromkeys(self._replaced):
                await self._verify(name, STAYS_TIMEOUT_S, self._cloud)

    async def _watch(self, what: str, stop: asyncio.Event) -> None:
        if self._upgrade.watch is not None:
            await self._step(what, UpgradeAction.VERIFY, self._look_at_load(self._upgrade.watch, stop))

    async def _look_at_load(self, watch: UpgradeWatch, stop: asyncio.Event) -> None:
        watched = [_Watched(text) for text in watch.criteria]
        self._watching += watched
        failing = [asyncio.create_task(one.failed.wait()) for one in watched]
        over = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([*failing, over], timeout=float(watch.lasts), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*failing, over):
                task.cancel()
            self._watching = [one for one in self._watching if one not in watched]
        for one in watched:
            if one.failed.is_set():
                raise FaultError(f"{one.text} does not hold")
        _go_on_unless(stop)
        for one in watched:
            if not one.seen:
                raise FaultError(f"whether {one.text} holds is not known: nothing was seen of it in {watch.lasts}")

    async def _step(self, what: str, action: UpgradeAction, doing: Awaitable[None]) -> None:
        """Do one step, and record it whatever becomes of it."""
        started_ns = self._clock.now_ns()
        begin = str(UpgradePart(self._upgrade.sentence, what, UpgradeAction.BEGIN))
        self._op(begin, started_ns, started_ns, Outcome.OK, "", started_ns)
        outcome, error = Outcome.CANCELLED, "it was cut off"
        try:
            await doing
            outcome, error = Outcome.OK, ""
        except _LoadOverError:
            error = "the load was over"
            raise
        except (KilonodeError, OSError) as failure:
            outcome, error = Outcome.WRONG_STATE, str(failure)
            raise
        finally:
            self._op(str(UpgradePart(self._upgrade.sentence, what, action)), started_ns, started_ns, outcome, error)

    @contextlib.asynccontextmanager
    async def _seeing_who_serves(self) -> AsyncIterator[None]:
        """Look meanwhile at who serves, and record that; only of the roles of what is replaced."""
        names = {name for step in self._upgrade.steps for name in step.replace}
        if self._cloud is None or not names:
            yield
            return
        found = await self._cloud.instances()
        self._before = frozenset(one.identity for one in found)
        roles = {role for one in found if names & {one.name, *one.roles, *one.groups} for role in one.roles}
        watch = ServingWatch(self._cloud, self._clock, lambda one: bool(roles & {*one.roles}), self._is_new)
        try:
            async with watch:
                yield
        finally:
            for one in watch.served:
                action = UpgradeAction.NEW if one.new else UpgradeAction.OLD
                step = str(UpgradePart(self._upgrade.sentence, one.name, action))
                self._op(step, one.start_ns, one.start_ns, Outcome.OK, "", one.finish_ns)

    def _is_new(self, one: Instance) -> bool:
        wanted = self._upgrade.to
        return one.identity not in self._before and (wanted is None or one.version == wanted.name)

    def _op(
        self, step: str, due_ns: int, started_ns: int, outcome: Outcome, error: str, finished_ns: int | None = None
    ) -> None:
        finished_ns = self._clock.now_ns() if finished_ns is None else finished_ns
        kind, due = OpKind.DISRUPTION.value, self._due
        self._record(Op(kind, due.name, step, due.number, due_ns, started_ns, finished_ns, outcome.value, trim(error)))


@dataclass(frozen=True, slots=True)
class _Done:
    """Something that was done, or begun, and what takes it back."""

    what: str
    undo: Callable[[], Awaitable[None]]
    begun: "asyncio.Future[None] | None" = None
    """Of a replacement: itself."""

    @property
    def came_to_nothing(self) -> bool:
        """It was a replacement, and the process that was there went on."""
        begun = self.begun
        return begun is not None and begun.done() and not begun.cancelled() and begun.exception() is not None


class _LoadOverError(Exception):
    """The load is over: nothing more is begun."""


class _Watched:
    """One criterion that has to hold while it is looked at the load."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.failed = asyncio.Event()
        self.seen = False
        self._criterion = parse_criterion(text)
        self._broken = LiveCondition(opposite(self._criterion))

    def add(self, report: LiveReport) -> None:
        about = self._criterion.workload
        self.seen = self.seen or any(about in ("", one.workload) for one in report.steps)
        if self._broken.add(report):
            self.failed.set()


def _go_on_unless(stop: asyncio.Event) -> None:
    if stop.is_set():
        raise _LoadOverError


def _in_short(failure: Exception) -> str:
    if isinstance(failure, KilonodeError):
        said = failure.problem
        return said.what + (f" ({said.got})" if said.got else "")
    return str(failure)
