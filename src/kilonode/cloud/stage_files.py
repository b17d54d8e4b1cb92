"""Stage files as people write them: the format, and reading one with every mistake at its place.

What one file says by itself is known here; what it says about stages of the profile that it extends is checked where
profiles are put together (`kilonode.cloud.profiles`).
"""

from collections.abc import Collection, Iterator
from collections.abc import Mapping as ReadableMapping
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from kilonode.base.errors import Problem, nearest
from kilonode.base.units import Duration
from kilonode.base.validation import INVALID, Validator
from kilonode.base.yaml_document import MOST_BYTES, read_document
from kilonode.base.yaml_nodes import Mapping, Node, Place, Scalar, Sequence, describe
from kilonode.cloud.delays import Delay
from kilonode.cloud.rules import Rule
from kilonode.cloud.stages import EFFECTS, Coupling, Failure, Stage

Operation = Annotated[str, Meta(pattern=r"^[a-z]+\.[a-z_]+$")]


class RequestFailure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """With these odds a request is answered with an error, and nothing of what it asked for is done."""

    odds: Annotated[float, Meta(ge=0, le=1)]
    status: Annotated[int, Meta(ge=400, le=599)] = 500
    message: str = "The server has either erred or is incapable of performing the requested operation."


class ServiceTime(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the cloud thinks: `before` it does what it was asked to; then, before it answers, `base` and `per_item`
    for each item answered. And how often it fails at that.
    """

    base: Duration = Duration(0)
    """Spent on every answer."""
    per_item: Duration = Duration(0)
    """Spent on each item of a list."""
    before: Delay | None = None
    """Drawn anew for each request."""
    failure: RequestFailure | None = None
    """How often it does not do what it was asked to."""

    def total_s(self, items: int) -> float:
        """The time for an answer of this many items, in seconds."""
        return self.base + items * self.per_item


class StageFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stage profile: how long what happens in an emulated cloud takes, and how often it fails."""

    extends: str | None = None
    """The profile that this one changes: one that comes with Kilonode, or the path of another file."""
    stages: tuple[Stage, ...] = ()
    """Stages, new or instead of those of the same name."""
    delays: dict[str, Delay] = {}
    """How long stages take, by their names."""
    failures: dict[str, Failure] = {}
    """How often stages fail, by their names."""
    couplings: dict[str, Coupling] = {}
    """Stages that are slow together, by their names."""
    rules: tuple[Rule, ...] = ()
    """For which documents stages go otherwise. Rules of the extended profile come before these."""
    services: dict[Operation, ServiceTime] = {}
    """How long the API takes, and how often it fails, by operation: `compute.list_servers`."""
    page_limit: Annotated[int, Meta(ge=1)] | None = None
    """How many items an answer has at most."""


class ReadFile(msgspec.Struct, frozen=True):
    """A stage file that was read: its nodes, for places, and its value when it is sound by itself."""

    name: str
    root: Mapping | None
    value: StageFile | None
    problems: tuple[Problem, ...]


_OWN_KEYS: Final = frozenset(StageFile.__struct_fields__)


def read_stage_file(data: bytes | str, name: str) -> ReadFile:
    """Read a stage file that is, or could be, called `name`."""
    root, problems = read_document(data, name)
    if root is None:
        return ReadFile(name, None, None, tuple(problems))
    if not isinstance(root, Mapping):
        problem = root.place.problem("not a stage profile", expected="a mapping of keys", got=describe(root))
        return ReadFile(name, None, None, (*problems, problem))
    validator = Validator()
    value = validator.read(root, StageFile)
    problems += [*validator.problems, *_repeated_names(root)]
    return ReadFile(name, root, None if value is INVALID else value, tuple(problems))


def read_bytes(path: Path) -> bytes:
    """As much of a file as may be one. Raises OSError."""
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)  # more is refused, so that no device or mistake is read for ever


def looks_like_stages(root: Node | None) -> bool:
    """Whether a file's content is a stage profile rather than anything else: most of its keys are such a file's."""
    if not isinstance(root, Mapping) or not root.entries:
        return False
    own = sum(key in _OWN_KEYS or bool(nearest(key, _OWN_KEYS)) for key in root.names)
    return 2 * own > len(root.entries)


def node_at(root: Node | None, *steps: str | int) -> Node | None:
    """The node at a path of keys and positions, or None."""
    for step in steps:
        if isinstance(step, str):
            root = root.get(step) if isinstance(root, Mapping) else None
        else:
            root = root.items[step] if isinstance(root, Sequence) and step < len(root.items) else None
    return root


def key_place(root: Mapping, section: str, key: str) -> Place:
    """Where a key of a section stands."""
    node = root.get(section)
    entries = node.entries if isinstance(node, Mapping) else ()
    return next((entry.place for entry in entries if entry.key == key), root.place)


