"""The emulated cloud asked what the real services were asked, in simulated time, and compared with what they said."""

from kilonode.base.simulation import run_coroutine_simulated
from tests.cloud.openstack.harness import openstack
from tests.conformance.differential.comparing import Comparison, compare
from tests.conformance.differential.playing import play
from tests.conformance.differential.recording import Recording, path_of, read
from tests.conformance.differential.sequences import Service, load
from tests.conformance.differential.speaking import in_process

NODES = 4
STAGES = "fast"


async def emulated(service: Service) -> Recording:
    """What an emulated cloud answers."""
    async with openstack(nodes=NODES, stages=STAGES) as cloud:
        return Recording(service, {}, await play(in_process(cloud), load(service), "differential"))


def compared(services: list[Service]) -> list[Comparison]:
    """Each service beside its recording, a cloud of its own for each."""
    found: list[Comparison] = []

    async def one(service: Service) -> None:
        found.append(compare(read(path_of(service)), await emulated(service)))

    for service in services:
        run_coroutine_simulated(one(service))
    return found
