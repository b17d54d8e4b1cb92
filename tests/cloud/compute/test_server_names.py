"""Lists of servers by name: the quick ways find what the regular expression finds."""

import re

from hypothesis import given
from hypothesis import strategies as st

from kilonode.cloud.openstack.compute.model import SERVER, Server, ServerFlavor
from kilonode.cloud.openstack.compute.server_names import keys_by_name, name_test
from kilonode.control.mirror import Delete, Mirror, Put
from kilonode.store.memory import MemoryStore
from tests.cloud.compute.harness import Compute, running

NAMES = st.text("ab-_ .^$é", min_size=1, max_size=4).map(str.strip).filter(bool)
PATTERNS = st.tuples(
    st.sampled_from(["", "^"]), st.text("ab-_ .é", min_size=1, max_size=3), st.sampled_from(["", "$"])
).map("".join)


@given(NAMES, PATTERNS)
def test_a_name_is_tested_as_the_regular_expression_tests_it(name: str, text: str) -> None:
    pattern = re.compile(text)
    assert name_test(pattern)(name) == (pattern.search(name) is not None)


async def test_servers_are_found_by_the_names_they_have_now() -> None:
    mirror = Mirror(MemoryStore(), {SERVER: Server})
    await mirror.start()
    names = ["web", "web-1", "db", "web", "a.b"]
    servers = [server_of(str(number), name) for number, name in enumerate(names)]
    await mirror.commit([Put(SERVER, server, server.id, 0) for server in servers])
    for text in ("web", "^web$", "^web", "b$", "^", "a.b", "w.b", "(web|db)-?", "nothing", "^nothing$"):
        pattern = re.compile(text)
        wanted = {str(number) for number, name in enumerate(names) if pattern.search(name)}
        assert set(keys_by_name(mirror, pattern)) == wanted, text
    await mirror.commit([Put(SERVER, server_of("0", "db"), "0"), Delete(SERVER, "2")])
    assert set(keys_by_name(mirror, re.compile("^web$"))) == {"3"}
    assert set(keys_by_name(mirror, re.compile("db"))) == {"0"}
    await mirror.stop()


async def test_a_list_by_name_shows_the_newest_first_and_a_new_name_at_once() -> None:
    async with running() as compute:
        ids = [await compute.boot(name) for name in ("web-1", "web-2", "db", "web-1")]
        assert await listed(compute, "web") == [ids[3], ids[1], ids[0]]
        assert await listed(compute, "^web-1$") == [ids[3], ids[0]]
        assert await listed(compute, "^db$") == [ids[2]]
        await compute.ok("PUT", f"/servers/{ids[2]}", {"server": {"name": "web-3"}})
        assert await listed(compute, "^db$") == []
        page = await compute.ok("GET", "/servers?name=^web-3$")
        assert [(one["id"], one["name"]) for one in page["servers"]] == [(ids[2], "web-3")]
        assert [link["rel"] for link in page["servers"][0]["links"]] == ["self", "bookmark"]


async def test_the_name_of_another_projects_server_finds_nothing() -> None:
    async with running() as compute:
        await compute.boot("theirs", as_="member:p2")
        assert await listed(compute, "^theirs$") == []
        assert await listed(compute, "theirs") == []


async def listed(compute: Compute, name: str) -> list[str]:
    return [one["id"] for one in (await compute.ok("GET", f"/servers?name={name}"))["servers"]]


def server_of(key: str, name: str) -> Server:
    flavor = ServerFlavor("1", "m1.tiny", 1, 512, 1)
    return Server(key, name, "p1", "u1", flavor, 0, 0, state="active", task=None, task_since_us=0)
