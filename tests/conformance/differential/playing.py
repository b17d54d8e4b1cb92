"""Plays sequences against a cloud: who asks is made first, a project for each sequence, then request after request.

What is kept of an answer goes into later requests. Nothing is judged here, and an answer that has not what was to be
kept is no error: what follows then asks for something that is not there, which every cloud can answer.
"""

import json
import re
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND
from tests.conformance.differential.normalising import Normaliser
from tests.conformance.differential.recording import Exchange
from tests.conformance.differential.sequences import MICROVERSION_TYPES, Sequence, Step
from tests.conformance.differential.speaking import Heard, Speaker, root_of

PATIENCE_S: Final = 90
STATES: Final = ("status", "OS-EXT-STS:task_state", "OS-EXT-STS:vm_state", "OS-EXT-STS:power_state")
PASSWORD: Final = "a-password-of-tests"
ACCEPTED: Final = "application/json"
"""What OpenStack's own clients ask for unless they say otherwise. Some services write their errors by it."""
_NAME: Final = re.compile(r"\$\{(\w+)\}")
_PEOPLE: Final = (
    ("member", "project", "member"),
    ("reader", "project", "reader"),
    ("other", "other_project", "member"),
)
"""Name, project and role of who asks beside the administrator."""


async def play(speaker: Speaker, sequences: list[Sequence], run: str) -> list[Exchange]:
    """Every request of these sequences and its answer. `run` is part of all names, so one cloud can be asked twice."""
    admin = await _log_in(speaker, speaker.user, speaker.password, speaker.project)
    exchanges: list[Exchange] = []
    for sequence in sequences:
        player = await _prepared(speaker, admin, f"{run}{sequence.name.replace('-', '')}")
        for step in sequence.steps:
            exchange = await player.take(step)
            if not step.hidden:
                exchanges.append(exchange)
    return exchanges


async def _log_in(speaker: Speaker, user: str, password: str, project: str) -> dict[str, Any]:
    """A token for a project, with its body; the catalog's addresses are remembered."""
    domain = {"name": "Default"}
    named = {"name": user, "domain": domain, "password": password}
    auth = {
        "identity": {"methods": ["password"], "password": {"user": named}},
        "scope": {"project": {"name": project, "domain": domain}},
    }
    content = {"Content-Type": "application/json"}
    heard = await speaker.send("identity", "POST", "/v3/auth/tokens", json.dumps({"auth": auth}).encode(), content)
    assert heard.status == 201, heard.raw
    token: dict[str, Any] = heard.body["token"]
    for service in token["catalog"]:
        for endpoint in service["endpoints"]:
            if endpoint["interface"] == "public":
                speaker.roots.setdefault(service["type"], root_of(endpoint["url"]))
    return {"token": heard.headers["x-subject-token"], **token}


async def _prepared(speaker: Speaker, admin: dict[str, Any], unique: str) -> "Player":
    """Two projects and those who ask."""

    async def make(method: str, path: str, document: Any = None) -> Any:
        headers = {"X-Auth-Token": admin["token"], "Content-Type": "application/json"}
        heard = await speaker.send(
            "identity", method, path, json.dumps(document).encode() if document else b"", headers
        )
        assert heard.status < 300, heard.raw
        return heard.body

    values: dict[str, Any] = {
        "unique": unique,
        "password": PASSWORD,
        "admin": admin["user"]["id"],
        "admin_project": admin["project"]["id"],
    }
    for name in ("project", "other_project"):
        document = {"project": {"name": f"{name}-{unique}", "domain_id": "default"}}
        values[name] = (await make("POST", "/v3/projects", document))["project"]["id"]
    for role in (await make("GET", "/v3/roles"))["roles"]:
        values[f"role_{role['name']}"] = role["id"]
    tokens = {"admin": admin["token"], "forger": "gAAAAAB" + "x" * 60}
    for name, project, role in _PEOPLE:
        document = {"user": {"name": f"{name}-{unique}", "password": PASSWORD, "domain_id": "default"}}
        values[name] = (await make("POST", "/v3/users", document))["user"]["id"]
        await make("PUT", f"/v3/projects/{values[project]}/users/{values[name]}/roles/{values[f'role_{role}']}")
        tokens[name] = (await _log_in(speaker, f"{name}-{unique}", PASSWORD, f"{project}-{unique}"))["token"]
    return Player(speaker, values, tokens)


