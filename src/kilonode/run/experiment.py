"""The experiment: one frozen, typed value that says what is done to which cloud, and what must hold.

These records are the format of the experiment file: every key, its type and its default stand here once; the reader
(`kilonode.run.reading`), the JSON Schema (`kilonode.run.schema`) and the reference in docs/experiment-file.md follow
them. A value of these types is *resolved*: parameters are filled in, and the matrix is spread out into points.
Records do not check themselves: rules that join several keys stand in `kilonode.run.rules`.

Units: durations, rates and sizes are the types of `kilonode.base.units`, written with their unit.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from kilonode.base.encoding import MORE_THAN_ZERO
from kilonode.base.expectations import NAME_PATTERN
from kilonode.base.units import Duration, Rate, Size
from kilonode.load.models import LoadModel
from kilonode.run.disruptions import Disruption

STAGE_PROFILES = ("instant", "fast", "liberty-1000", "nova-2026")
"""The profiles of stages that the emulated cloud comes with."""

Name = Annotated[str, Meta(pattern=NAME_PATTERN, max_length=30)]
ParameterValue = bool | int | float | str
Quota = Annotated[int, Meta(ge=-1)]


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class SchedulerWeights(_Record, frozen=True):
    """What the scheduler `filter-and-weigh` prefers, as multipliers: negative ones pack where positive ones spread."""

    cpu: float = 1.0
    """Of the free virtual CPUs of a node."""
    memory: float = 1.0
    """Of its free memory."""
    disk: float = 1.0
    """Of its free disk."""
    soft_affinity: float = 1.0
    """Of soft affinity and soft anti-affinity."""
    build_failure: Annotated[float, Meta(ge=0)] = 1.0
    """Of builds that failed on a node lately, against it; 0: they say nothing."""


class RoleProcesses(_Record, frozen=True):
    """How many processes each role of an emulated cloud has; a controller with 0 shares one with the others that do."""

    api: Annotated[int, Meta(ge=1, le=64)] = 1
    """Processes that answer requests, all on one port."""
    scheduler: Annotated[int, Meta(ge=1, le=64)] = 1
    """Processes that give servers their nodes; each has a share of the servers."""
    fleet: Annotated[int, Meta(ge=1, le=64)] = 1
    """Processes that are the nodes; each has a share of them."""
    volume: Annotated[int, Meta(ge=0, le=1)] = 0
    """The controller that takes volumes through their statuses."""
    network: Annotated[int, Meta(ge=0, le=1)] = 0
    """The controller that takes ports through their statuses."""
    image: Annotated[int, Meta(ge=0, le=1)] = 0
    """The controller that takes images through their statuses."""


class EmulatedCloud(_Record, frozen=True):
    """A cloud that Kilonode starts for this run and takes down after it."""

    nodes: Annotated[int, Meta(ge=1, le=100_000)] = 100
    """How many compute nodes it has."""
    stages: Annotated[str, Meta(extra={"known": STAGE_PROFILES, "or_ending": (".yaml", ".yml")})] = "fast"
    """How long its nodes and instances take for what they do: a profile of stages, or a YAML file with one of your own,
    whose path is relative to the experiment file."""
    scheduler: Literal["filter-and-weigh", "next-fit"] = "filter-and-weigh"
    """How nodes are chosen for servers: the best by free room, as Nova's scheduler does, or the next one in turn that
    has room, as CIAO's did."""
    weights: SchedulerWeights = SchedulerWeights()
    """What the scheduler `filter-and-weigh` prefers."""
    service_down_time: Annotated[Duration, MORE_THAN_ZERO] = Duration(60)
    """A service, or a node, that has not been heard of for this long is down."""
    heartbeat: Annotated[Duration, MORE_THAN_ZERO] = Duration(10)
    """How often services and nodes say that they live; less than `service_down_time`."""
    roles: Literal["separate", "together"] | RoleProcesses = "separate"
    """One process for each role, all roles in one process, or how many processes each role has."""
    sites: Annotated[int, Meta(ge=1, le=16)] = 1
    """How many regions it has, `RegionOne`, `RegionTwo` and so on: each with nodes and services of its own, over one
    identity. Setup and workloads are at the first one; probes can be at any."""