def check_stages_named(root: Mapping, known: Collection[str]) -> Iterator[Problem]:
    """Problems of stages that are named and not there; looks at nodes, so whatever else is wrong with the file."""
    for section in ("delays", "failures", "couplings"):
        node = root.get(section)
        for entry in node.entries if isinstance(node, Mapping) else ():
            if entry.key not in known:
                yield _no_stage(entry.place, f"{section}.{entry.key}", entry.key, known)
            other = node_at(entry.value, "stage") if section == "couplings" else None
            if isinstance(other, Scalar) and isinstance(other.value, str) and other.value not in known:
                yield _no_stage(other.place, f"{section}.{entry.key}.stage", other.value, known)
    for number, node in enumerate(_items(root, "rules")):
        for name, place in _stages_of_rule(node):
            if not any(rule_is_about(name, one) for one in known):
                yield _no_stage(place, f"rules[{number}].stage", name, known)


def check_kinds_of_rules(root: Mapping, kinds: ReadableMapping[str, str]) -> Iterator[Problem]:
    """Problems of rules about stages of several kinds of documents. `kinds`: that of each stage."""
    for number, node in enumerate(_items(root, "rules")):
        named = _stages_of_rule(node)
        meant = [stage for stage in kinds if any(rule_is_about(name, stage) for name, _ in named)]
        found = dict.fromkeys(kinds[stage] for stage in meant)
        if len(found) > 1:
            yield named[0][1].problem(
                "a rule about stages of several kinds of documents",
                path=f"rules[{number}].stage",
                expected="stages of one kind, with a rule for each kind",
                got=f"stages of {', '.join(found)}",
            )


def stage_names(root: Mapping) -> list[str]:
    """The names of the stages that a file has itself, whatever else is wrong with them."""
    names = [node_at(item, "name") for item in _items(root, "stages")]
    return [node.value for node in names if isinstance(node, Scalar) and isinstance(node.value, str)]


def rule_is_about(pattern: str, stage: str) -> bool:
    """Whether one pattern of a rule means a stage."""
    return Rule("x", pattern, factor=1.0).is_about(stage)


def check_effects(root: Mapping, value: StageFile) -> Iterator[Problem]:
    """Problems of stages about documents that have none, or that do what nobody knows."""
    for number, stage in enumerate(value.stages):
        kind, path = stage.when.kind, f"stages[{number}]"
        if kind not in EFFECTS:
            node = node_at(root, "stages", number, "when", "kind")
            yield _place(node, root).problem(
                "documents of this kind have no stages",
                path=f"{path}.when.kind",
                expected=f"one of {', '.join(EFFECTS)}",
                got=kind,
                hint=nearest(kind, EFFECTS),
            )
        elif stage.does and stage.does not in EFFECTS[kind]:
            node = node_at(root, "stages", number, "does")
            yield _place(node, root).problem(
                f"no {kind} does this",
                path=f"{path}.does",
                expected=f"one of {', '.join(sorted(EFFECTS[kind]))}" if EFFECTS[kind] else "nothing",
                got=stage.does,
                hint=nearest(stage.does, EFFECTS[kind]),
            )


def check_operations(root: Mapping, known: Collection[str]) -> Iterator[Problem]:
    """Problems of operations of services that are not there."""
    node = root.get("services")
    for entry in node.entries if isinstance(node, Mapping) else ():
        name = entry.key
        if "." in name and name not in known:  # what is no name at all is said elsewhere
            service = name.partition(".")[0]
            own = [one for one in known if one.startswith(f"{service}.")]
            services = dict.fromkeys(one.partition(".")[0] for one in known)
            yield entry.place.problem(
                "no such operation",
                path=f"services.{name}",
                expected=f"an operation of {service}" if own else f"an operation of {', '.join(services)}",
                got=name,
                hint=nearest(name, own or known),
            )


def _no_stage(place: Place, path: str, name: str, known: Collection[str]) -> Problem:
    close = nearest(name, known)
    expected = f"one of the {len(known)} stages" if close else f"one of {', '.join(known)}"
    return place.problem("no such stage", path=path, expected=expected, got=name, hint=close)


def _place(node: Node | None, root: Mapping) -> Place:
    return node.place if node is not None else root.place


def _stages_of_rule(node: Node) -> list[tuple[str, Place]]:
    """The patterns of stages that a rule names, each with its place."""
    stage = node_at(node, "stage")
    nodes = stage.items if isinstance(stage, Sequence) else (stage,)
    return [(one.value, one.place) for one in nodes if isinstance(one, Scalar) and isinstance(one.value, str)]


def _items(root: Mapping, section: str) -> tuple[Node, ...]:
    node = root.get(section)
    return node.items if isinstance(node, Sequence) else ()


def _repeated_names(root: Mapping) -> Iterator[Problem]:
    """Names of rules and of stages stand once in a file: counts and draws go by them."""
    for section in ("rules", "stages"):
        seen: dict[str, int] = {}
        for number, item in enumerate(_items(root, section)):
            node = node_at(item, "name")
            if not isinstance(node, Scalar) or not isinstance(node.value, str):
                continue
            name = node.value
            if name in seen:
                hint = f"it stands at {section}[{seen[name]}] already"
                yield node.place.problem("the name stands twice", path=f"{section}[{number}].name", got=name, hint=hint)
            seen.setdefault(name, number)
