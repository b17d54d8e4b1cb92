"""Stage profiles: YAML files that give the stages of a cloud their delays and odds, and API operations a service time.

A profile either lists `stages:` or `extends:` another one and overrides `delays:`, `failures:` and
`couplings:` by stage name. The
profiles that come with Kilonode are in `cloud/stage_profiles`; any other file can be named by its path.
"""

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import yaml
from msgspec import Meta

from kilonode.base.encoding import from_plain
from kilonode.base.errors import InputError, nearest
from kilonode.base.units import Duration
from kilonode.cloud.delays import Delay
from kilonode.cloud.stages import Coupling, Failure, Stage, find_by_name

EXTENSIONS_LIMIT: Final = 8
"""How many profiles may extend one another: enough for every use, and an end for a circle."""
DEFAULT_PAGE_LIMIT: Final = 1_000
"""Nova's own default."""
_PACKAGED: Final = files("kilonode.cloud") / "stage_profiles"
_NOT_A_PROFILE: Final = "lifecycle"


class ServiceTime(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the cloud thinks: `before` it does what it was asked to; then, before it answers, `base` and `per_item`
    for each item answered.
    """

    base: Duration = Duration(0)
    per_item: Duration = Duration(0)
    before: Delay | None = None
    """Drawn anew for each request."""

    def total_s(self, items: int) -> float:
        """The time for an answer of this many items, in seconds."""
        return self.base + items * self.per_item


class _ProfileFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A profile as it stands in its file."""

    extends: str | None = None
    stages: tuple[Stage, ...] = ()
    delays: dict[str, Delay] = {}
    failures: dict[str, Failure] = {}
    couplings: dict[str, Coupling] = {}
    services: dict[Annotated[str, Meta(pattern=r"^[a-z]+\.[a-z_]+$")], ServiceTime] = {}
    page_limit: Annotated[int, Meta(ge=1)] | None = None


class Profile(msgspec.Struct, frozen=True):
    """A whole profile."""

    name: str
    stages: tuple[Stage, ...]
    services: dict[str, ServiceTime]
    """By operation, such as `compute.list_servers`; what is not named takes no time of its own."""
    page_limit: int
    """How many items an answer has at most."""


def known_profiles() -> tuple[str, ...]:
    """The names of the profiles that come with Kilonode."""
    names = (path.name.removesuffix(".yaml") for path in _PACKAGED.iterdir() if path.name.endswith(".yaml"))
    return tuple(sorted(name for name in names if name != _NOT_A_PROFILE))


def load_profile(name: str) -> Profile:
    """The profile of this name, or in the file of this path. Raises InputError."""
    chain = [_read(name)]
    while (parent := chain[-1].extends) is not None:
        if len(chain) == EXTENSIONS_LIMIT:
            raise InputError("profiles extend one another without end", where=name)
        chain.append(_read(parent))
    stages: dict[str, Stage] = {}
    services: dict[str, ServiceTime] = {}
    page_limit = DEFAULT_PAGE_LIMIT
    for part in reversed(chain):
        for stage in part.stages:
            stages[stage.name] = stage
        for stage_name, delay in part.delays.items():
            stages[stage_name] = msgspec.structs.replace(find_by_name(stage_name, stages), delay=delay)
        for stage_name, failure in part.failures.items():
            stages[stage_name] = msgspec.structs.replace(find_by_name(stage_name, stages), failure=failure)
        for stage_name, coupling in part.couplings.items():
            other = find_by_name(coupling.stage, stages)
            stage = msgspec.structs.replace(find_by_name(stage_name, stages), coupled=coupling)
            if other.coupled is not None or other.name == stage.name or other.when.kind != stage.when.kind:
                raise InputError(
                    "a stage cannot be coupled to this one",
                    where=f"{name}: couplings.{stage_name}",
                    expected="another stage of the same kind of document that is not coupled itself",
                    got=other.name,
                )
            stages[stage_name] = stage
        services.update(part.services)
        page_limit = part.page_limit or page_limit
    return Profile(name, tuple(stages.values()), services, page_limit)


def _read(name: str) -> _ProfileFile:
    packaged = _PACKAGED / f"{name}.yaml"
    is_path = name.endswith((".yaml", ".yml"))
    try:
        text = Path(name).read_text(encoding="utf-8") if is_path else packaged.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"there is no stage profile {name!r}",
            expected=f"one of {', '.join(known_profiles())}, or the path of a .yaml file",
            hint=nearest(name, known_profiles()),
        ) from error
    try:
        content: Any = yaml.safe_load(text)
        return from_plain(content or {}, _ProfileFile)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise InputError("a stage profile cannot be read", where=name, got=str(error)) from error