class StackCloud(_Record, frozen=True):
    """Real OpenStack services on this machine with emulated compute nodes, as `kilonode stack` brings them up."""

    name: Annotated[str, Meta(pattern=r"^([a-z][a-z0-9-]*)?$", max_length=30)] = ""
    """A stack that is up already, which is only used; what else is said must then be so. Empty: one is brought up for
    this run, and removed after it; runs of one campaign that want the same share it."""
    nodes: Annotated[int, Meta(ge=1, le=20_000)] | None = None
    """How many compute nodes it has. Of a new one: 10."""
    computes: Annotated[int, Meta(ge=1, le=1_000)] | None = None
    """How many nova-compute processes offer the nodes. Of a new one: one for every 50 nodes."""
    network: bool | None = None
    """Servers have real ports. Of a new one: yes."""
    release: str | None = None
    """`newest`, or an OpenStack release such as `2026.1`. Of a new one: `newest`."""
    workers: Annotated[int, Meta(ge=1, le=64)] | None = None
    """How many processes each API and the conductor have. Of a new one: 2."""
    report_interval: Duration | None = None
    """How often each compute service reports the resources of its nodes. Of a new one: as Nova does by itself."""
    clocks: bool | None = None
    """The wall clocks of its OpenStack services can be skewed by faults. Of a new one: no."""
    stages: Annotated[str, Meta(extra={"known": STAGE_PROFILES, "or_ending": (".yaml", ".yml")})] | None = None
    """How long nodes take to spawn and to delete a server: the stages `spawn` and `delete` of a profile, or of a YAML
    file. Of a new one: no time at all."""


class Cloud(_Record, frozen=True):
    """The cloud under test: exactly one of the keys."""

    emulated: EmulatedCloud | None = None
    """A cloud that Kilonode starts for this run and takes down after it."""
    stack: StackCloud | None = None
    """Real OpenStack services on this machine, with emulated compute nodes."""
    openstack: Annotated[str, Meta(min_length=1)] | None = None
    """The name of an OpenStack cloud in `clouds.yaml`, or `envvars` for the cloud that the `OS_*` variables name."""


class ComputeQuotas(_Record, frozen=True):
    """Compute quotas of each project that is made; -1 is unlimited; what is not named stays as the cloud has it."""

    instances: Quota | None = None
    """How many servers."""
    cores: Quota | None = None
    """How many virtual CPUs in all."""
    ram: Quota | None = None
    """How much memory in all, in MiB."""
    key_pairs: Quota | None = None
    """How many key pairs for each user."""
    server_groups: Quota | None = None
    """How many server groups."""


class NetworkQuotas(_Record, frozen=True):
    """Network quotas of each project that is made; -1 is unlimited; what is not named stays as the cloud has it."""

    network: Quota | None = None
    """How many networks."""
    subnet: Quota | None = None
    """How many subnets."""
    port: Quota | None = None
    """How many ports."""
    router: Quota | None = None
    """How many routers."""
    floatingip: Quota | None = None
    """How many floating IP addresses."""
    security_group: Quota | None = None
    """How many security groups."""
    security_group_rule: Quota | None = None
    """How many security group rules in all."""


class VolumeQuotas(_Record, frozen=True):
    """Volume quotas of each project that is made; -1 is unlimited; what is not named stays as the cloud has it."""

    volumes: Quota | None = None
    """How many volumes."""
    gigabytes: Quota | None = None
    """How much in all, in GiB."""
    snapshots: Quota | None = None
    """How many snapshots."""


class Quotas(_Record, frozen=True):
    """Quotas of each project that is made."""

    compute: ComputeQuotas = ComputeQuotas()
    """Quotas of the compute service."""
    network: NetworkQuotas = NetworkQuotas()
    """Quotas of the network service."""
    volume: VolumeQuotas = VolumeQuotas()
    """Quotas of the volume service."""


class FlavorSpec(_Record, frozen=True):
    """A flavor made for the run."""

    vcpus: Annotated[int, Meta(ge=1)] = 1
    """How many virtual CPUs."""
    memory: Annotated[Size, MORE_THAN_ZERO] = Size(64 * 2**20)
    """How much memory: a whole number of MiB."""
    disk: Size = Size(2**30)
    """How big the root disk is: a whole number of GiB; zero: as big as the image, which Nova lets only administrators
    boot."""
    properties: dict[str, str] = {}
    """Extra specs."""


