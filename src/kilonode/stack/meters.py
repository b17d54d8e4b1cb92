"""What the broker and the database of a stack say of themselves: queue depths, connections, statements.

RabbitMQ is asked over its management API, MariaDB by its own client over the stack's socket: neither adds a connection
that a service could want. Counters are cumulative since the server started; names carry their unit last.
"""

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from kilonode.base.clock import Clock
from kilonode.base.errors import LabError, OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.http import HttpTransport
from kilonode.stack import daemons
from kilonode.stack.configuration.site import ADDRESS, MESSAGE_USER, Site

TIMEOUT_S: Final = 10.0
LONGEST_QUEUES: Final = 5
_READS: Final = ("Com_select",)
_WRITES: Final = ("Com_insert", "Com_update", "Com_delete", "Com_replace", "Com_insert_select", "Com_update_multi")
_END: Final = "-- no more rows --"
_STATUS: Final = ("Questions", "Threads_connected", *_READS, *_WRITES)


class RabbitMeter:
    """The broker's queues and connections."""

    name = "rabbitmq"

    def __init__(self, site: Site, clock: Clock) -> None:
        self._transport = HttpTransport(clock)
        self._root = f"http://{ADDRESS}:{site.ports.rabbitmq_management}/api"
        login = base64.b64encode(f"{MESSAGE_USER}:{site.secrets.messages}".encode()).decode()
        self._headers = (("Authorization", f"Basic {login}"),)

    async def read(self) -> Mapping[str, float]:
        """What it says now. Raises OperationError."""
        overview = await self._get("/overview")
        totals, objects = overview.get("queue_totals", {}), overview.get("object_totals", {})
        stats = overview.get("message_stats", {})
        return {
            "messages_ready": float(totals.get("messages_ready", 0)),
            "messages_unacknowledged": float(totals.get("messages_unacknowledged", 0)),
            "queues": float(objects.get("queues", 0)),
            "connections_open": float(objects.get("connections", 0)),
            "published_total": float(stats.get("publish", 0)),
        }

    async def longest_queues(self) -> dict[str, int]:
        """The queues in which the most messages wait, the longest first; queues without any are left out."""
        listed = await self._get("/queues?columns=name,messages")
        waiting = {entry["name"]: int(entry.get("messages", 0)) for entry in listed if entry.get("messages")}
        return dict(sorted(waiting.items(), key=lambda pair: -pair[1])[:LONGEST_QUEUES])

    async def close(self) -> None:
        """Close the connection."""
        await self._transport.close()

    async def _get(self, path: str) -> Any:
        response = await self._transport.request("GET", self._root + path, headers=self._headers, timeout_s=TIMEOUT_S)
        if response.status != 200:
            raise OperationError(Outcome.HTTP_5XX, f"RabbitMQ answered {response.status}", status=response.status)
        return json.loads(response.body)


class MariaMeter:
    """The database server's counters, asked over one connection that stays."""

    name = "mariadb"

    def __init__(self, site: Site) -> None:
        self._site = site
        self._client: asyncio.subprocess.Process | None = None
        self._asking = asyncio.Lock()
        """One question at a time: answers come in one stream."""

    async def read(self) -> Mapping[str, float]:
        """What it says now. Raises OperationError."""
        names = ", ".join(f"'{name}'" for name in _STATUS)
        rows = await self._ask(f"SHOW GLOBAL STATUS WHERE Variable_name IN ({names});")
        values = {name: float(value) for name, value in (row.split("\t") for row in rows)}
        return {
            "queries_total": values["Questions"],
            "reads_total": sum(values[name] for name in _READS),
            "writes_total": sum(values[name] for name in _WRITES),
            "connections_open": values["Threads_connected"],
        }

    async def close(self) -> None:
        """End the connection."""
        client, self._client = self._client, None
        if client is not None and client.returncode is None:
            client.kill()
            await client.wait()

    async def _ask(self, statement: str) -> list[str]:
        try:
            async with asyncio.timeout(TIMEOUT_S), self._asking:
                return await self._rows(statement)
        except (OSError, TimeoutError) as error:
            await self.close()
            raise OperationError(Outcome.REFUSED, f"MariaDB does not answer: {error}") from error
        except BaseException:
            await self.close()
            raise

    async def _rows(self, statement: str) -> list[str]:
        client = self._client
        if client is None or client.returncode is not None:
            command = [str(part) for part in daemons.client_command(self._site)]
            client = self._client = await asyncio.create_subprocess_exec(
                *command,
                "--unbuffered",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        if client.stdin is None or client.stdout is None:
            raise LabError("the database's client has no pipes")
        client.stdin.write(f"{statement} SELECT '{_END}';\n".encode())
        await client.stdin.drain()
        rows: list[str] = []
        while line := await client.stdout.readline():
            row = line.decode(errors="replace").rstrip("\n")
            if row == _END:
                return rows
            rows.append(row)
        raise OperationError(Outcome.REFUSED, "MariaDB's client ended: is the server running?")