class Player:
    """One sequence being played: the values that were kept, and the tokens of those who ask."""

    def __init__(self, speaker: Speaker, values: dict[str, Any], tokens: dict[str, str]) -> None:
        self._speaker = speaker
        self._values = values
        self._tokens = tokens
        self._normaliser = Normaliser(
            {**speaker.roots, **values}, [urlsplit(root).path for root in speaker.roots.values()]
        )

    async def take(self, step: Step) -> Exchange:
        """Ask, again where the step says so, and keep what it says."""
        heard = await self._ask(step)
        states: list[list[Any]] = []
        clock = self._speaker.clock
        end_ns = clock.now_ns() + PATIENCE_S * NANOSECONDS_PER_SECOND
        while step.until is not None:
            state = _state(heard.body)
            if state and (not states or states[-1] != state):
                states.append(state)
            if _reached(heard, step.until) or clock.now_ns() > end_ns:
                break
            await clock.sleep(self._speaker.poll_s)
            heard = await self._ask(step)
        for name, place in step.keep.items():
            value = heard.headers.get(place[7:]) if place.startswith("header:") else _at(heard.body, place)
            self._values[name] = "none-such" if value is None else value
            if value is not None:
                self._normaliser.remember(name, value)
        return Exchange(
            step.name,
            step.by,
            step.microversion,
            heard.status,
            self._normaliser.headers(heard.headers),
            self._normaliser.body(heard.body, ordered=step.ordered),
            step.ordered,
            states,
        )

    async def _ask(self, step: Step) -> Heard:
        headers = {"Accept": ACCEPTED} | {name: str(self._filled(value)) for name, value in step.headers.items()}
        if step.by != "nobody":
            headers["X-Auth-Token"] = self._tokens.get(step.by) or str(self._filled(step.by))
        if step.microversion:
            headers["OpenStack-API-Version"] = f"{MICROVERSION_TYPES[step.service]} {step.microversion}"
        body = b""
        if step.text is not None:
            body = str(self._filled(step.text)).encode()
            headers.setdefault("Content-Type", "application/json")
        elif step.body is not msgspec.UNSET:
            body = json.dumps(self._filled(step.body)).encode()
            headers.setdefault("Content-Type", "application/json")
        return await self._speaker.send(step.service, step.method, str(self._filled(step.path)), body, headers)

    def _filled(self, value: Any) -> Any:
        """A value with what was kept in its places; a value that is one place alone keeps its kind."""
        if isinstance(value, str):
            whole = _NAME.fullmatch(value)
            if whole:
                return self._values[whole.group(1)]
            return _NAME.sub(lambda match: str(self._values[match.group(1)]), value)
        if isinstance(value, dict):
            return {str(self._filled(name)): self._filled(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._filled(inner) for inner in value]
        return value


def _at(body: Any, place: str) -> Any:
    for part in place.split("."):
        if isinstance(body, dict):
            body = body.get(part)
        elif isinstance(body, list) and part.isdigit() and int(part) < len(body):
            body = body[int(part)]
        else:
            return None
    return body


def _reached(heard: Heard, until: dict[str, Any]) -> bool:
    if until.get("gone"):
        return heard.status == 404
    return all(_at(heard.body, place) in wanted for place, wanted in until.items())


def _state(body: Any) -> list[Any]:
    """Where a server, or anything with a status, is."""
    if not isinstance(body, dict):
        return []
    resource = body.get("server", body)
    if not isinstance(resource, dict) or "status" not in resource:
        return []
    return [resource[name] for name in STATES if name in resource]
