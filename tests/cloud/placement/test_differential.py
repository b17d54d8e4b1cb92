"""The same requests, good ones and bad ones, to the real Placement and to the emulated one: the same answers.

Needs a Python with the package `openstack-placement` (an environment of its own: it must not meet Kilonode's), named by
the variable KILONODE_PLACEMENT_PYTHON. Compared are status, the headers that matter, and bodies field by field; lists
without an order are compared as sets, and of a refused body only what is wrong, not JSON Schema's page about it.
"""

import http.client
import json
import os
import random
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.compute.harness import Compute, running

PYTHON = os.environ.get("KILONODE_PLACEMENT_PYTHON", "")
pytestmark = [
    pytest.mark.real_loop,
    pytest.mark.skipif(not PYTHON, reason="KILONODE_PLACEMENT_PYTHON names no Python with openstack-placement"),
]
SERVER = Path(__file__).with_name("reference_server.py")
STEPS = 250
HEADERS = ("openstack-api-version", "cache-control", "location")
VERSIONS = ("1.0", "1.5", "1.8", "1.11", "1.12", "1.17", "1.19", "1.20", "1.24", "1.28", "1.29", "1.33", "1.36")
CLASSES = ("VCPU", "MEMORY_MB", "VGPU", "CUSTOM_ONE")
TRAITS = ("HW_CPU_X86_VMX", "CUSTOM_A", "MISC_SHARES_VIA_AGGREGATE", "CUSTOM_NONE")


