"""`kilonode cloud up|down|status`: an emulated OpenStack cloud on this machine."""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import typer

from kilonode.base.errors import InputError
from kilonode.base.units import Duration
from kilonode.cli.output import give_json, say
from kilonode.cli.state import state_folder

commands = typer.Typer(
    help="An emulated OpenStack cloud on this machine: thousands of nodes, real clients.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

DEFAULT_NAME = "kilonode"
NameOption = Annotated[str, typer.Option("--name", help="Which cloud: any number can stand side by side.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print data as JSON on stdout.")]


@commands.command("up")
def up(
    nodes: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="How many compute nodes. New clouds: 1000.")
    ] = None,
    stages: Annotated[
        str | None,
        typer.Option(
            metavar="PROFILE",
            help="How long what happens takes, and how often it fails: instant, fast, liberty-1000, nova-2026, or a "
            "YAML file (kilonode check FILE explains its mistakes). New clouds: fast.",
        ),
    ] = None,
    name: NameOption = DEFAULT_NAME,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Where to listen; 0 takes any free port. New clouds: 15000.")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="The address to listen on. Default: only this machine can reach the cloud.")
    ] = None,
    store: Annotated[
        Literal["sqlite", "memory"] | None,
        typer.Option(help="Where its state is kept. memory needs --all-in-one and forgets all when it ends."),
    ] = None,
    all_in_one: Annotated[
        bool | None,
        typer.Option("--all-in-one/--process-per-role", help="All roles in one process, or one process each."),
    ] = None,
    roles: Annotated[
        str | None,
        typer.Option(
            metavar="ROLE=N,…",
            help="How many processes roles have, such as api=2,scheduler=2,fleet=4. The controllers volume, network "
            "and image share one process; volume=1 gives one its own. New clouds: one process each.",
        ),
    ] = None,
    sites: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=16,
            help="How many regions: RegionOne, RegionTwo …, each with --nodes nodes, services and a port of its own "
            "(the ones after --port), over one identity. New clouds: 1.",
        ),
    ] = None,
    synchronous: Annotated[
        Literal["normal", "full"] | None,
        typer.Option(help="full: acknowledged writes also survive a power cut, at the price of speed."),
    ] = None,
    scheduler: Annotated[
        Literal["filter-and-weigh", "next-fit"] | None,
        typer.Option(help="How nodes are chosen for servers: as Nova does, or the next one in turn that has room."),
    ] = None,
    services: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="YAML: how the services are set up, such as stores of images, rules of passwords, default quotas.",
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="WEIGHT=N,…",
            help="What filter-and-weigh prefers: cpu, memory, disk, soft_affinity, build_failure. A negative number "
            "packs where a positive one spreads: cpu=1,memory=-1. New clouds: 1 for each.",
        ),
    ] = None,
    service_down_time: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="A service silent for this long counts as down. New clouds: 60s."),
    ] = None,
    heartbeat: Annotated[
        str | None, typer.Option(metavar="DURATION", help="How often services say that they live. New clouds: 10s.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Decides delays and failures.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove what is there and start empty.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring a cloud up; return when it is ready.

    It serves Keystone, Nova, Glance, Neutron, Cinder and Placement on one port, and writes a clouds.yaml of its own.
    A cloud that was brought up before goes on with its servers, networks and images. Options that are not given stay
    as they were.
    """
    from kilonode.cloud import launch
    from kilonode.cloud.role_counts import read_role_counts
    from kilonode.cloud.service_settings import read_service_settings
    from kilonode.cloud.weighing import read_weights

    settings = launch.UpSettings(
        state=state_folder(),
        name=name,
        nodes=nodes,
        stages=_profile(stages),
        scheduler=scheduler,
        weights=read_weights(weights) if weights is not None else None,
        service_down_time_s=_seconds(service_down_time),
        heartbeat_s=_seconds(heartbeat),
        services=None if services is None else read_service_settings(services),
        seed=seed,
        store=store,
        all_in_one=all_in_one,
        roles=read_role_counts(roles) if roles is not None else None,
        sites=sites,
        synchronous=synchronous,
        host=host,
        port=port,
        fresh=fresh,
    )
    status_ = asyncio.run(launch.up(settings, say))
    if as_json:
        give_json(status_)


def _profile(name: str | None) -> str | None:
    """A file by its whole path, because the cloud outlives the folder that it was brought up from."""
    return str(Path(name).resolve()) if name is not None and name.endswith((".yaml", ".yml")) else name


def _seconds(text: str | None) -> float | None:
    return float(Duration.parse(text)) if text is not None else None


@commands.command("down")
def down(
    name: NameOption = DEFAULT_NAME,
    purge: Annotated[bool, typer.Option("--purge", help="Also remove its state, with everything in it.")] = False,
) -> None:
    """Stop a cloud. Its state stays, unless --purge is given."""
    from kilonode.cloud import launch

    asyncio.run(launch.down(state_folder(), name, say, purge=purge))


@commands.command("restart")
def restart(
    roles: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ROLE]…", help="Roles, processes, regions: api, fleet-2, RegionTwo …"),
    ] = None,
    name: NameOption = DEFAULT_NAME,
    version: Annotated[
        str | None, typer.Option(metavar="LABEL", help="What to call what runs from now on; shown by status.")
    ] = None,
    interpreter: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="The Python to run it with, where another version of Kilonode is installed."),
    ] = None,
    environment: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A variable for its environment. Can be repeated.")
    ] = None,
    stages: Annotated[
        str | None, typer.Option(metavar="PROFILE", help="The stage profile it goes by: a name, or a .yaml file.")
    ] = None,
    back: Annotated[bool, typer.Option("--back", help="Take back what the last change of each changed.")] = False,
    together: Annotated[
        bool, typer.Option("--together", help="All at one instant, when each new one could begin. Of api alone.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Replace processes of a cloud, one after the other or --together, without a failed request.

    A replacement is started beside the process that it replaces, which goes on until the new one can do the work. One
    that does not come up changes nothing. What is said about version, interpreter, environment and stages holds until
    the cloud goes down. With --stages what runs from now on behaves otherwise: slower, or failing at times.
    """
    from kilonode.cloud.folder import StateFolder
    from kilonode.cloud.operating import ProcessChange
    from kilonode.cloud.operating import restart as replace
    from kilonode.cloud.plan import check_name

    check_name(name)
    profile = str(Path(stages).absolute()) if stages is not None and stages.endswith((".yaml", ".yml")) else stages
    change = ProcessChange(version, interpreter, _variables(environment or []), profile, back)
    if back and change != ProcessChange(back=True):
        raise InputError("what is taken back is not changed as well", where="--back", expected="no other option")
    folder = StateFolder(state_folder(), name)
    replaced = asyncio.run(replace(folder, roles or [], change, say, together=together))
    if as_json:
        give_json(replaced)


def _variables(given: list[str]) -> dict[str, str]:
    for one in given:
        if one.find("=") < 1:
            raise InputError("not a variable", where="--environment", expected="NAME=VALUE", got=repr(one))
    return {variable: value for variable, _, value in (one.partition("=") for one in given)}


@commands.command("power")
def power(
    action: Annotated[
        Literal["off", "on", "reset", "shutdown", "reboot"],
        typer.Argument(help="off and reset are at once; shutdown and reboot take the time of their stages."),
    ],
    nodes: Annotated[list[str], typer.Argument(metavar="NODE…", help="Which nodes, such as compute-0001.")],
    name: NameOption = DEFAULT_NAME,
    region: Annotated[
        str, typer.Option(metavar="REGION", help="Of which site, where there are several. Default: the first.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Turn nodes of a cloud off and on.

    A node that is off does not answer: its servers stand still, after --service-down-time it counts as down, and then
    its servers can be evacuated. Those that are still its own when it has booted are started again.
    """
    from kilonode.cloud.folder import StateFolder
    from kilonode.cloud.plan import check_name
    from kilonode.cloud.powering import set_power

    check_name(name)
    found = asyncio.run(set_power(StateFolder(state_folder(), name), nodes, action, region))
    if as_json:
        give_json(found)
    for node in () if as_json else found:
        say(f"{node.name}: {node.state}" + (f", {node.task}" if node.task else ""))


@commands.command("status")
def status(name: NameOption = DEFAULT_NAME, as_json: JsonOption = False) -> None:
    """Show a cloud: its address, its nodes, its processes.

    Exit code 0 when it is ready, 3 when it runs but is not ready, 2 when there is no such cloud or it is down.
    """
    from kilonode.cloud import launch
    from kilonode.cloud.status import describe

    found = asyncio.run(launch.status(state_folder(), name))
    if as_json:
        give_json(found)
    else:
        for line in describe(found):
            typer.echo(line)
    if not found.ready:
        raise typer.Exit(3 if found.running else 2)
