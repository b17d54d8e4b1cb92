"""`kilonode fault "…"`, `fault heal|list|parse|convert`: break something on purpose, and have it back."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from kilonode.base.errors import InputError, nearest
from kilonode.cli.cloud import DEFAULT_NAME
from kilonode.cli.output import give_json, give_text, say

SENTENCE_COMMAND = "do"
"""What a sentence is given to: it needs not be said."""


class SentenceGroup(TyperGroup):
    """Sub-commands, and sentences without one."""

    # `Any`, because the library for commands is a package of its own or a part of typer, by typer's version.

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Whatever is no sub-command begins a sentence, or its options."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [SENTENCE_COMMAND, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Sub-commands, and the verbs that a sentence begins with."""
        sentence = self.commands[SENTENCE_COMMAND].params[0]
        return [*super().shell_complete(ctx, incomplete), *sentence.shell_complete(ctx, incomplete)]


commands = typer.Typer(
    cls=SentenceGroup,
    help="Break something on purpose, see it break, and have it back.\n\n"
    'kilonode fault "freeze scheduler for 10 seconds" does what the sentence says to the emulated cloud of this '
    "machine (`--cloud stack`: to the services of that stack), and heals it at its end, and at Ctrl-C.\n\n"
    "More sentences: kill one api · restart scheduler · terminate 2 of 3 api · freeze api by cgroup for 1m · "
    "kill one mysqld process · kill api, then after 10s restart scheduler · "
    "abort 10% of POST requests to nova with status 503 for 1m · isolate RegionTwo site for 10s · "
    "degrade api with delay 50ms for 1m. What cannot be done here is said before "
    "anything is touched: --dry-run shows what would be. docs/faults.md has the whole language.\n\n"
    "All options of a sentence: kilonode fault do --help\n\n"
    "If this command was killed itself: kilonode fault heal",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

CloudOption = Annotated[
    str, typer.Option("--cloud", help="The emulated cloud, or the stack of real services, whose services are meant.")
]
HostsOption = Annotated[
    Path | None,
    typer.Option(
        "--hosts",
        envvar="KILONODE_HOSTS",
        help="A hosts file: machines that are reached by ssh, and what runs on them. Faults on nodes need one.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print data as JSON on stdout.")]


def _follow(words: list[str], incomplete: str) -> tuple[str, ...]:
    from kilonode.cli.fault_targets import names_in
    from kilonode.faults.completing import complete

    return complete(" ".join([*words, incomplete]), names_in(DEFAULT_NAME))


def _complete_sentence(ctx: typer.Context, incomplete: str) -> list[str]:
    """What may follow; within quotes the whole sentence is one word of the shell, so all of it is given back."""
    before = incomplete[: len(incomplete) - len(incomplete.split(" ")[-1])]
    return [before + word for word in _follow(list(ctx.params.get("words") or ()), incomplete)]


WordsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="SENTENCE",
        help="What to do, in quotes or without.",
        autocompletion=_complete_sentence,
        show_default=False,
    ),
]


@commands.command(SENTENCE_COMMAND, hidden=True)
def do(
    words: WordsArgument,
    cloud: CloudOption = DEFAULT_NAME,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Find the targets and say what would be done; touch nothing.")
    ] = False,
    seed: Annotated[
        int, typer.Option(help="Decides who is chosen where the sentence leaves it open (one, 2 of 3, 50%).")
    ] = 0,
    hosts: HostsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do what a sentence says.

    A fault with a duration is healed at its end. One without lasts until Ctrl-C, unless it leaves nothing to heal.
    Exit code 0 when all was done and healed, 2 when the sentence or its target is wrong (nothing was touched),
    3 when something could not be done, healed, or seen to be, 4 when Ctrl-C ended it early (all was healed).
    """
    from kilonode.cli import faulting

    others = [each.name for each in commands.registered_commands if each.name and not each.hidden]
    if len(words) == 1 and (hint := nearest(words[0], others)):
        raise InputError("neither a sentence nor a command of kilonode fault", got=words[0], hint=hint)
    done = asyncio.run(faulting.do(" ".join(words), cloud, seed, hosts, dry_run=dry_run))
    if as_json:
        give_json(done)
    if done.interrupted:
        raise typer.Exit(4)


@commands.command("heal")
def heal(
    everything: Annotated[
        bool, typer.Option("--all", help="Also what a process that still runs has injected and would heal itself.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Heal what a command or a run left broken that was killed.

    It goes by the journal that is written before each fault; it can be called any number of times. Exit code 3 when
    something could not be healed.
    """
    from kilonode.cli import faulting

    healed = asyncio.run(faulting.heal(everything=everything))
    if as_json:
        give_json(healed)
    for line in faulting.describe_healed(healed):
        say(line)
    if any(each.left and not each.busy for each in healed):
        raise typer.Exit(3)


@commands.command("list")
def list_journals(
    open_only: Annotated[bool, typer.Option("--open", help="Only what is not healed.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the journal: what was injected, and what became of it."""
    from kilonode.cli import faulting

    records = faulting.read_journals(open_only=open_only)
    if as_json:
        give_json(records)
    else:
        for line in faulting.describe_journals(records, open_only=open_only):
            typer.echo(line)


@commands.command("parse")
def parse(
    words: WordsArgument,
    as_json: JsonOption = False,
) -> None:
    """Read a sentence, or a file with one in each line, and print each as Kilonode understands it.

    Nothing is looked for or touched. In a file, empty lines and what follows a # are left out; every mistake is shown.
    """
    from kilonode.cli import faulting

    read = faulting.parse(words)
    if as_json:
        give_json(read)
    else:
        for each in read:
            give_text(each.text)


@commands.command("examples")
def examples(as_json: JsonOption = False) -> None:
    """Print sentences that show what the language can say."""
    from kilonode.faults.examples import EXAMPLES

    if as_json:
        give_json(EXAMPLES)
        return
    for text, words in EXAMPLES.items():
        give_text(f"{text}    # {words}" if words else text)


@commands.command("convert")
def convert(
    file: Annotated[Path, typer.Argument(help="An os-faults configuration, YAML or JSON.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Read an os-faults configuration and print what it says as a Kilonode hosts file.

    What each key became, and each key that means nothing here, is said on stderr. Passwords are never copied: the file
    names the variables that they are to be put in. Exit code 3 when a key was not understood.
    """
    from kilonode.cli import faulting

    converted = faulting.convert(file)
    if as_json:
        give_json(converted)
    else:
        give_text(faulting.hosts_text(converted))
    for line in faulting.describe_conversion(converted):
        say(line)
    if converted.lost:
        raise typer.Exit(3)