class ImageSpec(_Record, frozen=True):
    """An image made for the run; its data is generated."""

    size: Annotated[Size, MORE_THAN_ZERO] = Size(1 * 2**20)
    """How much data is uploaded."""
    disk_format: Literal["raw", "qcow2"] = "raw"
    """The format the image claims to have."""


class Setup(_Record, frozen=True):
    """What is made before the load and removed after it; nothing foreign is touched."""

    projects: Annotated[int, Meta(ge=0, le=10_000)] = 0
    """How many projects. Zero: the load runs as the user and in the project of the cloud's own credentials. More needs
    a user who may administer the identity service."""
    users_per_project: Annotated[int, Meta(ge=1, le=1_000)] = 1
    """How many users in each project; each is a tenant of the load."""
    networks_per_project: Annotated[int, Meta(ge=0, le=1_000)] = 0
    """How many networks in each project. Zero: the networks that the project can see already are used."""
    subnets_per_network: Annotated[int, Meta(ge=1, le=100)] = 1
    """How many subnets in each network; no two of a run overlap."""
    routers_per_project: Annotated[int, Meta(ge=0, le=100)] = 0
    """How many routers in each project; its subnets are dealt out to them in turn."""
    external_network: str = ""
    """The external network that routers and floating IPs use. Empty: the first one the cloud shows, if any."""
    security_group_rules: Annotated[int, Meta(ge=0, le=10_000)] = 0
    """How many rules in a security group made for each project."""
    roles: Annotated[tuple[str, ...], Meta(min_length=1)] = ("member",)
    """The roles that each user has in its project."""
    quotas: Literal["unlimited", "unchanged"] | Quotas = "unlimited"
    """The quotas of the projects that are made. The quotas of a project that existed before are never changed."""
    flavors: dict[Name, FlavorSpec] = {}
    """Flavors to make; a scenario's argument that names one of these gets the one that was made."""
    images: dict[Name, ImageSpec] = {}
    """Images to make; a scenario's argument that names one of these gets the one that was made."""
    concurrency: Annotated[int, Meta(ge=1, le=1_000)] = 10
    """How many things are made, and later removed, at once."""


class Costs(_Record, frozen=True):
    """How it is measured what the cloud's services use, where they run on this machine."""

    every: Duration = Duration(1)
    """How often processor time, memory, threads, descriptors, connections and queues are read: 200 ms to a minute."""
    idle: Duration = Duration(3)
    """How long nothing is asked of the cloud before setup, to see what its services use by themselves; at most ten
    minutes. Zero: not at all; then what they use by themselves counts as the load's."""


class Probe(_Record, frozen=True, kw_only=True):
    """Small requests in an open loop, to see when a service answers and how fast."""

    endpoint: Annotated[str, Meta(pattern=r"^([a-z][a-z0-9-]*|https?://\S+)$")]
    """What is asked: a service of the cloud, such as `compute`, or an address: `http://…`."""
    path: Annotated[str, Meta(pattern=r"^(/\S*)?$")] = ""
    """Of a service, what is asked for below its endpoint, with a token: `/servers?limit=1`. Empty: its list of
    versions, which needs no token and little work."""
    region: str = ""
    """Of a service, in which region: `RegionTwo`. Empty: where the cloud is logged in to."""
    rate: Annotated[Rate, MORE_THAN_ZERO] = Rate(10)
    """How many requests are due in a unit of time, whatever becomes of those before."""
    connections: Literal["new", "reused"] = "reused"
    """Whether each request opens a connection of its own, as a new client would, or uses one that is open, as a client
    with a pool does: a failing service shows differently in the two."""
    timeout: Annotated[Duration, MORE_THAN_ZERO] = Duration(5)
    """A request without its answer for so long is lost."""
    duration: Annotated[Duration, MORE_THAN_ZERO] | None = None
    """How long it probes. Without one: as long as the other workloads last."""


class Imported(_Record, frozen=True, kw_only=True):
    """Where a workload comes from that another tool ran. It can be judged and reported, not run again."""

    tool: str
    """The tool: `rally`."""
    scenario: str
    """What one iteration did, by the tool's name for it."""
    arguments: str = ""
    """The scenario's arguments, as the tool has them."""
    load: str = ""
    """How the load was made, as the tool has it."""
    repeats: str = ""
    """The first workload with the same scenario, arguments and load: this one is a repeat of it."""


