"""`kilonode cloud up|down|status`: an emulated OpenStack cloud on this machine."""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import typer

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
            help="How long nodes and instances take: instant, fast, liberty-1000, or a YAML file. New clouds: fast.",
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
            help="How many processes roles have, such as api=2,scheduler=2,fleet=4. The controllers volume, network and "
            "image share one process; volume=1 gives one its own. New clouds: one process each.",
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
    from kilonode.cloud.service_settings import read_service_settings

    settings = launch.UpSettings(
        state=state_folder(),
        name=name,
        nodes=nodes,
        stages=stages,
        scheduler=scheduler,
        services=None if services is None else read_service_settings(services),
        seed=seed,
        store=store,
        all_in_one=all_in_one,
        roles=read_role_counts(roles) if roles is not None else None,
        synchronous=synchronous,
        host=host,
        port=port,
        fresh=fresh,
    )
    status_ = asyncio.run(launch.up(settings, say))
    if as_json:
        give_json(status_)


@commands.command("down")
def down(
    name: NameOption = DEFAULT_NAME,
    purge: Annotated[bool, typer.Option("--purge", help="Also remove its state, with everything in it.")] = False,
) -> None:
    """Stop a cloud. Its state stays, unless --purge is given."""
    from kilonode.cloud import launch

    asyncio.run(launch.down(state_folder(), name, say, purge=purge))


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