class Reference:
    """The real service."""

    def __init__(self, port: int) -> None:
        self._port = port

    def call(self, method: str, path: str, body: Any, version: str) -> tuple[int, dict[str, str], Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        # The reshaper is for services alone; administrators may use the emulated one too.
        headers = {"x-auth-token": "admin", "x-roles": "admin,service", "openstack-api-version": f"placement {version}"}
        if body is not None:
            headers["content-type"] = "application/json"
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        raw = answer.read()
        found = {name.lower(): value for name, value in answer.getheaders()}
        connection.close()
        is_json = "json" in found.get("content-type", "")
        return answer.status, found, json.loads(raw) if raw and is_json else None


@pytest.fixture
def reference(tmp_path: Path) -> Iterator[Reference]:
    """A new one for each test, with nothing in it."""
    with subprocess.Popen(
        [PYTHON, str(SERVER), str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        # Before the port it says what its database migrations do.
        port = next(line for line in process.stdout if line.strip().isdigit())
        yield Reference(int(port))
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=30)


class Session:
    """Draws requests that are about few things, so that they meet each other."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.providers = [str(uuid.UUID(int=seed * 1000 + number)) for number in range(7)]
        self.consumers = [str(uuid.UUID(int=seed * 1000 + 500 + number)) for number in range(4)]
        self.aggregates = [str(uuid.UUID(int=seed * 1000 + 900 + number)) for number in range(2)]
        self.names = {provider: f"p{seed}-{number}" for number, provider in enumerate(self.providers)}
        self.generations: dict[str, int] = {}
        self.consumer_generations: dict[str, int | None] = {}
        self.written: set[str] = set()

    def draw(self) -> tuple[str, str, Any, str]:
        pick = self.random.choice
        version = pick(("1.39", "1.39", "1.39", pick(VERSIONS)))
        provider, consumer = pick(self.providers), pick(self.consumers)
        place, minor = f"/resource_providers/{provider}", int(version.partition(".")[2])
        kind = self.random.randrange(25)
        if kind <= 2:
            body: dict[str, Any] = {"name": self.names[provider], "uuid": provider}
            if minor >= 14:
                body["parent_provider_uuid"] = pick((None, None, *self.providers))
            return "POST", "/resource_providers", body, version
        if kind == 3:
            body = {"name": self.names[provider]}
            if minor >= 14:
                body["parent_provider_uuid"] = pick((None, *self.providers))
            return "PUT", place, body, version
        if kind == 4:
            return "DELETE", pick((place, f"{place}/inventories/{pick(CLASSES)}", f"{place}/traits")), None, version
        if kind <= 7:
            body = {"resource_class": pick(CLASSES), **self.inventory()}
            return "POST", f"{place}/inventories", body, version
        if kind == 8:
            body = {"resource_provider_generation": self.generation(provider), **self.inventory()}
            return "PUT", f"{place}/inventories/{pick(CLASSES)}", body, version
        if kind == 9:
            some = {pick(CLASSES): self.inventory() for _ in range(self.random.randrange(4))}
            body = {"resource_provider_generation": self.generation(provider), "inventories": some}
            return "PUT", f"{place}/inventories", body, version
        if kind <= 11:
            traits = sorted({pick(TRAITS[:3] if self.random.random() < 0.9 else TRAITS) for _ in range(2)})
            return "PUT", f"{place}/traits", self.numbered(provider, traits=traits), version
        if kind == 12:
            some_aggregates = sorted({pick(self.aggregates) for _ in range(2)})
            if minor < 19:
                return "PUT", f"{place}/aggregates", some_aggregates, version
            return "PUT", f"{place}/aggregates", self.numbered(provider, aggregates=some_aggregates), version
        if kind <= 16:
            return "PUT", f"/allocations/{consumer}", self.allocation(consumer, minor), version
        if kind == 17:
            two = {one: self.allocation(one, max(minor, 13)) for one in {consumer, pick(self.consumers)}}
            return "POST", "/allocations", two, version
        if kind == 18:
            return "DELETE", f"/allocations/{consumer}", None, version
        if kind == 19:
            name = pick(("CUSTOM_ONE", "CUSTOM_TWO", "VCPU", "bad"))
            return pick(("PUT", "GET", "DELETE")), f"/resource_classes/{name}", None, "1.39"
        if kind == 20:
            name = pick(("CUSTOM_A", "CUSTOM_B", "HW_CPU_X86_VMX", "bad"))
            return pick(("PUT", "GET", "DELETE")), f"/traits/{name}", None, version
        if kind == 21:
            body = {
                "inventories": {
                    provider: {
                        "resource_provider_generation": self.generation(provider),
                        "inventories": {pick(CLASSES): self.inventory()},
                    }
                },
                "allocations": {consumer: self.allocation(consumer, max(minor, 30))},
            }
            return "POST", "/reshaper", body, pick(("1.39", "1.30", "1.34"))
        return "GET", self.question(provider, consumer), None, version

    def question(self, provider: str, consumer: str) -> str:
        pick = self.random.choice
        place = f"/resource_providers/{provider}"
        amount = self.random.randrange(0, 9)
        resources = f"{pick(CLASSES)}:{amount}"
        more = pick(
            (
                "",
                f"&required={pick(TRAITS)}",
                f"&required=!{pick(TRAITS)}",
                f"&required=in:{pick(TRAITS)},{pick(TRAITS)}",
                f"&member_of={pick(self.aggregates)}",
                f"&member_of=!{pick(self.aggregates)}",
                f"&in_tree={provider}",
            )
        )
        named = f"&resources1={pick(CLASSES)}:1&group_policy={pick(('none', 'isolate'))}"
        return pick(
            (
                place,
                f"{place}/{pick(('inventories', 'usages', 'traits', 'aggregates', 'allocations'))}",
                f"{place}/inventories/{pick(CLASSES)}",
                "/resource_providers",
                f"/resource_providers?resources={resources}{more}",
                f"/resource_providers?name={self.names[provider]}&what=1",
                f"/allocations/{consumer}",
                f"/usages?project_id={pick(('p', 'q', ''))}&user_id=u",
                f"/usages?project_id=p&consumer_type={pick(('INSTANCE', 'all', 'unknown', 'x'))}",
                f"/allocation_candidates?resources={resources}{more}",
                f"/allocation_candidates?resources={resources},{pick(CLASSES)}:1{more}",
                f"/allocation_candidates?resources={resources}{more}{named}",
                f"/allocation_candidates?resources1={resources}{named.replace('1=', '2=')}&same_subtree=1,2",
                f"/allocation_candidates?resources={resources}&root_required={pick(TRAITS)}&limit={amount}",
                f"/traits?name=in:{','.join(TRAITS)}&associated={pick(('true', 'false', 'x'))}",
            )
        )

    def inventory(self) -> dict[str, Any]:
        pick = self.random.choice
        values: dict[str, Any] = {"total": pick((1, 4, 8, 8, 0, "x"))}
        for name, some in (("reserved", (1, 9)), ("min_unit", (2,)), ("max_unit", (3,)), ("step_size", (2,))):
            if self.random.random() < 0.2:
                values[name] = pick(some)
        if self.random.random() < 0.3:
            values["allocation_ratio"] = pick((2.0, 16.0, 0.5))
        return values

    def allocation(self, consumer: str, minor: int) -> dict[str, Any]:
        pick = self.random.choice
        self.written.add(consumer)
        amounts = {
            pick(self.providers): {"resources": {pick(CLASSES): pick((1, 2, 4, 4, 0))}}
            for _ in range(self.random.randrange(3))
        }
        body: dict[str, Any] = {"allocations": amounts}
        if minor < 12:
            body = {"allocations": [{"resource_provider": {"uuid": key}, **one} for key, one in amounts.items()]}
        if minor >= 8:
            body |= {"project_id": pick(("p", "q")), "user_id": "u"}
        if minor >= 28:
            known = self.consumer_generations.get(consumer)
            body["consumer_generation"] = known if self.random.random() < 0.85 else 7
        if minor >= 38:
            body["consumer_type"] = pick(("INSTANCE", "OTHER"))
        return body

    def generation(self, provider: str) -> int:
        right = self.generations.get(provider, 0)
        return right if self.random.random() < 0.85 else right + 1

    def numbered(self, provider: str, **values: Any) -> dict[str, Any]:
        return {"resource_provider_generation": self.generation(provider), **values}

    async def learn(self, compute: Compute) -> None:
        """Look up the generations, so that most changes are made by somebody who knows them."""
        rows = await compute.ok("GET", "/placement/resource_providers", as_="admin", version="1.39")
        self.generations = {row["uuid"]: row["generation"] for row in rows["resource_providers"]}
        for one in self.consumers:
            found = await compute.ok("GET", f"/placement/allocations/{one}", as_="admin", version="1.39")
            self.consumer_generations[one] = found.get("consumer_generation")
        # The real service keeps a record of a consumer whose first allocation it refused, and from then on refuses
        # whoever thinks that there is none: nobody can know that record's generation. So a new one comes instead.
        for position, one in enumerate(self.consumers):
            if one in self.written and self.consumer_generations[one] is None:
                self.consumers[position] = str(uuid.UUID(int=self.random.getrandbits(128)))
                self.consumer_generations[self.consumers[position]] = None


def plain(value: Any, key: str = "") -> Any:
    """A body without what may differ: request ids, where the service is, and the order of what has none."""
    if isinstance(value, dict):
        return {name: plain(inner, name) for name, inner in value.items() if name != "request_id"}
    if isinstance(value, list):
        return sorted((plain(one) for one in value), key=lambda one: json.dumps(one, sort_keys=True))
    if key == "detail" and isinstance(value, str):
        # Of several things that are wrong either may name another.
        for words in ("JSON does not validate", "Invalid query string parameters", "Update conflict:"):
            value = value.split(words)[0]
        words = value.replace("'", " ").replace(",", " ").split()
        return sorted(words)
    return value.replace("/placement/", "/") if isinstance(value, str) else value


def placed(header: str | None) -> str | None:
    """A place without the server."""
    return None if header is None else "/" + header.split("://", 1)[-1].split("/", 1)[-1].removeprefix("placement/")


@pytest.mark.parametrize("seed", range(1, 7))
async def test_the_emulated_placement_answers_as_the_real_one(reference: Reference, seed: int) -> None:
    async with running(nodes=0) as compute:
        session, seen = Session(seed), []
        for name in ("/resource_classes/CUSTOM_ONE", "/traits/CUSTOM_A"):
            reference.call("PUT", name, None, "1.39")
            await compute.ok("PUT", f"/placement{name}", as_="admin", version="1.39")
        for one in session.providers[:5]:
            body = {"name": session.names[one], "uuid": one}
            reference.call("POST", "/resource_providers", body, "1.39")
            await compute.ok("POST", "/placement/resource_providers", body, as_="admin", version="1.39")
        for step in range(STEPS):
            await session.learn(compute)
            method, path, body, version = session.draw()
            status, headers, expected = reference.call(method, path, body, version)
            answer = await compute.call(method, f"/placement{path}", body, as_="admin", version=version)
            what = f"seed {seed}, step {step}: {method} {path} {json.dumps(body)} at {version}"
            if answer.status == 400 and status == 200 and "No such" in str(answer.body):
                # The real service looks up names only until it knows that there are no candidates.
                assert expected["allocation_requests"] == []
                continue
            assert (answer.status, plain(answer.body)) == (status, plain(expected)), what
            for header in HEADERS:
                pair = (answer.headers.get(header), headers.get(header))
                got, wanted = (placed(one) if header == "location" else one for one in pair)
                assert got == wanted, (header, what)
            seen.append(status // 100)
        # Requests that are all refused would compare nothing.
        assert seen.count(2) > STEPS / 8
        assert seen.count(4) > STEPS / 10