class Consistency(_Record, frozen=True):
    """How what there is after the load is held against what was asked for."""

    settle: Annotated[Duration, MORE_THAN_ZERO] = Duration(60)
    """How long to wait, at most, until nothing is under way any more and nothing changes; then it is looked."""


class Workload(_Record, frozen=True, kw_only=True):
    """A scenario, its arguments and a load model."""

    scenario: str
    """What one iteration does: a name from `kilonode scenarios`."""
    args: dict[str, Any] = {}
    """The scenario's arguments; `kilonode scenarios NAME` explains them."""
    load: LoadModel
    """When iterations start and how many run at once."""
    start: Duration = Duration(0)
    """How long after the start of the load this workload starts."""
    iteration_timeout: Annotated[Duration, MORE_THAN_ZERO] = Duration(600)
    """An iteration that takes longer fails with the outcome `timeout`."""
    objective: Annotated[Duration, MORE_THAN_ZERO] | None = None
    """What takes longer is slow: recovery counts the seconds in which operations were slow. Without one it is found
    from what was measured before the disruption."""
    probe: Probe | None = None
    """Instead of `scenario`, `args` and `load`: small requests that tell when a service answers."""
    imported: Imported | None = None
    """Of a run that was imported: what the workload was. Nothing to write by hand."""


class CriterionItem(_Record, frozen=True):
    """A criterion with more to say than its text."""

    criterion: str
    """What must hold: `[workload[.step]] metric operator value`, such as `boots.boot p(99) < 5s`."""
    abort: bool = False
    """End the load as soon as this does not hold."""
    after: Duration = Duration(0)
    """Do not judge this long after the start of the load: let it warm up."""
    window: Annotated[Duration, MORE_THAN_ZERO] = Duration(10)
    """While the load runs, judge what the last this much time measured. Of meaning only with `abort`."""


class Experiment(_Record, frozen=True, kw_only=True):
    """A cloud, the load on it, and what must hold."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    """What reports and run folders are called."""
    cloud: Cloud | None = None
    """The cloud under test. Without one, only scenarios that need no cloud can run."""
    seed: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    """The same seed gives the same schedule and the same random choices. Without one, each run draws its own."""
    setup: Setup = Setup()
    """What is made before the load and removed after it; nothing foreign is touched."""
    workloads: Annotated[dict[Name, Workload], Meta(min_length=1)]
    """The load: any number of workloads, all at once."""
    criteria: tuple[str | CriterionItem, ...] = ()
    """What must hold for the verdict to be valid."""
    disruptions: tuple[Disruption, ...] = ()
    """What is broken on purpose during the load, and healed at its end at the latest."""
    hosts: str = ""
    """A hosts file: machines that disruptions reach by ssh, and what runs on them. The path is relative to the
    experiment file. Empty: the one that KILONODE_HOSTS names, if any."""
    costs: Literal["unmeasured"] | Costs = Costs()
    """How it is measured what the cloud's services use; `unmeasured`: not at all."""
    consistency: bool | Consistency = False
    """Hold what there is after the load against what was asked for: nothing lost, nothing twice, nothing stuck. A
    criterion such as `lost == 0` asks for it, too."""
    scenarios: tuple[str, ...] = ()
    """Python files with scenarios of your own; paths are relative to the experiment file."""
    workers: Literal["auto"] | Annotated[int, Meta(ge=1, le=256)] = "auto"
    """How many processes make the load. `auto`: as many as the machine and the cloud beside it leave room for."""
    drain: Duration = Duration(30)
    """How long iterations that still run at the end of the load may take to finish; then they are cut off."""
    timeout: Annotated[Duration, MORE_THAN_ZERO] | None = None
    """The run is aborted when setup and load together take longer. Without one there is no limit."""
    parameters: dict[Name, ParameterValue] = {}
    """Named values with their defaults, used elsewhere as `${name}`, changed by `--set parameters.name=value`."""
    matrix: dict[str, tuple[Any, ...]] = {}
    """Paths of this file and the values each takes in turn: every combination is a run of one campaign."""

    def criterion_items(self) -> tuple[CriterionItem, ...]:
        """The criteria, in order; one that was only text has the defaults of `CriterionItem`."""
        return tuple(CriterionItem(item) if isinstance(item, str) else item for item in self.criteria)
