"""What was answered, as it is kept: one exchange for each request, in `recorded/<service>.json`, one on each line."""

from pathlib import Path
from typing import Any, Final

import msgspec

FOLDER: Final = Path(__file__).with_name("recorded")


class Exchange(msgspec.Struct, frozen=True, omit_defaults=True):
    """One request and its answer, with what always changes replaced."""

    step: str
    by: str
    microversion: str = ""
    status: int = 0
    headers: dict[str, str] = {}
    body: Any = None
    ordered: bool = False
    """The order of lists in the body matters."""
    states: list[list[Any]] = []
    """The states that were seen while it was asked again and again, without repetitions and durations."""


class Recording(msgspec.Struct, frozen=True):
    """All exchanges with one service."""

    service: str
    versions: dict[str, str]
    """Package → version of what answered."""
    exchanges: list[Exchange]


def path_of(service: str) -> Path:
    """Where the recording of the real service is."""
    return FOLDER / f"{service}.json"


def write(recording: Recording, path: Path) -> None:
    """One exchange a line, so that a change of one is a change of one line."""
    encode = msgspec.json.Encoder(order="deterministic").encode
    lines = ",\n".join(encode(exchange).decode() for exchange in recording.exchanges)
    head = encode({"service": recording.service, "versions": recording.versions}).decode()
    path.write_text(f'{head[:-1]},"exchanges":[\n{lines}\n]}}\n')


def read(path: Path) -> Recording:
    """A recording. Raises FileNotFoundError."""
    return msgspec.json.decode(path.read_bytes(), type=Recording)
