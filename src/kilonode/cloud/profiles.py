"""Stage profiles: what stages a cloud has, how long they take, how often they fail, and how long its API thinks.

A profile is a stage file, or a chain of them in which each extends the next. Those that come with Kilonode are in
`cloud/stage_profiles`; any other file is named by its path. Whatever is wrong is said at once, each with its place.
"""

from collections.abc import Collection, Iterator
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.errors import InputError, Problem, nearest
from kilonode.base.yaml_nodes import Mapping, Place
from kilonode.cloud.rules import Rule
from kilonode.cloud.stage_files import (
    ReadFile,
    ServiceTime,
    StageFile,
    check_effects,
    check_kinds_of_rules,
    check_operations,
    check_stages_named,
    key_place,
    node_at,
    read_bytes,
    read_stage_file,
    stage_names,
)
from kilonode.cloud.stages import Stage

EXTENSIONS_LIMIT: Final = 8
"""How many profiles may extend one another: enough for every use, and an end for a circle."""
DEFAULT_PAGE_LIMIT: Final = 1_000
"""Nova's own default."""
_PACKAGED: Final = files("kilonode.cloud") / "stage_profiles"
_NOT_A_PROFILE: Final = "lifecycle"
_ENDINGS: Final = (".yaml", ".yml")


class Profile(msgspec.Struct, frozen=True):
    """A whole profile."""

    name: str
    stages: tuple[Stage, ...]
    rules: tuple[Rule, ...]
    services: dict[str, ServiceTime]
    """By operation, such as `compute.list_servers`; what is not named takes no time of its own."""
    page_limit: int
    """How many items an answer has at most."""

    def rules_by_stage(self) -> dict[str, tuple[Rule, ...]]:
        """The rules about each stage, in their order; stages without one are not in it."""
        found = {stage.name: tuple(rule for rule in self.rules if rule.is_about(stage.name)) for stage in self.stages}
        return {name: rules for name, rules in found.items() if rules}


def known_profiles() -> tuple[str, ...]:
    """The names of the profiles that come with Kilonode."""
    names = (path.name.removesuffix(".yaml") for path in _PACKAGED.iterdir() if path.name.endswith(".yaml"))
    return tuple(sorted(name for name in names if name != _NOT_A_PROFILE))


def load_profile(name: str, operations: Collection[str] = ()) -> Profile:
    """The profile of this name, or in the file of this path. Raises InputError with every problem.

    `operations`: those that services have, where they are known; then others are refused.
    """
    if not name.endswith(_ENDINGS):
        if name not in (*known_profiles(), _NOT_A_PROFILE):
            raise InputError(f"there is no stage profile {name!r}", expected=_expected(), hint=_nearest(name))
        return _packaged_profile(name)
    try:
        data = read_bytes(Path(name))
    except (OSError, ValueError) as error:
        raise InputError(
            f"there is no stage profile {name!r}",
            expected=_expected(),
            got=getattr(error, "strerror", None) or str(error),
            hint=_nearest(name),
        ) from error
    return read_profile(data, name, operations)


def read_profile(data: bytes | str, name: str, operations: Collection[str] = ()) -> Profile:
    """The profile in text that is, or could be, the file of this path. Raises InputError with every problem."""
    return _put_together(name, _chain(read_stage_file(data, name)), operations)


@lru_cache(maxsize=16)
def _packaged_profile(name: str) -> Profile:
    return _put_together(name, _chain(_packaged_file(name)), ())


@lru_cache(maxsize=16)
def _packaged_file(name: str) -> ReadFile:
    return read_stage_file((_PACKAGED / f"{name}.yaml").read_bytes(), f"{name}.yaml")


def _chain(first: ReadFile) -> list[ReadFile]:
    """The file and those it extends, the last ones last. What is wrong with an extension is a problem of a file."""
    chain = [first]
    while (parent := _extended(chain[-1])) is not None:
        place = _place_of_extends(chain[-1])
        if len(chain) == EXTENSIONS_LIMIT:
            chain[0] = _with_problem(chain[0], place.problem("profiles extend one another without end", path="extends"))
            break
        found = _read_parent(chain[-1], parent)
        if found is None:
            problem = place.problem(
                "there is no such profile", path="extends", expected=_expected(), got=parent, hint=_nearest(parent)
            )
            chain[-1] = _with_problem(chain[-1], problem)
            break
        chain.append(found)
    return chain


