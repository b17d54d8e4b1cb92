"""Leading packets to a program: rules of iptables, in a chain of their own for each fault.

`iptables`, because not every kernel lets `nft` say `queue`; where its rules are kept as nft's, both are the same. The
chain is there as a whole before anything is led into it. What it left empty behind it is removed with it. Needs root.
"""

import contextlib
import os
import shutil
from collections.abc import Sequence
from typing import Final

from kilonode.base.errors import FaultError
from kilonode.faults import detached, netfilter

_TABLE: Final = "mangle"


def queue_of(token: str) -> int:
    """The number of the queue of a fault: above those that people choose."""
    return int(token[-4:], 16) | 0x8000


async def add(token: str, rules: Sequence[Sequence[str]], namespace: str) -> None:
    """Make the chain; what leaves, and what arrives by the loopback, is led into it. Raises FaultError."""
    await _run(("-N", token), namespace)
    await lead(token, rules, namespace)
    await _run(("-A", "OUTPUT", "-j", token), namespace)
    await _run(("-A", "INPUT", "-i", "lo", "-j", token), namespace)


async def lead(token: str, rules: Sequence[Sequence[str]], namespace: str) -> None:
    """Add rules to the chain. Without the program, packets pass. Raises FaultError."""
    queue = ("-j", "NFQUEUE", "--queue-num", str(queue_of(token)), "--queue-bypass")
    for rule in rules:
        await _run(("-A", token, *rule, *queue), namespace)


async def remove(token: str, namespace: str) -> None:
    """Remove the chain, or the half of it that is there. Raises FaultError when it is still there."""
    if namespace and not (netfilter.NAMESPACES / namespace).exists():
        return
    led = (("-D", "OUTPUT", "-j", token), ("-D", "INPUT", "-i", "lo", "-j", token))
    for rule in (*led, ("-F", token), ("-X", token)):
        try:
            await _run(rule, namespace)
        except FaultError:
            continue  # it is not there
    if f" {token}\n" in await _run(("-S",), namespace):
        raise FaultError("a chain of iptables cannot be removed", where=token)
    await _tidy(namespace)


async def _tidy(namespace: str) -> None:
    """Remove the table that iptables has made of its own accord, when nothing is in it."""
    if shutil.which("nft") is None:
        return
    try:
        there = await netfilter.run(["nft", "list", "table", "ip", _TABLE], "", namespace)
    except FaultError:
        return
    empty = {"", f"table ip {_TABLE} {{", "chain OUTPUT {", "chain INPUT {", "}"}
    lines = [line.strip() for line in there.splitlines()]
    if all(line in empty or line.startswith(("#", "type route hook", "type filter hook")) for line in lines):
        await netfilter.run(["nft", "delete", "table", "ip", _TABLE], "", namespace)


def missing() -> str:
    """Why packets cannot be led to a program here; empty where they can, as far as that shows without trying."""
    if os.geteuid() != 0:
        return "needs root"
    return "" if shutil.which("iptables") else "iptables is missing: apt-get install iptables"


async def refused() -> str:
    """Why the kernel refuses such rules; empty where it takes them. It tries, in a chain that leads nowhere."""
    queue = ("-j", "NFQUEUE", "--queue-num", "0", "--queue-bypass")
    why, chain = "", detached.new_token()
    try:
        await _run(("-N", chain), "")
        await _run(("-A", chain, *queue), "")
    except FaultError as error:
        why = f"the kernel refuses: {error.problem.got}"
    with contextlib.suppress(FaultError):
        await remove(chain, "")
    return why


async def _run(arguments: Sequence[str], namespace: str) -> str:
    return await netfilter.run(["iptables", "-w", "5", "-t", _TABLE, *arguments], "", namespace)
