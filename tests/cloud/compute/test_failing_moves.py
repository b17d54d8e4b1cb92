"""What fails half-way leaves no half: the image, the room and the record of a move that came to nothing."""

import pytest

from kilonode.cloud.openstack.image.model import IMAGE
from tests.cloud.compute.harness import running
from tests.cloud.compute.test_actions import ready, rested
from tests.cloud.compute.test_rescue_and_evacuation import force_down

STAGES = "tests/cloud/stage_cases/failing-moves.yaml"


@pytest.mark.parametrize(("action", "arguments"), [("createImage", {"name": "snap"}), ("shelve", None)])
async def test_an_image_that_cannot_be_made_leaves_the_server_as_it_was(action: str, arguments: object) -> None:
    async with running(stages=STAGES) as compute:
        server_id = await ready(compute)
        images = set(compute.cloud.mirror.all(IMAGE))
        assert (await compute.act(server_id, action, arguments)).status == 202
        server = await rested(compute, server_id)
        assert (server.state, server.new_image, server.shelved_image_id) == ("active", None, "")
        assert set(compute.cloud.mirror.all(IMAGE)) == images
        actions = (await compute.ok("GET", f"/servers/{server_id}/os-instance-actions"))["instanceActions"]
        assert actions[0]["message"] == "Error"
        compute.check_books()


@pytest.mark.parametrize(
    ("action", "arguments", "state"),
    [
        ("os-migrateLive", {"host": None, "block_migration": "auto"}, "active"),
        ("resize", {"flavorRef": "2"}, "error"),
        ("evacuate", {}, "error"),
    ],
)
async def test_a_move_that_fails_leaves_the_server_on_its_node(action: str, arguments: object, state: str) -> None:
    async with running(stages=STAGES) as compute:
        server_id = await ready(compute)
        before = await rested(compute, server_id)
        if action == "evacuate":
            await force_down(compute, before.node)
        assert (await compute.act(server_id, action, arguments, as_="admin")).status in (200, 202)
        after = await rested(compute, server_id)
        assert (after.node, after.flavor, after.move, after.state) == (before.node, before.flavor, None, state)
        records = (await compute.ok("GET", "/os-migrations", as_="admin"))["migrations"]
        assert [one["status"] for one in records] == ["error"]
        compute.check_books()
