"""Servers that are gone: the newest are remembered, for lists with `changes-since` and for what was done to them.

Nova keeps the rows of deleted servers until somebody purges them. Here the newest `KEPT` are kept, so a cloud that
makes and deletes servers for ever does not grow for ever.
"""

from itertools import islice
from typing import Final

from msgspec.structs import replace

from kilonode.cloud.context import Changes, Cloud
from kilonode.cloud.openstack.compute.model import DELETED_SERVER, DeletedServer, Server
from kilonode.cloud.openstack.compute.states import DELETED as DELETED_STATE
from kilonode.control.mirror import Delete, Put

KEPT: Final = 2_000


def bury(cloud: Cloud, server: Server) -> Changes:
    """What to write beside the deletion of a server."""
    now_us = cloud.now_us()
    gone = replace(
        server,
        state=DELETED_STATE,
        task=None,
        updated_us=now_us,
        devices=(),
        networks=(),
        move=None,
        new_image=None,
        user_data=None,
    )
    changes: list[Put | Delete] = [Put(DELETED_SERVER, DeletedServer(gone, now_us), server.id)]
    table = cloud.mirror.all(DELETED_SERVER)
    if len(table) >= KEPT:
        # Several at once, so that fleets which bury side by side do not drift above the limit.
        changes += [Delete(DELETED_SERVER, key) for key in islice(table, len(table) - KEPT + 1)]
    return changes
