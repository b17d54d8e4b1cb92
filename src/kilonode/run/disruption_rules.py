"""Rules of the disruptions in an experiment file: sentences that can be read, one timing, instants within the load.

A mistake in a sentence is said at its own line and column in the file, where the sentence stands there as it is.
Whether there is anything to do it to shows when the cloud is there, or when the command line looks.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace

from kilonode.base.errors import InputError, Problem, nearest
from kilonode.base.randomness import Randomness
from kilonode.base.units import Duration
from kilonode.base.validation import join
from kilonode.base.yaml_nodes import Mapping, Node, Scalar, Sequence, describe
from kilonode.check.criteria import parse_criterion, unknown_name
from kilonode.check.metrics import AFTERWARDS
from kilonode.faults.language import parse
from kilonode.faults.model import Sentence
from kilonode.faults.printing import print_sentence
from kilonode.load.models import LoadModel
from kilonode.run.disruption_times import instants_s, read_at_iteration, read_between
from kilonode.run.disruptions import TIMINGS, Disruption
from kilonode.run.facts import lasts_s
from kilonode.run.rules import find, read_quietly
from kilonode.run.upgrade_rules import check_upgrade

_ONLY_WITH_EVERY = ("start", "times")


def check_disruptions(root: Mapping) -> Iterator[Problem]:
    """Every problem with disruptions. Probes are spread out before."""
    node = root.get("disruptions")
    items = node.items if isinstance(node, Sequence) else ()
    workloads = root.get("workloads")
    names = workloads.names if isinstance(workloads, Mapping) else ()
    end_s = load_end_s(root)
    called: set[object] = set()
    for number, item in enumerate(items):
        if not isinstance(item, Mapping):
            continue
        path = f"disruptions[{number}]"
        yield from _sentence(item, path)
        yield from check_upgrade(item, path, names)
        yield from _timing(item, path)
        yield from _trigger(item, path, names)
        yield from _instants(item, path, end_s)
        name = find(item, "name")
        if isinstance(name, Scalar) and name.value:
            if name.value in called:
                yield name.place.problem("two disruptions have this name", path=join(path, "name"), got=describe(name))
            called.add(name.value)


def sentence_of(disruption: Disruption) -> Sentence:
    """What a disruption does, with how long it lasts. Raises InputError."""
    sentence = parse(disruption.fault)
    if disruption.lasts is None:
        return sentence
    parts = sentence.parts
    if len(parts) > 1 or parts[0].during or parts[0].fault.duration is not None:
        raise InputError(
            "for: is of one fault whose sentence does not say how long it lasts",
            expected="the duration in the sentence",
            got=print_sentence(sentence),
        )
    return parse(f"{print_sentence(sentence)} for {disruption.lasts}")


def load_end_s(root: Mapping) -> float:
    """When the last workload ends, after the start of the load; zero where that cannot be known."""
    workloads = root.get("workloads")
    ends_s = [0.0]
    for entry in workloads.entries if isinstance(workloads, Mapping) else ():
        load = read_quietly(find(entry.value, "load"), LoadModel)
        if load is not None:
            ends_s.append(float(read_quietly(find(entry.value, "start"), Duration) or 0.0) + lasts_s(load))
    return max(ends_s)


def _sentence(item: Mapping, path: str) -> Iterator[Problem]:
    node = item.get("fault")
    if not isinstance(node, Scalar) or not isinstance(node.value, str) or node.reported or not node.value:
        return
    try:
        parse(node.value)
    except InputError as error:
        yield _in_file(error.problems[0], node, join(path, "fault"))
        return
    lasts = read_quietly(item.get("for"), Duration)
    if lasts:
        try:
            sentence_of(Disruption(fault=node.value, lasts=lasts))
        except InputError as error:
            said = error.problems[0]
            place = (item.get("for") or node).place
            yield place.problem(said.what, path=join(path, "for"), expected=said.expected, got=said.got)


def _in_file(problem: Problem, node: Scalar, path: str) -> Problem:
    """A problem of a sentence, at its own column in the file where the sentence stands on one line as it is."""
    place = node.place
    if place.line and problem.column and node.text == node.value and "\n" not in node.text:
        place = replace(place, column=place.column + problem.column - 1 + node.quoted)
    return place.problem(problem.what, path=path, expected=problem.expected, got=problem.got, hint=problem.hint)


def _timing(item: Mapping, path: str) -> Iterator[Problem]:
    said = [key for key in TIMINGS if not _is_nothing(item.get(key))]
    if len(said) != 1:
        yield item.place.problem(
            "when?" if not said else "more than one way to say when",
            path=path,
            expected=f"exactly one of {', '.join(TIMINGS[:-1])} and {TIMINGS[-1]}",
            got=", ".join(said),
        )
    for key in _ONLY_WITH_EVERY:
        node = item.get(key)
        if node is not None and not _is_nothing(node) and "every" not in said:
            yield node.place.problem(f"{key} is of every:", path=join(path, key), expected="every: a duration")


def _trigger(item: Mapping, path: str, names: Collection[str]) -> Iterator[Problem]:
    node = item.get("at_iteration")
    text = read_quietly(node, str)
    if node is not None and text and len(text.split()) == 2 and text.split()[1].isdecimal():
        workload, _ = read_at_iteration(text)
        if workload not in names:
            yield node.place.problem(
                f"no workload is called {workload!r}",
                path=join(path, "at_iteration"),
                expected=f"one of {', '.join(names)}",
                hint=nearest(workload, names),
            )
    node = item.get("when")
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value and not node.reported:
        problem = _condition(node.value, names)
        if problem is not None:
            here = join(path, "when")
            yield node.place.problem(
                problem.what, path=here, expected=problem.expected, got=problem.got, hint=problem.hint
            )


def _condition(text: str, names: Collection[str]) -> Problem | None:
    try:
        criterion = parse_criterion(text)
    except InputError as error:
        return error.problem
    if criterion.metric in AFTERWARDS:
        return Problem(f"{criterion.metric} is known only after the run", expected="count, throughput, p(99) …")
    return unknown_name(criterion, dict.fromkeys(names))


def _instants(item: Mapping, path: str, end_s: float) -> Iterator[Problem]:
    """What would be due when there is no load any more; nothing is said where the load's end is not known."""
    for steps in (("at",), ("start",)):
        node = find(item, *steps)
        value = read_quietly(node, Duration)
        if node is not None and value is not None and 0 < end_s <= value:
            yield node.place.problem(
                "after the end of the load", path=join(path, steps[0]), expected=f"less than {end_s:g}s", got=str(value)
            )
    node = find(item, "random", "between")
    text = read_quietly(node, str)
    if node is not None and text:
        try:
            _, to_s = read_between(text)
            if 0 < end_s < to_s:
                raise InputError("after the end of the load", expected=f"at most {end_s:g}s", got=repr(text))
        except InputError as error:
            here, said = join(path, "random.between"), error.problem
            yield node.place.problem(said.what, path=here, expected=said.expected, got=said.got, hint=said.hint)
    every = item.get("every")
    if every is None or not end_s:
        return
    value = read_quietly(item, Disruption)
    if not isinstance(value, Disruption) or not value.every:
        return
    try:
        if not instants_s(value, end_s, Randomness(0)):
            raise InputError("it is never due", expected=f"less than {end_s:g}s", got=str(value.every))
    except InputError as error:
        said = error.problem
        yield every.place.problem(
            said.what, path=join(path, "every"), expected=said.expected, got=said.got, hint=said.hint
        )


def _is_nothing(node: Node | None) -> bool:
    return node is None or (isinstance(node, Scalar) and node.value in (None, ""))
