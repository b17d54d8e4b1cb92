"""The supervisor's socket: what a command asks of a supervisor that runs, and how it hears what comes of it.

A unix socket in the state folder, for its owner alone. One request on a connection, a line of JSON; then any number of
answers, a line each, of which the last says so. A command that goes away takes nothing back.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.errors import InputError, KilonodeError, LabError
from kilonode.base.files import PRIVATE
from kilonode.cloud.commands import ProcessChange

SOCKET_NAME: Final = "control"
_log = logging.getLogger(__name__)


class RestartRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Replace these processes, one after the other, or all at one instant."""

    names: tuple[str, ...]
    change: ProcessChange = ProcessChange()
    together: bool = False


class Answer(msgspec.Struct, frozen=True):
    """Something to tell; the last one has `done`."""

    said: str
    done: bool = False
    failed: bool = False


Tell = Callable[[str], None]
Act = Callable[[RestartRequest, Tell], Awaitable[None]]


@contextlib.asynccontextmanager
async def answering(folder: Path, act: Act) -> AsyncIterator[None]:
    """Answer at the socket of `folder` while the context is open; `act` raises KilonodeError when it cannot do it."""

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def tell(said: str, *, done: bool = False, failed: bool = False) -> None:
            if not writer.is_closing():
                writer.write(msgspec.json.encode(Answer(said, done, failed)) + b"\n")

        try:
            request = msgspec.json.decode(await reader.readline(), type=RestartRequest)
            await act(request, tell)
            tell("", done=True)
        except msgspec.DecodeError as error:
            tell(f"not a request: {error}", done=True, failed=True)
        except KilonodeError as error:
            tell(str(error), done=True, failed=True)
        finally:
            writer.close()

    server = await asyncio.start_unix_server(on_connection, sock=_listener(folder))
    try:
        yield
    finally:
        server.close()


async def ask(folder: Path, request: RestartRequest) -> AsyncIterator[str]:
    """Ask the supervisor of `folder`; what it says on the way. Raises LabError when it could not do it."""
    with _address(folder) as address:
        try:
            reader, writer = await asyncio.open_unix_connection(address)
        except OSError as error:
            raise InputError(
                "the cloud's supervisor does not answer",
                where=str(folder / SOCKET_NAME),
                got=error.strerror or str(error),
                hint="look with: kilonode cloud status",
            ) from error
    try:
        writer.write(msgspec.json.encode(request) + b"\n")
        while line := await reader.readline():
            answer = msgspec.json.decode(line, type=Answer)
            if answer.failed:
                raise LabError("the cloud could not do what it was asked to", where=str(folder), got=answer.said)
            if answer.done:
                return
            yield answer.said
        raise LabError("the cloud went down while it did what it was asked to", where=str(folder))
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _listener(folder: Path) -> socket.socket:
    """The socket, in place of one that a supervisor left: its name stays when it is closed."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    (folder / SOCKET_NAME).unlink(missing_ok=True)
    with _address(folder) as address:
        listener.bind(address)
    (folder / SOCKET_NAME).chmod(PRIVATE)
    return listener


@contextlib.contextmanager
def _address(folder: Path) -> Iterator[str]:
    """The socket's path, however long that of the folder is: those of sockets may have 107 bytes."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET_NAME}"
    finally:
        os.close(descriptor)
