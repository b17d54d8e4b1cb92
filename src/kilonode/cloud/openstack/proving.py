"""Asking an api whether it answers before anybody else can: its application, called inside its own process.

Each service is asked for its version document and for a list, which is read from the store. Anything but a failure of
the service itself will do: who may log in, and how often, is for the users of the cloud to say. The stage profile is
left out: that a version is to be slow, or to fail, is no reason not to switch to it. Nothing is written.
"""

from typing import Any, Final

import msgspec

from kilonode.base.errors import LabError
from kilonode.cloud.access import access_facts
from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.application import application, services
from kilonode.cloud.openstack.identity.authority import Authority
from kilonode.cloud.openstack.identity.login import Login, log_in
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.service import ServiceApp

SERVER_ERRORS: Final = 500


async def prove(cloud: Cloud) -> None:
    """See that every service answers. Raises LabError when one fails, InputError for a wrong stage profile."""
    application(cloud)
    asked = application(cloud, with_stages=False)
    token = _token(cloud)
    for service in services(cloud):
        for path in _questions(service):
            await _ask(asked, path, token)


def _questions(service: ServiceApp) -> list[str]:
    """The version document and a list of a service: paths."""
    documents = [f"{service.root or service.prefix}{route.path}" for route in service.discovery[:1]]
    lists = [
        f"{service.prefix}{route.path}"
        for route in service.routes
        if route.method == "GET" and "{" not in route.path and route.operation.startswith("list_")
    ]
    return documents + lists[:1]


def _token(cloud: Cloud) -> str:
    """One of the administrator; empty when that one may not log in, or is not there yet."""
    facts = access_facts(cloud.settings)
    user = {"name": facts.username, "domain": {"name": facts.user_domain_name}, "password": facts.password}
    project = {"name": facts.project_name, "domain": {"name": facts.project_domain_name}}
    identity = {"methods": ["password"], "password": {"user": user}}
    login = msgspec.convert({"identity": identity, "scope": {"project": project}}, Login)
    try:
        token, _ = log_in(cloud, login)
    except Fault:
        return ""
    return cloud.part(Authority).signer.sign(token)


async def _ask(asked: Any, path: str, token: str) -> None:
    """One request. Raises LabError for an answer that is a failure of the service."""
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]

    headers = [(b"host", b"localhost"), (b"x-auth-token", token.encode())]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": headers}
    await asked(scope, receive, send)
    if status >= SERVER_ERRORS:
        raise LabError("the api does not answer as it should", where=f"GET {path}", got=f"status {status}")