def _extended(file: ReadFile) -> str | None:
    """What a file extends, also when something else is wrong with it."""
    named = node_at(file.root, "extends")
    value = getattr(named, "value", None)
    return value if isinstance(value, str) else None


def _place_of_extends(file: ReadFile) -> Place:
    node = node_at(file.root, "extends")
    return node.place if node is not None else Place(file.name)


def _read_parent(child: ReadFile, name: str) -> ReadFile | None:
    if not name.endswith(_ENDINGS):
        return _packaged_file(name) if name in (*known_profiles(), _NOT_A_PROFILE) else None
    path = Path(child.name).parent / name
    try:
        return read_stage_file(read_bytes(path), str(path))
    except (OSError, ValueError):
        return None


def _with_problem(file: ReadFile, problem: Problem) -> ReadFile:
    return ReadFile(file.name, file.root, file.value, (*file.problems, problem))


def _put_together(name: str, chain: list[ReadFile], operations: Collection[str]) -> Profile:
    stages: dict[str, Stage] = {}
    known: list[str] = []
    rules: list[Rule] = []
    services: dict[str, ServiceTime] = {}
    page_limit = DEFAULT_PAGE_LIMIT
    problems = [problem for file in chain for problem in file.problems]
    # Stages may be missing where a file cannot be read, or where it extends what is not there.
    whole = all(file.root is not None for file in chain) and _extended(chain[-1]) is None
    for file in reversed(chain):
        if file.root is None:
            continue
        root, part = file.root, file.value
        if whole:  # else stages may be missing that a file has which cannot be read
            problems += check_stages_named(root, [*stages, *known, *stage_names(root)])
            own = {stage.name: stage.when.kind for stage in (part.stages if part is not None else ())}
            problems += check_kinds_of_rules(root, {name: one.when.kind for name, one in stages.items()} | own)
        if operations:
            problems += check_operations(root, operations)
        if part is None:
            known += stage_names(root)
            continue
        problems += check_effects(root, part)
        stages |= {stage.name: stage for stage in part.stages}
        problems += _check_couplings(root, part, stages)
        for section, field in (("delays", "delay"), ("failures", "failure"), ("couplings", "coupled")):
            for stage_name, change in getattr(part, section).items():
                if stage_name in stages:
                    stages[stage_name] = msgspec.structs.replace(stages[stage_name], **{field: change})
        rules += part.rules
        services.update(part.services)
        page_limit = part.page_limit or page_limit
        problems += _check_selectors(root, stages)
    if problems:
        ordered = sorted(dict.fromkeys(problems), key=lambda one: (one.file != name, one.file, one.line, one.column))
        raise InputError("the stage profile has problems", problems=ordered)
    return Profile(name, tuple(stages.values()), tuple(rules), services, page_limit)


def _check_couplings(root: Mapping, part: StageFile, stages: dict[str, Stage]) -> Iterator[Problem]:
    coupled = {name for name, stage in stages.items() if stage.coupled is not None} | set(part.couplings)
    for name, coupling in part.couplings.items():
        stage, other = stages.get(name), stages.get(coupling.stage)
        if stage is None:
            continue
        if other is None:
            continue  # said elsewhere
        if coupling.stage in coupled or coupling.stage == name or other.when.kind != stage.when.kind:
            yield key_place(root, "couplings", name).problem(
                "a stage cannot be coupled to this one",
                path=f"couplings.{name}.stage",
                expected="another stage of the same kind of document that is not coupled itself",
                got=coupling.stage,
            )


def _check_selectors(root: Mapping, stages: dict[str, Stage]) -> Iterator[Problem]:
    """Two stages may not be about the same documents."""
    seen: dict[tuple[str, str, str], str] = {}
    for stage in stages.values():
        selector = (stage.when.kind, stage.when.state, stage.when.task)
        if selector in seen:
            own = stage_names(root)
            number = own.index(stage.name) if stage.name in own else 0
            node = node_at(root, "stages", number, "when") or root
            yield node.place.problem(
                "two stages are about the same documents",
                path=f"stages[{number}].when",
                got=f"the selector of {seen[selector]}",
            )
        seen[selector] = stage.name


def _expected() -> str:
    return f"one of {', '.join(known_profiles())}, or the path of a .yaml file"


def _nearest(name: str) -> str:
    return nearest(name, known_profiles())
