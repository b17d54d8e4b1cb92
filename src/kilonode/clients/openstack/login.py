"""Logging in: an `Access` to a `Token`.

Password, token and application credential are one POST to Keystone v3 over our own transport. Every other keystoneauth
plug-in runs in a thread, with its own HTTP library: it is used at most once per token, never in the measured path, and
not in simulated time, where there are no threads.
"""

import asyncio
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import InputError, OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.failures import classify, scrub
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.catalog import Endpoint, read_catalog
from kilonode.clients.transport import Transport

NATIVE_TYPES: Final = frozenset({"password", "token", "application_credential"})
_UNKNOWN_LIFE_S: Final = 3600.0
"""How long a token is taken to last when the cloud does not say."""


class Token(msgspec.Struct, frozen=True):
    """A token and what came with it. Printing it does not show it."""

    headers: tuple[tuple[str, str], ...]
    """What proves who we are: X-Auth-Token, or what another plug-in sends instead."""
    catalog: tuple[Endpoint, ...]
    project_id: str
    user_id: str
    roles: tuple[str, ...]
    obtained_ns: int
    expires_ns: int
    """On the monotonic clock."""

    @property
    def text(self) -> str:
        """The token itself; empty where a plug-in uses none."""
        return next((value for name, value in self.headers if name.lower() == "x-auth-token"), "")

    def __repr__(self) -> str:
        return f"Token(user_id={self.user_id!r}, project_id={self.project_id!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("user_id", self.user_id), ("project_id", self.project_id)]


async def log_in(access: Access, transport: Transport, clock: Clock) -> Token:
    """A new token. Raises OperationError when the cloud refuses or cannot be reached, InputError for wrong settings."""
    if access.auth_type in NATIVE_TYPES:
        return await _log_in_natively(access, transport, clock)
    if clock.simulated:
        raise InputError(
            f"logging in by {access.auth_type!r} needs a real clock",
            expected="password, token or application_credential in simulated time",
        )
    return await asyncio.get_running_loop().run_in_executor(None, _log_in_by_plugin, access, clock)


def identity_url(auth_url: str) -> str:
    """The root of Keystone's API, version 3, at an address with any version or none."""
    parts = urlsplit(auth_url)
    segments = [segment for segment in parts.path.split("/") if segment]
    if segments and segments[-1] in ("v3", "v2.0"):
        segments.pop()
    return urlunsplit((parts.scheme, parts.netloc, "/".join(["", *segments, "v3"]), "", ""))


async def _log_in_natively(access: Access, transport: Transport, clock: Clock) -> Token:
    response = await transport.request(
        "POST",
        f"{identity_url(access.auth_url)}/auth/tokens",
        headers=(("Accept", "application/json"), ("Content-Type", "application/json")),
        body=msgspec.json.encode({"auth": auth_document(access)}),
        timeout_s=access.timeout_s,
    )
    failure = classify(response, "identity", access.secrets())
    if failure is not None:
        raise failure
    text = response.header("x-subject-token")
    document = response.json()
    if not text or not isinstance(document, dict) or not isinstance(document.get("token"), dict):
        raise OperationError(Outcome.PROTOCOL, "identity: the answer to the login is no token", status=response.status)
    return _read_token(document["token"], (("X-Auth-Token", text),), clock)


def auth_document(access: Access) -> dict[str, Any]:
    """Keystone's `auth` document for the three native ways."""
    identity: dict[str, Any]
    if access.auth_type == "application_credential":
        credential: dict[str, Any] = {"secret": access.application_credential_secret}
        if access.application_credential_id:
            credential["id"] = access.application_credential_id
        else:
            credential |= {"name": access.application_credential_name, "user": _user(access)}
        # An application credential carries its scope; naming one is an error.
        return {"identity": {"methods": ["application_credential"], "application_credential": credential}}
    if access.auth_type == "token":
        identity = {"methods": ["token"], "token": {"id": access.token}}
    else:
        user = _user(access) | {"password": access.password}
        identity = {"methods": ["password"], "password": {"user": user}}
    scope = _scope(access)
    return {"identity": identity, "scope": scope} if scope else {"identity": identity}


def _user(access: Access) -> dict[str, Any]:
    if access.user_id:
        return {"id": access.user_id}
    return {"name": access.username, "domain": _domain(access.user_domain_id, access.user_domain_name)}


