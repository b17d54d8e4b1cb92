"""What a document draws in the stage it is in: when the stage ends, and whether well, under the rules of the profile.

One `Draws` for each kind of document of a controller. Without rules for a stage it is the stage's own draw and nothing
else. A counted rule needs the document's number first: then there are changes to commit, and the document is looked at
again. Whatever is drawn follows from documents and the seed alone, so a restart goes on where it was.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from kilonode.base.clock import SkewedClock
from kilonode.cloud.context import Changes, Cloud
from kilonode.cloud.delays import NO_DELAY
from kilonode.cloud.rules import BYTES_PER_GIB, Facts, Rule
from kilonode.cloud.sightings import Sightings
from kilonode.cloud.stages import ANY, Stage
from kilonode.cloud.tallies import TALLY, Tally, parts_of_visit, visit_key
from kilonode.control.mirror import Put

_MICROSECONDS_PER_SECOND: Final = 1_000_000


class Position(msgspec.Struct, frozen=True, gc=False):
    """Where a document is in its life."""

    state: str
    task: str | None
    turn: int
    """Tells repeated visits of a stage apart."""
    since_us: int


class Draw(msgspec.Struct, frozen=True, gc=False):
    """What is drawn for one document in one stage."""

    ends_us: int
    """When the stage ends."""
    fault: str = ""
    """The message with which it fails; empty: it ends well."""
    elsewhere: bool = False
    """The failure is this node's alone."""
    numbering: Changes = ()
    """To be committed first: the document has no number yet. Nothing else here holds then."""


class Draws:
    """What documents of one kind draw."""

    def __init__(
        self,
        cloud: Cloud,
        kind: str,
        position: Callable[[Any], Position],
        facts: Callable[[Any], Facts],
        image_exists: Callable[[str], bool] = lambda image: True,
    ) -> None:
        """`facts` is asked only where there are rules. `image_exists` keeps caches free of images that are gone."""
        self._cloud = cloud
        self._stages = cloud.stages
        self._rules = cloud.rules
        self._kind = kind
        self._position = position
        self._facts = facts
        self._image_exists = image_exists
        self._sightings: Sightings | None = None
        """None: timestamps say since when documents are in their stages."""
        if isinstance(cloud.clock, SkewedClock):
            cloud.clock.when_distrusted(partial(self._look_instead, cloud.clock))

    def _look_instead(self, clock: SkewedClock) -> None:
        stamps = {
            key: self._position(entry.value).since_us for key, entry in self._cloud.mirror.all(self._kind).items()
        }
        self._sightings = Sightings(clock, stamps)

    def of(self, stage: Stage, key: str, value: Any) -> Draw:
        """What the document draws in the stage that it is in."""
        position = self._position(value)
        if self._sightings is not None:
            visit = (position.state, position.task, position.turn)
            now_us = self._cloud.now_us()
            position = replace(position, since_us=self._sightings.since_us(key, visit, position.since_us, now_us))
        rules = self._rules.get(stage.name)
        if rules:
            return self._by_rules(stage, rules, key, value, position)
        ends_us = position.since_us + self._stages.delay_us(stage, key, position.turn)
        if stage.failure is None or not (fault := self._stages.failure(stage, key, position.turn)):
            return Draw(ends_us)
        return Draw(ends_us, fault, stage.failure.elsewhere)

    def _by_rules(self, stage: Stage, rules: tuple[Rule, ...], key: str, value: Any, position: Position) -> Draw:
        facts = self._facts(value)
        numbering: list[Put] = []
        applying: list[Rule] = []
        waits_us = 0
        for rule in rules:
            if not rule.when.holds(facts) or (rule.cache is not None and not (facts.image and facts.host)):
                continue
            if not rule.counts and rule.cache is None:
                applying.append(rule)
                continue
            subject, visit = rule.subject(facts), visit_key(stage.name, key, position.turn)
            entry = self._cloud.mirror.get(TALLY, subject)
            tally: Tally = entry.value if entry is not None else Tally()
            number = tally.visits.get(visit)
            if number is None:
                revision = entry.revision if entry is not None else 0
                numbering.append(Put(TALLY, self._numbered(rule, tally, visit, facts, position), subject, revision))
            elif rule.cache is not None:
                waits_us += number
            elif rule.strikes(number):
                applying.append(rule)
        if numbering:
            return Draw(0, numbering=tuple(numbering))
        return self._result(stage, applying, key, position, waits_us)

    def _result(self, stage: Stage, rules: list[Rule], key: str, position: Position, waits_us: int) -> Draw:
        turn, stages = position.turn, self._stages
        factor = 1.0
        for rule in rules:
            if rule.delay is not None:
                stage = replace(stage, delay=rule.delay)
            if rule.factor is not None:
                factor *= rule.factor
        delay_us = round(stages.delay_us(stage, key, turn) * factor) + waits_us
        delay_us += sum(self._addition_us(rule, stage.name, key, turn) for rule in rules)
        ends_us = position.since_us + delay_us
        if stage.failure is not None and (fault := stages.failure(stage, key, turn)):
            return Draw(ends_us, fault, stage.failure.elsewhere)
        for rule in rules:
            if (
                rule.failure is not None
                and stages.fraction(key, stage.name, turn, f"failure {rule.name}") < rule.failure.odds
            ):
                return Draw(ends_us, rule.failure.message, rule.failure.elsewhere)
        return Draw(ends_us)

    def _numbered(self, rule: Rule, tally: Tally, visit: str, facts: Facts, position: Position) -> Tally:
        if rule.cache is None:
            return tally.numbered(visit, self._is_there)
        stage, key, turn = parts_of_visit(visit)
        gib_us = rule.cache.per_gib * facts.image_bytes / BYTES_PER_GIB * _MICROSECONDS_PER_SECOND
        takes_us = self._addition_us(rule, stage, key, turn) + round(gib_us)
        return tally.with_image(
            visit,
            facts.image[0],
            position.since_us,
            takes_us,
            rule.cache.images,
            self._is_there,
            self._image_exists,
        )

    def _addition_us(self, rule: Rule, stage: str, key: str, turn: int) -> int:
        if rule.add is None:
            return 0
        seconds = rule.add.quantile_s(self._stages.fraction(key, stage, turn, f"add {rule.name}"))
        return round(seconds * _MICROSECONDS_PER_SECOND)

    def _is_there(self, visit: str) -> bool:
        """Whether a document is still in the stage for which it was numbered."""
        stage_name, key, turn = parts_of_visit(visit)
        entry = self._cloud.mirror.get(self._kind, key)
        if entry is None:
            return False
        position = self._position(entry.value)
        stage = self._stages.find(self._kind, position.state, position.task)
        return position.turn == turn and stage is not None and stage.name == stage_name


def may_wait(cloud: Cloud, kind: str, task: str) -> bool:
    """Whether the profile gives documents of this kind with this task anything to wait for, or to fail at."""
    stage = cloud.stages.find(kind, ANY, task)
    return stage is not None and (
        stage.delay != NO_DELAY or stage.failure is not None or bool(cloud.rules.get(stage.name))
    )
