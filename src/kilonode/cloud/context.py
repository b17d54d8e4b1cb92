"""What every handler and controller of the emulated cloud is given: `Cloud`, and the settings it was started with.

A `Cloud` is one role's view: a mirror of the store, a clock, a source of ids and the settings. It holds no resources of
its own, so any number of roles, in one process or many, can each have one over the same store.
Instants in documents are `_us`: whole microseconds of wall-clock time since 1970 UTC. They must survive a restart of
every process and of the machine, which the monotonic clock does not; nothing is measured with them.
"""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, Self, TypeVar

import msgspec
from msgspec import Meta

from kilonode.base.clock import Clock
from kilonode.base.randomness import Randomness, random_uuid, rising_uuid
from kilonode.cloud.kinds import records, split_by_home
from kilonode.cloud.profiles import load_profile
from kilonode.cloud.role_counts import RoleCounts
from kilonode.cloud.service_settings import ServiceSettings
from kilonode.cloud.stages import Stages
from kilonode.control.joined import JoinedMirror
from kilonode.control.mirror import Delete, Mirror, Put
from kilonode.store.protocol import Store

DEFAULT_PORT: Final = 15000
_UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

SchedulerName = Literal["filter-and-weigh", "next-fit"]
Changes = Sequence[Put | Delete]
Part = TypeVar("Part")


class Secrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What must never be shown. Printing it shows nothing."""

    admin_password: str = ""
    """The password of the users `admin` and `demo`."""
    token_key: str = ""
    """The key that signs tokens, hexadecimal."""

    def __repr__(self) -> str:
        return "Secrets(…)"


class NodeShape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What every node has. Capacity is (size − reserved) × allocation ratio, as Placement counts it."""

    vcpus: Annotated[int, Meta(ge=1)] = 32
    memory_mb: Annotated[int, Meta(ge=1)] = 131_072
    disk_gb: Annotated[int, Meta(ge=1)] = 2_000
    cpu_allocation_ratio: Annotated[float, Meta(gt=0)] = 4.0
    memory_allocation_ratio: Annotated[float, Meta(gt=0)] = 1.0
    disk_allocation_ratio: Annotated[float, Meta(gt=0)] = 1.0
    reserved_memory_mb: Annotated[int, Meta(ge=0)] = 512
    reserved_vcpus: Annotated[int, Meta(ge=0)] = 0
    reserved_disk_gb: Annotated[int, Meta(ge=0)] = 0


class Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the filter-and-weigh scheduler prefers, as multipliers. Negative ones pack where positive ones spread."""

    cpu: float = 1.0
    memory: float = 1.0
    disk: float = 1.0
    soft_affinity: float = 1.0
    """Of soft affinity and soft anti-affinity; the free fractions of a node weigh at most 1 together."""
    build_failure: Annotated[float, Meta(ge=0)] = 1.0
    """0: builds that failed on a node say nothing about it."""


class Site(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of several sites of a cloud: nodes and services of their own, a region of the one catalog."""

    region: str
    public_url: str
    """Where clients reach the site, without a slash at the end."""


class CloudSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything a role needs to know; written once by whoever starts the cloud."""

    nodes: Annotated[int, Meta(ge=0, le=100_000)] = 1_000
    """How many compute nodes."""
    stages: str = "fast"
    """The stage profile: a name from `cloud/stage_profiles`, or the path of a YAML file."""
    seed: int = 0
    """Decides delays and failures; with the simulated clock also ids."""
    name: str = "kilonode"
    """The name of the cloud in `clouds.yaml`."""
    region: str = "RegionOne"
    public_url: str = f"http://127.0.0.1:{DEFAULT_PORT}"
    """Where clients reach the cloud, without a slash at the end; the catalog's endpoints begin with it."""
    sites: tuple[Site, ...] = ()
    """All sites of the cloud, this one too; empty when it is the only one."""
    node_shape: NodeShape = NodeShape()
    zones: Annotated[tuple[str, ...], Meta(min_length=1)] = ("nova",)
    """The availability zones; nodes are dealt out to them in turn."""
    roles: RoleCounts = RoleCounts()
    """How many processes each role has."""
    scheduler: SchedulerName = "filter-and-weigh"
    """How nodes are chosen: see `cloud.filter_and_weigh` and `cloud.next_fit`."""
    weights: Weights = Weights()
    service_down_time_s: Annotated[float, Meta(gt=0)] = 60.0
    """A service that has not been heard of for this long is down."""
    heartbeat_s: Annotated[float, Meta(gt=0)] = 10.0
    """How often services say that they live."""
    services: ServiceSettings = ServiceSettings()
    """How the OpenStack services are set up."""
    state_folder: str = ""
    """Where data that is not documents is kept, such as image bytes; empty: only in memory."""
    secrets: Secrets = Secrets()

    def url_of_region(self, region: str) -> str:
        """Where clients reach the services of a region; of one that is not known, those of this site."""
        return next((site.public_url for site in self.sites if site.region == region), self.public_url)


