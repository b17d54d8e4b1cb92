"""What a delegated token, one of a trust or an application credential, must not be used for: to make more of itself.

Otherwise what a trustee or a program makes would outlive, or be worth more than, what it was given. Keystone's rules.
"""

from kilonode.cloud.openstack.identity.authority import Authority
from kilonode.cloud.openstack.identity.model import APPLICATION_CREDENTIAL
from kilonode.cloud.openstack.identity.tokens import Token
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request

_NOT_ALLOWED = "You are not authorized to perform the requested action:"


def caller_token(request: Request) -> Token:
    """The token of a request."""
    return request.cloud.part(Authority).session(request.header("x-auth-token") or "").token


def refuse_token_of_trust(request: Request) -> None:
    """Raises Fault 403: application credentials and access rules are not for trustees, not even to look at."""
    if caller_token(request).trust_id:
        raise Fault(403, f"{_NOT_ALLOWED} application credentials cannot be managed with a token of a trust.")


def refuse_token_of_credential(request: Request) -> None:
    """Raises Fault 403: trusts are not for programs, not even to look at."""
    if caller_token(request).credential_id:
        raise Fault(
            403,
            f"{_NOT_ALLOWED} Using method 'application_credential' is not allowed for managing trusts.",
        )


def refuse_restricted(request: Request) -> None:
    """Raises Fault 403: only an unrestricted application credential manages others."""
    made_from = caller_token(request).credential_id
    entry = request.cloud.mirror.get(APPLICATION_CREDENTIAL, made_from) if made_from else None
    if entry is not None and not entry.value.unrestricted:
        raise Fault(
            403,
            f"{_NOT_ALLOWED} Using method 'application_credential' is not allowed for managing additional application "
            "credentials.",
        )


def in_scope(request: Request, project_id: str | None) -> bool:
    """Whether the token may touch a credential of this project: a delegated one only those of its own."""
    token = caller_token(request)
    return not (token.trust_id or token.credential_id) or token.project_id == project_id
