"""Asking a running cloud, as any client would, whether it answers: a token, then how many nodes are up.

Plain blocking HTTP in a thread, because it is a handful of requests while a cloud comes up; load goes elsewhere. It
uses no proxy, whatever the environment says, since the cloud is on this machine.
"""

import asyncio
import http.client
import json
import urllib.error
import urllib.request
from typing import Any, Final

import msgspec

TIMEOUT_S: Final = 10.0

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Answer(msgspec.Struct, frozen=True):
    """What the cloud said."""

    nodes_up: int = 0
    problem: str = ""
    """Why there is no full answer; empty when there is one."""


async def ask(url: str, user: str, password: str, project: str) -> Answer:
    """Log in to the cloud at `url` and count the nodes that are up. Never raises: no answer is an answer."""
    return await asyncio.to_thread(_ask, url, user, password, project)


def _ask(url: str, user: str, password: str, project: str) -> Answer:
    domain = {"name": "Default"}
    login = {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": user, "domain": domain, "password": password}},
            },
            "scope": {"project": {"name": project, "domain": domain}},
        }
    }
    try:
        token, _ = _request(f"{url}/identity/v3/auth/tokens", login, {})
        _, services = _request(f"{url}/compute/v2.1/os-services", None, {"X-Auth-Token": token})
        up = sum(service["binary"] == "nova-compute" and service["state"] == "up" for service in services["services"])
        return Answer(nodes_up=up)
    except urllib.error.HTTPError as error:
        with error:
            return Answer(problem=f"{error.url} answered {error.code}")
    except (OSError, http.client.HTTPException) as error:
        return Answer(problem=str(getattr(error, "reason", error)))
    except (ValueError, KeyError, TypeError) as error:
        return Answer(problem=f"the answer is not what a cloud would say ({error!r})")


def _request(url: str, body: Any, headers: dict[str, str]) -> tuple[str, Any]:
    """The token header, if any, and the decoded body."""
    request = urllib.request.Request(  # noqa: S310 - the address is ours
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **headers},
    )
    with _opener.open(request, timeout=TIMEOUT_S) as response:
        return response.headers.get("X-Subject-Token", ""), json.load(response)
