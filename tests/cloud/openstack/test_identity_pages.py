"""Pages of the identity service's lists."""

from typing import Any

import pytest

from tests.cloud.openstack.harness import OpenStack, openstack
from tests.cloud.openstack.test_identity_delegation import V3, make


async def pages(cloud: OpenStack, path: str, collection: str, token: str = "") -> list[list[Any]]:
    """All pages from this one on, by the links that each gives."""
    found = []
    place = path
    while place:
        body = await cloud.good("GET", place, token=token or cloud.admin)
        found.append(body[collection])
        link = body["links"]["next"]
        assert ("truncated" in body) == bool(link)
        place = (link or "").removeprefix(cloud.settings.public_url)
        assert len(found) < 50
    return found


@pytest.mark.parametrize(("collection", "noun"), [("users", "user"), ("groups", "group"), ("domains", "domain")])
async def test_pages_have_everything_once(collection: str, noun: str) -> None:
    async with openstack() as cloud:
        for number in range(5):
            await make(cloud, collection, noun, name=f"n{number}")
        every = {one["id"] for one in (await cloud.good("GET", f"{V3}/{collection}"))[collection]}
        found = await pages(cloud, f"{V3}/{collection}?limit=2", collection)
        assert all(len(page) <= 2 for page in found)
        ids = [one["id"] for page in found for one in page]
        assert ids == sorted(every)


async def test_what_is_filtered_is_paged_after_it_was_filtered() -> None:
    async with openstack() as cloud:
        for number in range(7):
            await make(cloud, "projects", "project", name=f"{'red' if number % 2 else 'blue'}{number}")
        found = await pages(cloud, f"{V3}/projects?name__startswith=blue&limit=3", "projects")
        assert [len(page) for page in found] == [3, 1]
        assert {one["name"] for page in found for one in page} == {"blue0", "blue2", "blue4", "blue6"}


async def test_nothing_is_left_out_where_something_went_in_between() -> None:
    async with openstack() as cloud:
        for number in range(4):
            await make(cloud, "projects", "project", name=f"n{number}")
        every = [one["id"] for one in (await cloud.good("GET", f"{V3}/projects"))["projects"]]
        first = [one["id"] for one in (await cloud.good("GET", f"{V3}/projects?limit=2"))["projects"]]
        gone = next(key for key in sorted(every) if key in first)
        await cloud.good("DELETE", f"{V3}/projects/{gone}")
        rest = await cloud.good("GET", f"{V3}/projects?marker={first[-1]}")
        assert [*first, *(one["id"] for one in rest["projects"])] == sorted(every)
        assert rest["links"]["next"] is None


async def test_lists_without_markers_are_shortened() -> None:
    async with openstack() as cloud:
        body = await cloud.good("GET", f"{V3}/roles?limit=2")
        assert (len(body["roles"]), body["truncated"]) == (2, True)
        assert len((await cloud.good("GET", f"{V3}/services?limit=100"))["services"]) > 2


async def test_what_is_no_page_is_refused() -> None:
    async with openstack() as cloud:
        assert (await cloud.ask("GET", f"{V3}/users?marker=unknown")).status == 404
        for limit in ("-1", "x"):
            assert (await cloud.ask("GET", f"{V3}/users?limit={limit}")).status == 400
        everything = len((await cloud.good("GET", f"{V3}/users?limit=0"))["users"])
        assert everything == len((await cloud.good("GET", f"{V3}/users"))["users"])
