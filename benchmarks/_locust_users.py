"""Locust's side of `benchmarks/load_engine.py`: a locustfile. Counts from the moment all users run until the end.

Prints one line of JSON: what was counted, CPU seconds of this process, seconds passed.
"""
# mypy: disable-error-code="misc,untyped-decorator"
# Locust is not installed where types are checked.

import json
import os
import time
from typing import Any

from locust import FastHttpUser, User, constant, events, task

KIND = os.environ["KILONODE_BENCHMARK"]
counted = 0
begun: list[float] = []


def total(environment: Any) -> int:
    return int(environment.stats.total.num_requests) if KIND != "noop" else counted


class Measured(User):
    """What the kinds share."""

    abstract = True
    wait_time = constant(0)


if KIND == "noop":

    class NoopUser(Measured):
        """Does nothing, and nothing is recorded."""

        @task
        def noop(self) -> None:
            global counted
            counted += 1

elif KIND == "recorded":

    class RecordedUser(Measured):
        """Does nothing, and that is recorded as Locust records a request."""

        @task
        def noop(self) -> None:
            self.environment.events.request.fire(
                request_type="noop", name="noop", response_time=0, response_length=0, exception=None, context={}
            )

else:

    class HttpUser(FastHttpUser):
        """Gets one address."""

        wait_time = constant(0)

        @task
        def get(self) -> None:
            self.client.get("/")


@events.spawning_complete.add_listener
def begin(user_count: int, **_: object) -> None:
    begun[:] = [time.monotonic(), time.process_time()]


@events.test_start.add_listener
def remember(environment: object, **_: object) -> None:
    events.spawning_complete.add_listener(lambda **__: begun.append(total(environment)))


@events.test_stopping.add_listener
def end(environment: object, **_: object) -> None:
    wall_s, cpu_s, before = begun
    print(
        json.dumps(
            {
                "iterations": total(environment) - before,
                "cpu_s": time.process_time() - cpu_s,
                "wall_s": time.monotonic() - wall_s,
            }
        ),
        flush=True,
    )
