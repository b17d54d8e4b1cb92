"""Rules of the kernel's packet filter, a table of its own for each fault, by the commands `nft` and `ip`.

A table is put in place as a whole and removed as a whole, so there is never half of one; removing one that is not there
is no error. The empty name of a network namespace is the one that this process is in. What the rules say is not known
here. Needs root.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.encoding import decode_json
from kilonode.base.errors import FaultError
from kilonode.faults.commands import run_to_its_end
from kilonode.faults.driver import Capability, State

NAMESPACES: Final = Path("/run/netns")
_TIMEOUT_S: Final = 20.0


async def run(command: Sequence[str], words: str = "", namespace: str = "") -> str:
    """Run a command, in a namespace; what it said. Raises FaultError with what it complained of."""
    entered = ["ip", "netns", "exec", namespace, *command] if namespace else list(command)
    try:
        code, said, complained = await run_to_its_end(entered, timeout_s=_TIMEOUT_S, words=words)
    except TimeoutError as error:
        raise FaultError(f"{command[0]} did not end in {_TIMEOUT_S:g} s", where=" ".join(command[:6])) from error
    if code:
        got = " ".join(complained.split())[:300]
        raise FaultError(f"{command[0]} refused", where=" ".join(command[:6]), got=got)
    return said


async def add_table(name: str, chains: str, namespace: str = "") -> None:
    """Put a table of family inet in place: all of it, or nothing. Raises FaultError."""
    await run(["nft", "-f", "-"], table_words(name, chains), namespace)


async def replace_table(name: str, chains: str, namespace: str = "") -> None:
    """Have it with these chains and their rules alone, at one instant. Raises FaultError."""
    whole = f"{table_words(name, '')}flush table inet {name}\n{table_words(name, chains)}"
    await run(["nft", "-f", "-"], whole, namespace)


async def remove_table(name: str, namespace: str = "") -> None:
    """Remove it, if it is there. Raises FaultError."""
    if namespace and not (NAMESPACES / namespace).exists():
        return  # its rules went with it
    await run(["nft", "-f", "-"], removal_words(name), namespace)


async def has_table(name: str, namespace: str = "") -> bool:
    """Whether it is there."""
    if namespace and not (NAMESPACES / namespace).exists():
        return False
    return is_listed(name, await run(["nft", "list", "tables"], "", namespace))


def table_words(name: str, chains: str) -> str:
    """What `nft -f -` is told to put a table in place."""
    return f"table inet {name} {{\n{chains}\n}}\n"


def removal_words(name: str) -> str:
    """What `nft -f -` is told to remove one, whether it is there or not: adding what is there changes nothing."""
    return f"add table inet {name}\ndelete table inet {name}\n"


def is_listed(name: str, said: str) -> bool:
    """Whether a table is among those that `nft list tables` said."""
    return f"table inet {name}" in said.splitlines()


class _Address(msgspec.Struct):
    local: str = ""
    prefixlen: int = 32
    scope: str = ""


class _Interface(msgspec.Struct):
    ifname: str = ""
    addr_info: list[_Address] = []


def namespaces() -> tuple[str, ...]:
    """The network namespaces of this machine that have names."""
    try:
        return tuple(sorted(path.name for path in NAMESPACES.iterdir()))
    except OSError:
        return ()


async def addresses(namespace: str) -> dict[str, tuple[str, ...]]:
    """The addresses, with their prefix, of each interface of a namespace but the loopback; none of its link alone."""
    return addresses_in(await run(["ip", "-j", "address"], "", namespace))


def addresses_in(said: str) -> dict[str, tuple[str, ...]]:
    """The same of what `ip -j address` said. Raises FaultError."""
    try:
        read = decode_json(said.encode(), list[_Interface])
    except msgspec.DecodeError as error:
        raise FaultError("`ip` says something else than was asked", got=str(error)) from error
    return {
        each.ifname: tuple(
            f"{one.local}/{one.prefixlen}" for one in each.addr_info if one.scope == "global" and one.local
        )
        for each in read
        if each.ifname != "lo"
    }


async def rules_missing() -> str:
    """Why rules cannot be set here; empty where they can."""
    if os.geteuid() != 0:
        return "needs root"
    if shutil.which("nft") is None:
        return "nft is missing: apt-get install nftables"
    try:
        await run(["nft", "list", "tables"])
    except FaultError as error:
        return f"the kernel refuses nft: {error.problem.got}"
    return ""


async def capability(driver: str, name: str) -> Capability:
    """Whether rules can be set here."""
    why = await rules_missing()
    return Capability(driver, name, State.MISSING if why else State.WORKS, why)
