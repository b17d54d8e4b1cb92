"""Rules of the upgrades in an experiment file: what each step does, and what is watched meanwhile."""

from collections.abc import Collection, Iterator

from kilonode.base.errors import InputError, Problem
from kilonode.base.validation import join
from kilonode.base.yaml_nodes import Mapping, Node, Scalar, Sequence
from kilonode.check.criteria import Comparison, Criterion, parse_criterion, unknown_name
from kilonode.check.metrics import AFTERWARDS
from kilonode.run.rules import find

ONE_TIME = ("every", "random")
_OF_FAULTS = ("for", "expect")
_OF_COMMANDS = ("kind", "undo")


def check_upgrade(item: Mapping, path: str, names: Collection[str]) -> Iterator[Problem]:
    """Every problem with what one disruption does: a fault or an upgrade, and an upgrade's own."""
    upgrade, fault = item.get("upgrade"), item.get("fault")
    said = [key for key, node in (("fault", fault), ("upgrade", upgrade)) if not _is_nothing(node)]
    if len(said) != 1:
        what = "what is done?" if not said else "a fault and an upgrade are two disruptions"
        yield item.place.problem(what, path=path, expected="exactly one of fault and upgrade", got=", ".join(said))
    if not isinstance(upgrade, Mapping):
        return
    here = join(path, "upgrade")
    yield from _version(upgrade.get("to"), join(here, "to"))
    for key in (*ONE_TIME, *_OF_FAULTS):
        node = item.get(key)
        if not _is_nothing(node) and node is not None:
            why = "an upgrade cannot happen again" if key in ONE_TIME else "it is of faults"
            yield node.place.problem(why, path=join(path, key), expected="at, at_iteration or when")
    steps = upgrade.get("steps")
    for number, step in enumerate(steps.items if isinstance(steps, Sequence) else ()):
        if isinstance(step, Mapping):
            yield from _step(step, join(here, f"steps[{number}]"))
    watched = find(upgrade, "watch", "criteria")
    for number, text in enumerate(watched.items if isinstance(watched, Sequence) else ()):
        if isinstance(text, Scalar) and isinstance(text.value, str) and not text.reported:
            problem = _watched(text.value, names)
            if problem is not None:
                yield text.place.problem(
                    problem.what,
                    path=join(here, f"watch.criteria[{number}]"),
                    expected=problem.expected,
                    got=problem.got,
                    hint=problem.hint,
                )


def opposite(criterion: Criterion) -> Criterion:
    """What holds where a criterion that is watched does not."""
    turned = {
        Comparison.LESS: Comparison.AT_LEAST,
        Comparison.AT_MOST: Comparison.MORE,
        Comparison.MORE: Comparison.AT_MOST,
        Comparison.AT_LEAST: Comparison.LESS,
        Comparison.EQUAL: Comparison.MORE,
    }[criterion.comparison]
    return Criterion(criterion.metric, turned, criterion.bound, criterion.percent, criterion.workload, criterion.step)


def _step(step: Mapping, path: str) -> Iterator[Problem]:
    does = [key for key in ("replace", "run") if not _is_nothing(step.get(key))]
    if len(does) != 1:
        yield step.place.problem("what does this step do?", path=path, expected="exactly one of replace and run")
        return
    for key in _OF_COMMANDS if does == ["replace"] else ("at_once", "way"):
        node = step.get(key)
        if node is not None and not _is_nothing(node):
            yield node.place.problem(f"it is of a step with {'run' if key in _OF_COMMANDS else 'replace'}:",
                                     path=join(path, key))  # fmt: skip
    way, at_once = step.get("way"), step.get("at_once")
    if at_once is not None and isinstance(way, Scalar) and way.value == "blue_green":
        yield at_once.place.problem("blue/green is all at once", path=join(path, "at_once"), expected="not there")


def _version(to: Node | None, path: str) -> Iterator[Problem]:
    if not isinstance(to, Mapping):
        return
    said = [key for key in ("label", "release") if not _is_nothing(to.get(key))]
    if len(said) != 1:
        yield to.place.problem(
            "which version?", path=path, expected="label, of an emulated cloud, or release, of a stack",
            got=", ".join(said),
        )  # fmt: skip
        return
    for key in ("stages", "interpreter", "environment") if said == ["release"] else ():
        node = to.get(key)
        if node is not None and not _is_nothing(node):
            yield node.place.problem("it is of an emulated cloud", path=join(path, key), expected="release alone")


def _watched(text: str, names: Collection[str]) -> Problem | None:
    try:
        criterion = parse_criterion(text)
    except InputError as error:
        return error.problem
    if criterion.metric in AFTERWARDS:
        return Problem(f"{criterion.metric} is known only after the run", expected="error_rate, p(99) …", got=text)
    if criterion.comparison is Comparison.EQUAL and criterion.bound:
        return Problem("only zero can be watched with ==", expected="< <= > >=", got=text)
    return unknown_name(criterion, dict.fromkeys(names))


def _is_nothing(node: Node | None) -> bool:
    if isinstance(node, Sequence):
        return not node.items
    return node is None or (isinstance(node, Scalar) and node.value in (None, ""))
