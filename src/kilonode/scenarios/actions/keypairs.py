"""What can be done with key pairs: create, delete, list. They belong to the user, and their name is their id."""

from typing import Final

from kilonode.scenarios.actions.answers import delete_if_there
from kilonode.scenarios.iteration import Iteration

_NOUN: Final = "keypair"
_MAKES_KEYS: Final = "2.2"
"""The microversion to create with: from 2.92 on, the service makes no keys any more."""


async def create(it: Iteration) -> str:
    """Have a key pair made; gives its name. The private key in the answer is thrown away. Step: create_keypair."""
    name = it.name(_NOUN)
    with it.step("create_keypair"):
        await it.cloud.compute.post("/os-keypairs", json={_NOUN: {"name": name}}, microversion=_MAKES_KEYS)
    it.made(_NOUN, name, lambda: delete_if_there(it.cloud.compute, f"/os-keypairs/{name}"))
    return name


async def delete(it: Iteration, name: str) -> None:
    """Delete a key pair. Step: delete_keypair."""
    with it.step("delete_keypair"):
        await it.cloud.compute.delete(f"/os-keypairs/{name}")
    it.unmade(_NOUN, name)


async def list_keypairs(it: Iteration) -> int:
    """List all key pairs of the user, page by page; gives how many. Step: list_keypairs."""
    with it.step("list_keypairs"):
        return len(await it.cloud.compute.list_all("/os-keypairs", "keypairs"))
