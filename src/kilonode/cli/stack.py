"""`kilonode stack up|down|status|logs`: real OpenStack services with emulated computes on this machine."""

import asyncio
from typing import Annotated

import typer

from kilonode.cli.output import give_json, say
from kilonode.cli.stack_words import StepLines
from kilonode.cli.state import state_folder

commands = typer.Typer(
    help="Real OpenStack services on this machine, with compute nodes that spawn nothing: up to thousands of them.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

DEFAULT_NAME = "stack"
NameOption = Annotated[str, typer.Option("--name", help="Which stack: any number can stand side by side.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print data as JSON on stdout.")]
NodesOption = Annotated[
    int | None, typer.Option(min=1, max=20_000, help="How many compute nodes in all. New stacks: 10.")
]
ComputesOption = Annotated[
    int | None,
    typer.Option(
        min=1, max=1_000, help="How many nova-compute processes share the nodes. Default: one for every 50 nodes."
    ),
]
ReleaseOption = Annotated[
    str | None, typer.Option(metavar="RELEASE", help="newest, or an OpenStack release such as 2026.1. New: newest.")
]


@commands.command("up")
def up(
    nodes: NodesOption = None,
    computes: ComputesOption = None,
    release: ReleaseOption = None,
    network: Annotated[
        bool | None,
        typer.Option("--network/--no-network", help="Real ports by Neutron, or boots without ports. New: with."),
    ] = None,
    stages: Annotated[
        str | None,
        typer.Option(metavar="PROFILE", help="How long nodes take to spawn and delete: a profile or file of stages."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes of each API and of the conductor. New: 2.")
    ] = None,
    password_rounds: Annotated[
        int | None,
        typer.Option(min=4, max=16, help="Cost of Keystone's password hashes; its own default is 12. New: 4."),
    ] = None,
    report_interval: Annotated[
        int | None,
        typer.Option(min=0, help="Seconds between reports of each node's resources; 0 is Nova's default. New: 0."),
    ] = None,
    name: NameOption = DEFAULT_NAME,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_500, help="The first of eleven ports; 0 finds free ones. New: 0.")
    ] = None,
    clocks: Annotated[
        bool | None,
        typer.Option(
            "--clocks/--no-clocks",
            help="Let the wall clocks of the OpenStack services be skewed by faults. New: --no-clocks.",
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove what is there and start empty.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Go on although memory seems too small.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring a stack up; return when all its nodes are there.

    Keystone, Placement, Glance, Neutron and Nova come from PyPI into an environment of their own; MariaDB, RabbitMQ
    and memcached from the system's packages (`kilonode doctor` names what is missing). Everything listens on loopback
    alone. Given again, it goes on where it was stopped, mends what died, and adds nodes. Options that are not given
    stay as they were.
    """
    from kilonode.cli.stack_delays import delays_of
    from kilonode.stack import launch
    from kilonode.stack.plan import UpSettings

    settings = UpSettings(
        state=state_folder(),
        name=name,
        nodes=nodes,
        computes=computes,
        release=release,
        network=network,
        workers=workers,
        password_rounds=password_rounds,
        report_interval_s=report_interval,
        delays=delays_of(stages) if stages is not None else None,
        clocks=clocks,
        port=port,
        fresh=fresh,
        force=force,
    )
    record = asyncio.run(launch.up(settings, StepLines()))
    if as_json:
        give_json(record)


@commands.command("down")
def down(
    name: NameOption = DEFAULT_NAME,
    purge: Annotated[bool, typer.Option("--purge", help="Also remove every file of it.")] = False,
) -> None:
    """End every process of a stack. Its data stays, unless --purge is given.

    The installed release stays for the next stack.
    """
    from kilonode.stack import launch

    asyncio.run(launch.down(state_folder(), name, StepLines(), purge=purge))


@commands.command("status")
def status(name: NameOption = DEFAULT_NAME, as_json: JsonOption = False) -> None:
    """Show a stack: each service with its processes, CPU, memory, connections, and the queues of the message bus.

    Exit code 0 when all of it is well, 3 when something died or does not answer, 2 when there is no such stack or it
    is down.
    """
    from kilonode.stack.status import describe, look

    found = asyncio.run(look(state_folder(), name))
    if as_json:
        give_json(found)
    else:
        for line in describe(found):
            typer.echo(line)
    if not found.ready:
        raise typer.Exit(3 if found.running else 2)


@commands.command("logs")
def logs(
    process: Annotated[str, typer.Argument(help="A service or process, as `status` names it. Empty: list them.")] = "",
    name: NameOption = DEFAULT_NAME,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as more is written, until Ctrl-C.")] = False,
) -> None:
    """Show the log of one service."""
    from kilonode.stack.logs import follow_log, log_names, read_log

    if not process:
        for known in log_names(state_folder(), name):
            typer.echo(known)
        return
    for line in read_log(state_folder(), name, process, lines):
        typer.echo(line)
    if follow:
        try:
            asyncio.run(follow_log(state_folder(), name, process, typer.echo))
        except KeyboardInterrupt:
            say("")