def _scope(access: Access) -> dict[str, Any]:
    if access.trust_id:
        return {"OS-TRUST:trust": {"id": access.trust_id}}
    if access.system_scope:
        return {"system": {access.system_scope: True}}
    if access.project_id:
        return {"project": {"id": access.project_id}}
    if access.project_name:
        domain = _domain(access.project_domain_id, access.project_domain_name)
        return {"project": {"name": access.project_name, "domain": domain}}
    if access.domain_id or access.domain_name:
        return {"domain": _domain(access.domain_id, access.domain_name)}
    return {}


def _domain(identifier: str, name: str) -> dict[str, str]:
    if name and not identifier:
        return {"name": name}
    return {"id": identifier or "default"}


def _read_token(token: dict[str, Any], headers: tuple[tuple[str, str], ...], clock: Clock) -> Token:
    obtained_ns = clock.now_ns()
    life_s = _life_s(str(token.get("issued_at") or ""), str(token.get("expires_at") or ""))
    return Token(
        headers=headers,
        catalog=read_catalog(token),
        project_id=str((token.get("project") or {}).get("id", "")),
        user_id=str((token.get("user") or {}).get("id", "")),
        roles=tuple(str(role.get("name", "")) for role in token.get("roles") or ()),
        obtained_ns=obtained_ns,
        expires_ns=obtained_ns + round(life_s * NANOSECONDS_PER_SECOND),
    )


def _life_s(issued_at: str, expires_at: str) -> float:
    try:
        life_s = (datetime.fromisoformat(expires_at) - datetime.fromisoformat(issued_at)).total_seconds()
    except (ValueError, TypeError):
        return _UNKNOWN_LIFE_S
    return max(0.0, life_s)


def _log_in_by_plugin(access: Access, clock: Clock) -> Token:
    """Runs in a thread: keystoneauth is synchronous."""
    from keystoneauth1 import exceptions, loading
    from keystoneauth1.session import Session

    certificate = (access.certificate_file, access.key_file) if access.key_file else access.certificate_file or None
    try:
        loader: Any = loading.get_plugin_loader(access.auth_type)
        plugin = loader.load_from_options(
            **{name: list(value) if isinstance(value, tuple) else value for name, value in access.plugin_options}
        )
        session = Session(
            auth=plugin,
            verify=(access.ca_file or True) if access.verify else False,
            cert=certificate,
            timeout=access.timeout_s,
        )
        headers = tuple(sorted((plugin.get_headers(session) or {}).items()))
        known = plugin.get_access(session) if hasattr(plugin, "get_access") else None
    except exceptions.NoMatchingPlugin:
        raise InputError(f"there is no keystoneauth plug-in {access.auth_type!r}") from None
    except exceptions.ClientException as error:
        message = scrub(f"identity: {error}", access.secrets())
        outcome, status = _plugin_outcome(error)
        if outcome is None:
            raise InputError(f"logging in by {access.auth_type!r} failed: {message}") from None
        raise OperationError(outcome, message, status=status) from None
    except (TypeError, ValueError) as error:
        message = scrub(f"logging in by {access.auth_type!r} failed: {error}", access.secrets())
        raise InputError(message) from None
    document: dict[str, Any] = {}
    if known is not None:
        document = {
            "catalog": known.service_catalog.catalog,
            "project": {"id": known.project_id or ""},
            "user": {"id": known.user_id or ""},
            "roles": [{"name": name} for name in known.role_names],
            "issued_at": known.issued.isoformat() if known.issued else "",
            "expires_at": known.expires.isoformat() if known.expires else "",
        }
    return _read_token(document, headers, clock)


def _plugin_outcome(error: Exception) -> tuple[Outcome | None, int]:
    """The class of a keystoneauth error, and its HTTP status; no class: the settings are wrong."""
    from keystoneauth1 import exceptions

    if isinstance(error, exceptions.HttpError):
        status = int(error.http_status or 0)
        return (Outcome.HTTP_5XX if status >= 500 else Outcome.HTTP_4XX), status
    if isinstance(error, exceptions.ConnectTimeout):
        return Outcome.TIMEOUT, 0
    if isinstance(error, exceptions.SSLError):
        return Outcome.TLS, 0
    return (Outcome.REFUSED if isinstance(error, exceptions.ConnectFailure) else None), 0
