"""What the docstring of a scenario says: a summary, a description, the arguments and the steps.

The first line is the summary. Paragraphs follow. Two kinds of paragraph have a meaning of their own, by their first
word:

Arguments:
        flavor: What the argument means; needed only where its type does not say it.

    Steps: boot, boot.accepted, boot.active, delete.

The steps are those that every good iteration records, or some of them when no `Steps:` are given.
"""

import inspect
import re
from dataclasses import dataclass, field
from typing import Final

from kilonode.base.errors import InputError

_ARGUMENT: Final = re.compile(r"(?P<name>[a-z_][a-z0-9_]*):\s+(?P<text>.+)", re.DOTALL)
_STEP: Final = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)*")


@dataclass(frozen=True, slots=True)
class Docstring:
    """What a docstring says."""

    summary: str = ""
    description: str = ""
    """The paragraphs after the summary, each on one line, with an empty line between them."""
    arguments: dict[str, str] = field(default_factory=dict)
    steps: tuple[str, ...] = ()


def read_docstring(text: str, where: str) -> Docstring:
    """Take a docstring apart. `where` is the place of the function, for the InputError about a bad section."""
    paragraphs = [
        paragraph.strip("\n") for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text)) if paragraph.strip()
    ]
    summary = _one_line(paragraphs[0]) if paragraphs else ""
    description: list[str] = []
    arguments: dict[str, str] = {}
    steps: tuple[str, ...] = ()
    for paragraph in paragraphs[1:]:
        if paragraph.startswith("Arguments:"):
            arguments = _read_arguments(paragraph, where)
        elif paragraph.startswith("Steps:"):
            steps = _read_steps(paragraph.removeprefix("Steps:"), where)
        else:
            description.append(_one_line(paragraph))
    return Docstring(summary, "\n\n".join(description), arguments, steps)


def _read_arguments(paragraph: str, where: str) -> dict[str, str]:
    entries: list[str] = []
    for line in paragraph.splitlines()[1:]:
        indentation = len(line) - len(line.lstrip())
        if indentation > 4 and entries:
            entries[-1] += " " + line.strip()  # goes on with the argument above
        else:
            entries.append(line.strip())
    found: dict[str, str] = {}
    for entry in entries:
        match = _ARGUMENT.fullmatch(entry)
        if match is None:
            raise InputError("not the description of an argument", where=where, expected="name: text", got=repr(entry))
        found[match["name"]] = match["text"]
    return found


def _read_steps(text: str, where: str) -> tuple[str, ...]:
    steps = tuple(word.strip() for word in _one_line(text).removesuffix(".").split(","))
    for step in steps:
        if not _STEP.fullmatch(step):
            raise InputError(
                "not a step's name", where=where, expected="Steps: boot, boot.active, delete", got=repr(step)
            )
    return steps


def _one_line(text: str) -> str:
    return " ".join(text.split())
