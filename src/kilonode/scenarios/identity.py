"""The library's scenarios on the identity service."""

from kilonode.scenarios.actions import identity
from kilonode.scenarios.declaration import scenario
from kilonode.scenarios.iteration import Iteration


@scenario("identity.issue_token")
async def issue_token(it: Iteration) -> None:
    """Log in for a new token.

    The same login as the tenant's own (password, application credential or token), with scope and catalog. A login by
    another keystoneauth plug-in runs in a thread, with its own HTTP library, which is slower.

    Steps: issue_token.
    """
    await identity.issue_token(it)


@scenario("identity.validate_token")
async def validate_token(it: Iteration) -> None:
    """Ask whether a token is good, as services do for every request.

    The token is the tenant's own, so that nothing but the validation is measured.

    Steps: validate_token.
    """
    await identity.validate_token(it)


@scenario("identity.create_and_delete_user")
async def create_and_delete_user(it: Iteration) -> None:
    """Create a user and delete it.

    The user is disabled and has no role. Needs an administrator of the identity service.

    Steps: create_user, delete_user.
    """
    user = await identity.create_user(it)
    await identity.delete_user(it, user)


@scenario("identity.list_projects")
async def list_projects(it: Iteration, *, everyone: bool = False) -> None:
    """List projects.

    Arguments:
        everyone: List all projects there are, which needs an administrator, not only those the user may work in.

    Steps: list_projects.
    """
    await identity.list_projects(it, everyone=everyone)
