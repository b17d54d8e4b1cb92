"""What the commands of `kilonode fault` do."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock, RealClock
from kilonode.base.encoding import to_plain
from kilonode.base.errors import InputError, Problem
from kilonode.base.randomness import Randomness
from kilonode.base.units import format_seconds
from kilonode.cli.fault_targets import drivers_for, journal_folder
from kilonode.cli.output import say
from kilonode.cli.signals import stopping
from kilonode.faults import os_faults
from kilonode.faults.driver import Capability
from kilonode.faults.healing import Healed, LeftBehind, heal_left
from kilonode.faults.hosts import read_hosts
from kilonode.faults.injecting import Disrupted, Injector
from kilonode.faults.journal import Event, Record, journals, new_journal
from kilonode.faults.language import parse as parse_sentence
from kilonode.faults.model import Sentence
from kilonode.faults.os_faults import Conversion
from kilonode.faults.planning import PlannedPart, plan_sentence, unended
from kilonode.faults.printing import print_sentence
from kilonode.run.printing import print_plain

MOST_LINES = 10_000
_COMMENT = re.compile(r"(^|\s)#.*")


class Done(msgspec.Struct, frozen=True):
    """What became of a sentence."""

    sentence: str
    cloud: str
    seed: int
    plan: tuple[PlannedPart, ...]
    dry_run: bool
    interrupted: bool = False
    faults: tuple[Disrupted, ...] = ()


class Parsed(msgspec.Struct, frozen=True):
    """One sentence that was read."""

    text: str
    """Canonical."""
    sentence: Sentence
    line: int = 0
    """In a file."""


async def do(text: str, cloud: str, seed: int, hosts: Path | None = None, *, dry_run: bool) -> Done:
    """Carry a sentence out, or only plan it."""
    clock: Clock = RealClock()
    sentence = parse_sentence(text)
    canonical = print_sentence(sentence)
    if hosts is not None:
        read_hosts(hosts)  # a mistake in it is not passed over because something else is meant
    drivers = drivers_for(cloud, clock, hosts)
    left = LeftBehind(journal_folder(), clock, cloud)
    plan = await plan_sentence(sentence, drivers, Randomness(seed, "faults"), before=left.steps())
    if dry_run:
        for line in describe_plan(plan):
            say(line)
        return Done(canonical, cloud, seed, plan, dry_run=True)
    stop = asyncio.Event()
    with stopping(stop, "stopping: healing all"), new_journal(journal_folder(), canonical, clock, cloud) as journal:
        injector = Injector(drivers, journal, clock, say, left=left)
        if unended(plan):
            say("it lasts until Ctrl-C")
        own_end = await injector.carry_out(plan, stop)
    for each in injector.results:
        say(_describe_result(each))
    return Done(canonical, cloud, seed, plan, False, not own_end, tuple(injector.results))


async def heal(*, everything: bool) -> tuple[Healed, ...]:
    """Heal what is left open in the journals."""
    clock = RealClock()
    return await heal_left(journal_folder(), drivers_for("", clock), clock, say, everything=everything)


async def capabilities(hosts: Path | None = None) -> tuple[Capability, ...]:
    """What each driver can do on this machine."""
    drivers = drivers_for("", RealClock(), hosts)
    return tuple([each for driver in drivers for each in await driver.capabilities()])


def read_journals(*, open_only: bool) -> tuple[Record, ...]:
    """The journals there are."""
    return tuple(record for record in journals(journal_folder()) if record.open or not open_only)


def parse(words: Sequence[str]) -> tuple[Parsed, ...]:
    """A sentence, or the sentences of a file. Raises InputError with every mistake."""
    if len(words) == 1 and _is_file(words[0]):
        return _parse_file(Path(words[0]))
    text = " ".join(words)
    try:
        sentence = parse_sentence(text)
    except InputError as error:
        if _is_one_word(text) and ("/" in text or "." in text):
            raise InputError("neither a sentence nor a file", where=text) from error
        raise
    return (Parsed(print_sentence(sentence), sentence),)


def _is_one_word(text: str) -> bool:
    return len(text.split()) == 1


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # a long sentence is too long for a path
        return False


def _parse_file(file: Path) -> tuple[Parsed, ...]:
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("the file cannot be read", where=str(file), got=str(error)) from error
    if len(lines) > MOST_LINES:
        raise InputError("the file is too long", where=str(file), expected=f"at most {MOST_LINES:,} lines")
    read: list[Parsed] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines, 1):
        text = _COMMENT.sub("", line)
        if not text.strip():
            continue
        try:
            sentence = parse_sentence(text)
            read.append(Parsed(print_sentence(sentence), sentence, number))
        except InputError as error:
            problems += [
                Problem(each.what, str(file), number, each.column, "", each.expected, each.got, each.hint)
                for each in error.problems
            ]
    if problems:
        raise InputError(problems[0].what, problems=problems)
    return tuple(read)


def convert(file: Path) -> Conversion:
    """An os-faults configuration as a hosts file."""
    return os_faults.convert(file)


def hosts_text(converted: Conversion) -> str:
    """The hosts file as YAML."""
    plain = to_plain(converted.hosts)
    return print_plain(plain).rstrip("\n") if plain else "{}"


def describe_conversion(converted: Conversion) -> Iterator[str]:
    """What became of each key, for people; what is lost last."""
    for remark in sorted(converted.remarks, key=lambda each: each.kind == "not understood"):
        yield f"line {remark.line}: {remark.path}: {remark.kind}{'' if remark.kind == 'became' else ':'} {remark.words}"
    yield f"{len(converted.lost)} keys not understood" if converted.lost else "every key was understood"


def describe_plan(plan: Sequence[PlannedPart]) -> Iterator[str]:
    """What would be done, for people."""
    until_heal = unended(plan)
    for number, part in enumerate(plan, 1):
        after = f"after {part.after}" if part.after else "at once"
        yield f"{number}. {after if number == 1 else 'then ' + after}:"
        for fault in (*part.during, part.fault):
            lasts = " until Ctrl-C" if fault in until_heal else ""
            if fault.fault.duration:
                lasts = f" for {fault.fault.duration}"
            for step in fault.steps:
                yield f"   {step.words}{lasts}" + (f"; heal: {step.heals}" if step.heals else "")


def describe_healed(healed: Sequence[Healed]) -> Iterator[str]:
    """What was healed, for people."""
    for each in healed:
        if each.busy:
            yield f"{each.words}: whoever injected it still runs and will heal it (--all heals it now)"
        else:
            yield f"{each.words}: {each.healed} healed" + (f", {each.left} NOT" if each.left else "")
    if not healed:
        yield "nothing is left to heal"


def describe_capabilities(found: Sequence[Capability]) -> Iterator[str]:
    """What can be done here, for people: a line for each."""
    drivers = max(len(each.driver) for each in found) + 2
    names = max(len(each.name) for each in found) + 2
    for each in found:
        why = f": {each.why}" if each.why else ""
        yield f"{each.driver:<{drivers}}{each.name:<{names}}{each.state.value}{why}"


def describe_journals(records: Sequence[Record], *, open_only: bool) -> Iterator[str]:
    """The journals, for people."""
    for record in records:
        where = f" on {record.head.cloud}" if record.head.cloud else ""
        yield f"{record.head.at[:19]}Z {record.head.words}{where}"
        for entry in record.entries:
            event = entry.event.value
            if entry.step and not entry.step.heals:
                event = "not seen to be done" if entry.event is Event.PLANNED else "done, nothing to heal"
            yield f"  {event + ':':<14} {entry.step.words if entry.step else ''}"
            if entry.open and entry.step:
                yield f"  {'':<14} heal: {entry.step.heals}"
    if not records:
        yield "nothing is left to heal" if open_only else "nothing was injected yet"


def _describe_result(each: Disrupted) -> str:
    if each.took_effect_ns is None:
        return f"{each.sentence}: {each.error}"
    parts = [f"took effect after {_since(each.due_ns, each.took_effect_ns)}"]
    if each.lasting:
        how = f"ended by {each.ended_by}" if each.ended_by else "healed"
        healed = f"{how} after {_since(each.took_effect_ns, each.healed_ns)}" if each.healed_ns else ""
        parts.append(healed or f"NOT healed: {each.error}")
    return f"{each.sentence}: {', '.join(parts)}"


def _since(earlier_ns: int, later_ns: int) -> str:
    return format_seconds((later_ns - earlier_ns) / NANOSECONDS_PER_SECOND)
