"""A block of Ops in columns: what one frame of a journal holds, and what the generator counts its progress from.

Text is coded: a column of text is a table of the different words (`names`) and one number for each Op (`codes`). A
block holds its own tables, so that every frame of a journal can be read alone. Instants are nanoseconds since the
journal's zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]
Codes = npt.NDArray[np.uint16]

OP_WIDTH: Final = 10
"""How many values an Op has in a journal: its fields in order, without the worker, which is the journal's own."""

LARGEST_BLOCK_OPS: Final = 1024
"""Small enough that encoding one block keeps the event loop for well under a millisecond; codes fit into 16 bits."""

_TEXT_PLACES: Final = (0, 1, 2, 7, 8)
"""Where kind, workload, step, outcome and error stand among the values of an Op."""


@dataclass(frozen=True, slots=True)
class Words:
    """A column of text: Op number i has the word `names[codes[i]]`."""

    names: tuple[str, ...]
    codes: Codes


@dataclass(frozen=True, slots=True)
class OpBlock:
    """Some Ops in the order in which they were recorded; every array has one value for each Op."""

    kind: Words
    workload: Words
    step: Words
    outcome: Words
    error: Words
    iteration: Int64s
    due_ns: Int64s
    started_ns: Int64s
    finished_ns: Int64s
    resolution_ns: Int64s

    def __len__(self) -> int:
        return len(self.due_ns)


def uniform_block(words: tuple[str, str, str, str, str], iteration: Int64s, due_ns: Int64s, at_ns: int) -> OpBlock:
    """A block of Ops that differ in iteration and due alone: same kind, workload, step, outcome, error (`words`), all
    started and finished at `at_ns`. At most `LARGEST_BLOCK_OPS`.
    """
    same = np.zeros(len(iteration), dtype=np.uint16)
    at = np.full(len(iteration), at_ns, dtype=np.int64)
    kind, workload, step, outcome, error = (Words((word,) if len(iteration) else (), same) for word in words)
    return OpBlock(
        kind, workload, step, outcome, error, iteration, due_ns, at, at, np.zeros(len(iteration), dtype=np.int64)
    )


class PackedOps(msgspec.Struct, frozen=True, array_like=True, tag="ops", gc=False):
    """A block as a frame's payload: tables of words, then arrays as little-endian bytes (codes in 16 bits)."""

    kind_names: tuple[str, ...]
    workload_names: tuple[str, ...]
    step_names: tuple[str, ...]
    outcome_names: tuple[str, ...]
    error_names: tuple[str, ...]
    codes: bytes
    """The codes of kind, workload, step, outcome and error, column after column."""
    numbers: bytes
    """Iteration, due_ns, started_ns, finished_ns and resolution_ns, column after column."""


class _Table(dict[tuple[str, ...], int]):
    """Gives every new combination of words the next number."""

    def __missing__(self, words: tuple[str, ...]) -> int:
        number = self[words] = len(self)
        return number


def block_of_flat(flat: Sequence[Any], origin_ns: int = 0) -> OpBlock:
    """A block of a flat sequence that holds the `OP_WIDTH` values of the first Op, of the second, and so on.

    Flat, because the recorder of a busy generator then keeps no object for each Op, and columns are plain slices.
    `origin_ns` is subtracted from every instant. At most `LARGEST_BLOCK_OPS` Ops.
    """
    # Few combinations of words occur in a block, so looking them up together is cheaper than one column at a time.
    combinations = _Table()
    texts = zip(*(flat[place::OP_WIDTH] for place in _TEXT_PLACES), strict=True)
    combination = np.fromiter(map(combinations.__getitem__, texts), np.int64, len(flat) // OP_WIDTH)
    columns: list[tuple[str, ...]] = list(zip(*combinations, strict=True)) or [()] * len(_TEXT_PLACES)
    kind, workload, step, outcome, error = (_words(words, combination) for words in columns)
    return OpBlock(
        kind=kind,
        workload=workload,
        step=step,
        outcome=outcome,
        error=error,
        iteration=_numbers(flat[3::OP_WIDTH]),
        due_ns=_numbers(flat[4::OP_WIDTH]) - origin_ns,
        started_ns=_numbers(flat[5::OP_WIDTH]) - origin_ns,
        finished_ns=_numbers(flat[6::OP_WIDTH]) - origin_ns,
        resolution_ns=_numbers(flat[9::OP_WIDTH]),
    )


def pack(block: OpBlock) -> PackedOps:
    """A block as it is written."""
    return PackedOps(
        block.kind.names,
        block.workload.names,
        block.step.names,
        block.outcome.names,
        block.error.names,
        b"".join(
            words.codes.astype("<u2", copy=False).tobytes()
            for words in (block.kind, block.workload, block.step, block.outcome, block.error)
        ),
        b"".join(
            numbers.astype("<i8", copy=False).tobytes()
            for numbers in (block.iteration, block.due_ns, block.started_ns, block.finished_ns, block.resolution_ns)
        ),
    )


def unpack(packed: PackedOps) -> OpBlock:
    """A block as it was before `pack`."""
    codes = np.frombuffer(packed.codes, dtype="<u2").astype(np.uint16, copy=False).reshape(5, -1)
    numbers = np.frombuffer(packed.numbers, dtype="<i8").astype(np.int64, copy=False).reshape(5, -1)
    return OpBlock(
        Words(packed.kind_names, codes[0]),
        Words(packed.workload_names, codes[1]),
        Words(packed.step_names, codes[2]),
        Words(packed.outcome_names, codes[3]),
        Words(packed.error_names, codes[4]),
        *numbers,
    )


def _words(words: Sequence[str], combination: Int64s) -> Words:
    """One column of text, from the word that each combination has in it and the combination of each Op."""
    names = {name: code for code, name in enumerate(dict.fromkeys(words))}
    code_of_combination = np.array([names[word] for word in words], dtype=np.uint16)
    return Words(tuple(map(_storable, names)), code_of_combination[combination])


def _storable(word: str) -> str:
    """The word, unless it holds what UTF-8 or SQL cannot: an error's message may hold anything."""
    if word.isprintable():
        return word
    return word.encode("utf-8", "replace").decode().replace("\0", "?")


def _numbers(column: Sequence[int]) -> Int64s:
    return np.fromiter(column, np.int64, len(column))
