"""`kilonode doctor`: what this machine lacks for what is wanted, before anything starts."""

from pathlib import Path
from typing import Annotated

import typer

from kilonode.cli.fault import HostsOption
from kilonode.cli.output import give_json
from kilonode.cli.stack import DEFAULT_NAME, ComputesOption, JsonOption, NodesOption, ReleaseOption
from kilonode.cli.state import state_folder


def doctor(
    nodes: NodesOption = None,
    computes: ComputesOption = None,
    release: ReleaseOption = None,
    name: Annotated[str, typer.Option("--name", help="Which stack.")] = DEFAULT_NAME,
    port: Annotated[int | None, typer.Option(min=0, max=65_500, help="The first of its ports.")] = None,
    faults: Annotated[
        bool, typer.Option("--faults", help="Look at what faults can be done here, instead of at a stack.")
    ] = False,
    hosts: HostsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what this machine lacks, and how to get it.

    Looks at what a stack of real services needs (`kilonode stack up`): packages, compiler, limits, memory, disk and
    ports, for as many nodes as you say. Load, emulated clouds and reports need nothing but Kilonode itself. Changes
    nothing. Exit code 0 when nothing is missing, 2 when something is.

    With --faults it says what each driver of faults can do here, and why it cannot do the rest: exit code 0. With
    --hosts too it logs in to each host and looks there.
    """
    if faults:
        _look_at_faults(hosts, as_json)
        return
    from kilonode.stack.launch import needs
    from kilonode.stack.needs import describe
    from kilonode.stack.plan import UpSettings

    wanted = UpSettings(state=state_folder(), name=name, nodes=nodes, computes=computes, release=release, port=port)
    found = needs(wanted)
    if as_json:
        give_json(found)
    else:
        for line in describe(found):
            typer.echo(line)
    if not all(need.met for need in found):
        raise typer.Exit(2)


def _look_at_faults(hosts: Path | None, as_json: bool) -> None:
    import asyncio

    from kilonode.cli.faulting import capabilities, describe_capabilities

    found = asyncio.run(capabilities(hosts))
    if as_json:
        give_json(found)
        return
    for line in describe_capabilities(found):
        typer.echo(line)
