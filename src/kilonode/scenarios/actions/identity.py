"""What can be done with the identity service: log in, validate a token, users, projects."""

from typing import Final

from kilonode.base.errors import InputError
from kilonode.clients.openstack.login import log_in
from kilonode.scenarios.actions.answers import delete_if_there, identity_in
from kilonode.scenarios.iteration import Iteration

_NOUN: Final = "user"


async def issue_token(it: Iteration) -> None:
    """Log in anew, as the tenant does; the token is thrown away. Step: issue_token."""
    with it.step("issue_token"):
        await log_in(it.cloud.access, it.cloud.transport, it.clock)


async def validate_token(it: Iteration) -> None:
    """Ask whether the tenant's own token is good, as every service does for every request. Step: validate_token."""
    token = it.cloud.token.text
    if not token:
        raise InputError("this way to log in uses no token", where=f"workloads.{it.workload}")
    with it.step("validate_token"):
        await it.cloud.identity.get("/auth/tokens", headers=(("X-Subject-Token", token),))


async def create_user(it: Iteration) -> str:
    """Create a user who is disabled and has no role; gives the id. Step: create_user."""
    body = {"name": it.name(_NOUN), "description": f"Made by Kilonode run {it.run_id}", "enabled": False}
    with it.step("create_user"):
        user = identity_in(await it.cloud.identity.post("/users", json={_NOUN: body}), _NOUN)
    it.made(_NOUN, user, lambda: delete_if_there(it.cloud.identity, f"/users/{user}"))
    return user


async def delete_user(it: Iteration, user: str) -> None:
    """Delete a user. Step: delete_user."""
    with it.step("delete_user"):
        await it.cloud.identity.delete(f"/users/{user}")
    it.unmade(_NOUN, user)


async def list_projects(it: Iteration, *, everyone: bool) -> int:
    """List the projects that the user may work in, or all there are; gives how many. Step: list_projects."""
    with it.step("list_projects"):
        path = "/projects" if everyone else "/auth/projects"
        return len(await it.cloud.identity.list_all(path, "projects"))