class Cloud:
    """One role's view of the cloud."""

    def __init__(self, mirror: Mirror, clock: Clock, settings: CloudSettings, role: str) -> None:
        self.mirror = mirror
        self.clock = clock
        self.settings = settings
        self.role = role
        self.profile = load_profile(settings.stages)
        self.stages = Stages(self.profile.stages, settings.seed)
        self.rules = self.profile.rules_by_stage()
        self._parts: dict[Callable[[Cloud], Any], Any] = {}
        # A role that is started again must not give the ids of its life before: they depend on when it began.
        seeded = Randomness(settings.seed, "ids", role, clock.now_ns())
        self._ids = seeded.stream() if clock.simulated else random.SystemRandom()

    @classmethod
    async def open(
        cls,
        store: Store,
        clock: Clock,
        settings: CloudSettings,
        role: str,
        kinds: Sequence[str],
        shared: Store | None = None,
    ) -> Self:
        """A view with its own mirror of `kinds` (all registered kinds when empty), listed and following the store.

        `shared` is the store of what all sites of the cloud have in common; None: that is in `store` with the rest.
        """
        wanted = records(*kinds)
        own, common = split_by_home(wanted)
        if shared is None or not common:
            mirror = Mirror(store, wanted)
        else:
            mirror = JoinedMirror(Mirror(store, own), Mirror(shared, common))
        cloud = cls(mirror, clock, settings, role)
        await cloud.mirror.start()
        return cloud

    async def close(self) -> None:
        """Stop following the store. The store itself stays open."""
        await self.mirror.stop()

    def part(self, make: Callable[["Cloud"], Part]) -> Part:
        """The one value of `make(cloud)` for this view, made at the first call: a running total over the mirror, say.

        What is made holds nothing that the documents do not say: it is a view of them, and dies with the role.
        """
        if make not in self._parts:
            self._parts[make] = make(self)
        found: Part = self._parts[make]
        return found

    def new_id(self) -> str:
        """A new UUID with dashes, as Nova, Neutron, Glance and Cinder give; seeded when time is simulated.

        Elsewhere it begins with the instant, which keeps the store's index small to write (decision 0121).
        """
        if self.clock.simulated:
            return random_uuid(self._ids)
        return rising_uuid(self._ids, self.now_us() // 1000)

    def new_hexadecimal_id(self) -> str:
        """A new UUID without dashes, as Keystone gives."""
        return self.new_id().replace("-", "")

    def now_us(self) -> int:
        """The wall-clock instant now, in microseconds since 1970 UTC."""
        return (self.clock.utc() - _UNIX_EPOCH) // _MICROSECOND

    def now(self) -> str:
        """The wall-clock time now, as `2030-01-01T00:00:00Z`."""
        return timestamp(self.now_us())


def timestamp(instant_us: int) -> str:
    """An instant as Nova writes it: `2030-01-01T00:00:00Z`, cut to the second."""
    return _second(instant_us // 1_000_000)


@lru_cache(maxsize=16_384)
def _second(seconds: int) -> str:
    # Remembered, because lists are full of instants and many resources are made in one second.
    return (_UNIX_EPOCH + timedelta(seconds=seconds)).isoformat()[:19] + "Z"


def timestamp_with_microseconds(instant_us: int) -> str:
    """An instant as the older Nova extensions write it: `2030-01-01T00:00:00.000000`, UTC without saying so."""
    return (_UNIX_EPOCH + timedelta(microseconds=instant_us)).isoformat(timespec="microseconds")[:26]
