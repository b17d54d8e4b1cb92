"""Reaching a host by ssh: its key is checked, one fixed program runs there, and requests to that are records.

No agent is forwarded or asked, no configuration of the user's ssh is read, and no input becomes a part of a shell's
command: the one command line is our own program, quoted. Passwords come from the environment variables that the hosts
file names and are never written anywhere. Needs the extra `kilonode[ssh]`.
"""

import asyncio
import contextlib
import importlib.util
import json
import os
import shlex
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from kilonode.base.errors import FaultError, InputError
from kilonode.faults.hosts import Become, Login

if TYPE_CHECKING:
    import asyncssh

CONNECT_TIMEOUT_S: Final = 15.0
ANSWER_TIMEOUT_S: Final = 180.0
LIMIT_BYTES: Final = 8 * 2**20
"""The longest line that is read of a host."""
HELPER: Final = Path(__file__).parent / "placed" / "host_helper.py"
HOW_TO_GET: Final = "pip install 'kilonode[ssh]'"

Reply = TypeVar("Reply", bound=msgspec.Struct)
Answer = TypeVar("Answer")


class Failed(msgspec.Struct, frozen=True):
    """What every answer may be instead."""

    error: str = ""


class Helper:
    """The program that runs on one host while the connection is open."""

    def __init__(self, host: str, process: "asyncssh.SSHClientProcess[str]") -> None:
        self._host = host
        self._process = process

    async def ask(self, do: str, kind: type[Reply], **request: Any) -> Reply:
        """One request and its answer. Raises FaultError when there is none, or it could not be done."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                self._process.stdin.write(json.dumps({"do": do, **request}) + "\n")
                line = await self._process.stdout.readline()
        except (OSError, ValueError, TimeoutError) as error:
            raise FaultError(f"host {self._host} does not answer any more", got=str(error)) from error
        if not line:
            words = await self._process.stderr.read()
            raise FaultError(f"host {self._host} ended the helper", got=words.strip()[-300:])
        try:
            failed = msgspec.json.decode(line, type=Failed)
            if failed.error:
                raise FaultError(f"host {self._host} could not do it", got=failed.error)
            return msgspec.json.decode(line, type=kind)
        except msgspec.DecodeError as error:
            raise FaultError(f"host {self._host} answers something else", got=line[:200]) from error


@contextlib.asynccontextmanager
async def open_helper(host: str, address: str, login: Login) -> AsyncIterator[Helper]:
    """Log in, become whom the login says, and run the helper.

    Raises InputError when the login is wrong, the host's key is not known or another, FaultError when it cannot be
    reached.
    """
    async with _connect(host, address, login) as connection:
        words, before = helper_command(login.become, os.environ)
        process = await connection.create_process(shlex.join(words), bufsize=LIMIT_BYTES, encoding="utf-8")
        try:
            process.stdin.write(before)
            yield Helper(host, process)
        finally:
            process.close()


def helper_command(become: Become | None, variables: Mapping[str, str]) -> tuple[list[str], str]:
    """The words that start the helper, and what it has to be told first. Raises InputError."""
    helper = ["python3", "-I", "-c", HELPER.read_text()]
    if become is None:
        return helper, ""
    if become.method != "sudo":
        raise InputError("the method to become another user is not known", expected="sudo", got=become.method)
    if become.password_variable is None:
        return ["sudo", "-n", "-u", become.user, "--", *helper], ""
    return (
        ["sudo", "-S", "-p", "", "-u", become.user, "--", *helper],
        secret(become.password_variable, variables) + "\n",
    )


def secret(variable: str, variables: Mapping[str, str]) -> str:
    """What is in a variable of the environment. Raises InputError when it is not there."""
    value = variables.get(variable)
    if not value:
        raise InputError(f"the environment variable {variable} is empty", hint="put the password there")
    return value


def is_installed() -> bool:
    """Whether the library for ssh is there."""
    return importlib.util.find_spec("asyncssh") is not None


@contextlib.asynccontextmanager
async def _connect(host: str, address: str, login: Login) -> AsyncIterator["asyncssh.SSHClientConnection"]:
    if not is_installed():
        raise InputError("hosts cannot be reached: the library for ssh is not installed", hint=HOW_TO_GET)
    import asyncssh

    known = _known_hosts(address, login)
    common: dict[str, Any] = {
        "known_hosts": known,
        "config": None,
        "agent_path": None,
        "agent_forwarding": False,
        "connect_timeout": CONNECT_TIMEOUT_S,
        "login_timeout": CONNECT_TIMEOUT_S,
    }
    async with contextlib.AsyncExitStack() as stack:
        try:
            tunnel = None
            if login.jump is not None:
                jump = _who(login.jump.user, login.jump.key_file)
                tunnel = await stack.enter_async_context(asyncssh.connect(login.jump.address, **jump, **common))
            who = _who(login.user, login.key_file)
            if login.password_variable is not None:
                who["password"] = secret(login.password_variable, os.environ)
            connecting = asyncssh.connect(address, login.port, tunnel=tunnel or (), **who, **common)
            connection = await stack.enter_async_context(connecting)
        except asyncssh.HostKeyNotVerifiable as error:
            raise InputError(
                f"host {host} does not have the key that is known of it",
                where=known,
                got=str(error),
                hint=f"if it is a new host, or was made anew: ssh-keyscan {address}, and compare with the host",
            ) from error
        except (asyncssh.PermissionDenied, asyncssh.KeyImportError) as error:
            raise InputError(f"host {host} does not let us in", where=address, got=str(error)) from error
        except (OSError, TimeoutError, asyncssh.Error) as error:
            raise FaultError(f"host {host} cannot be reached", where=address, got=str(error)) from error
        try:
            yield connection
        except asyncssh.Error as error:
            raise FaultError(f"the connection to host {host} broke", where=address, got=str(error)) from error


def _known_hosts(address: str, login: Login) -> str:
    known = Path(login.known_hosts) if login.known_hosts else Path.home() / ".ssh" / "known_hosts"
    if not known.is_file():
        hint = f"write it, and compare what it says with the host: ssh-keyscan {address}"
        raise InputError("there is no file of known host keys", where=str(known), hint=hint)
    return str(known)


def _who(user: str | None, key_file: str | None) -> dict[str, Any]:
    if key_file is not None and not Path(key_file).is_file():
        raise InputError("the key file is not there", where=key_file)
    found: dict[str, Any] = {}
    if user is not None:
        found["username"] = user
    if key_file is not None:
        found["client_keys"] = [key_file]
    return found
