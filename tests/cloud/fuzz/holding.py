"""What must hold of every answer, and of the documents, whatever was asked."""

import json
from typing import Any, Final

from tests.cloud.fuzz.asking import Asked
from tests.cloud.fuzz.world import MARK, Documents, World
from tests.cloud.openstack.harness import Answer

OUTSIDERS: Final = ("member", "reader", "manager", "none")
"""They are nothing to the victim."""
OF_USERS: Final = frozenset(
    {"keypair", "application_credential", "access_rule", "credential", "trust", "security_group", "security_group_rule"}
)
"""Kinds of documents that readers may write: what is a user's own, and the default group that a listing makes."""


def check_answer(asked: Asked, answer: Answer, *, hidden: bool = True) -> None:
    """Raises AssertionError. `hidden`: nobody who asks could have shared what is the victim's."""
    assert answer.status, (asked, "no answer")
    assert answer.status < 500 or answer.status == 501, (asked, answer)
    assert b"Traceback" not in answer.raw, (asked, answer)
    assert b'.py", line' not in answer.raw, (asked, answer)
    media = answer.headers.get("content-type", "")
    if asked.route.method == "HEAD" or answer.status in (204, 304):
        return
    if answer.raw and "json" in media:
        body = json.loads(answer.raw)
        if answer.status >= 400:
            assert _is_error(asked.service.name, answer.status, body), (asked, answer)
    elif answer.status >= 400:
        assert asked.service.name in ("image", "placement") or not answer.raw, (asked, answer)
    if hidden and asked.who in OUTSIDERS:
        assert MARK.encode() not in answer.raw, (asked, answer)
        assert MARK not in str(answer.all_headers), (asked, answer)


def _is_error(service: str, status: int, body: Any) -> bool:
    """Whether it has the service's form of an error, or that of the token check."""
    if not isinstance(body, dict):
        return False
    if status == 401:
        return "error" in body or {"code", "title", "message"} <= set(body)
    if service == "network":
        error = body.get("NeutronError")
        return isinstance(error, dict) and {"type", "message", "detail"} <= set(error)
    if service == "placement":
        errors = body.get("errors")
        return isinstance(errors, list) and {"status", "detail", "title"} <= set(errors[0])
    if service == "identity":
        error = body.get("error")
        return isinstance(error, dict) and error.get("code") == status
    if service in ("compute", "volume"):
        if "errors" in body or "choices" in body:
            return True
        (error,) = body.values()
        return isinstance(error, dict) and error.get("code") == status and "message" in error
    return True


async def check_quotas(world: World) -> None:
    """Use is never negative."""
    limits = (await world.ask("admin", "GET", f"/compute/v2.1/os-quota-sets/{world.ours}/detail")).body["quota_set"]
    network = (await world.ask("admin", "GET", f"/network/v2.0/quotas/{world.ours}/details.json")).body["quota"]
    volumes = await world.ask(
        "admin", "GET", f"/volume/v3/{await _admins(world)}/os-quota-sets/{world.ours}?usage=True"
    )
    for name, quota in [*limits.items(), *network.items(), *volumes.body["quota_set"].items()]:
        if isinstance(quota, dict):
            for word in ("in_use", "used", "reserved"):
                assert quota.get(word, 0) >= 0, (name, quota)


async def _admins(world: World) -> str:
    return str((await world.cloud.log_in("admin")).body["token"]["project"]["id"])


def check_documents(
    asked: Asked | str,
    answer: Answer | None,
    before: Documents,
    after: Documents,
    spared: frozenset[str] = frozenset(),
) -> None:
    """Nothing came, changed or went."""
    different = {
        key: (before.get(key), after.get(key))
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key) and key[0] not in spared
    }
    assert different == {}, (asked, answer)
