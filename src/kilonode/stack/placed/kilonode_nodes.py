"""Nova's fake driver with many nodes: placed into the environment of a stack as nova.virt.kilonode_nodes.

It runs inside nova-compute, so it may import Nova and nothing of Kilonode. What it offers stands in the JSON file that
the variable KILONODE_COMPUTE names: the nodes, what each has, and how long it takes to spawn and destroy, as quantiles
of the delay in seconds at even steps from 0 to 1. Each node has resources of its own and a UUID that depends on the
stack and its name alone, so a service that is started again finds its records. Instances are taken from the database
when the service starts: a hypervisor keeps its guests while its agent is away.
"""

import json
import os
import pathlib
import random
import time
import uuid

from nova import context as nova_context
from nova import objects
from nova.compute import power_state
from nova.virt import fake

_POWERED_OFF = {power_state.SHUTDOWN, power_state.CRASHED}


class ManyNodesDriver(fake.FakeDriver):
    """Nodes as a file says."""

    def __init__(self, virtapi, read_only=False):
        description = json.loads(pathlib.Path(os.environ["KILONODE_COMPUTE"]).read_text())
        self.vcpus = description["vcpus"]
        self.memory_mb = description["memory_mib"]
        self.local_gb = description["disk_gib"]
        self._names = description["nodes"]
        self._namespace = uuid.uuid5(uuid.NAMESPACE_DNS, description["stack"])
        self._delays = description["delays"]
        self._random = random.Random(description["seed"])
        super().__init__(virtapi, read_only)
        self._per_node = {
            name: fake.Resources(vcpus=self.vcpus, memory_mb=self.memory_mb, local_gb=self.local_gb)
            for name in self._names
        }

    def init_host(self, host):
        super().init_host(host)
        self._set_nodes(self._names)
        context = nova_context.get_admin_context()
        for instance in objects.InstanceList.get_by_host(context, host, expected_attrs=["flavor"]):
            if instance.vm_state in ("building", "deleted", "error") or instance.node not in self._per_node:
                continue
            state = instance.power_state
            self.instances[instance.uuid] = fake.FakeInstance(
                instance.name, power_state.RUNNING if state not in _POWERED_OFF else state, instance.uuid
            )
            self._claim(instance)

    def spawn(self, context, instance, *arguments, **named):
        self._wait("spawn_s")
        super().spawn(context, instance, *arguments, **named)
        self._claim(instance)

    def destroy(self, context, instance, *arguments, **named):
        self._wait("destroy_s")
        known = instance.uuid in self.instances
        super().destroy(context, instance, *arguments, **named)
        if known and instance.node in self._per_node:
            flavor = instance.flavor
            self._per_node[instance.node].release(flavor.vcpus, flavor.memory_mb, flavor.root_gb)

    def get_available_resource(self, nodename):
        status = super().get_available_resource(nodename)
        if status:
            status.update(self._per_node[nodename].dump())
            status["uuid"] = self._uuid(nodename)
        return status

    def get_nodenames_by_uuid(self, refresh=False):
        return {self._uuid(name): name for name in self._names}

    def _uuid(self, name):
        return str(uuid.uuid5(self._namespace, name))

    def _claim(self, instance):
        node = self._per_node.get(instance.node)
        if node is not None:
            node.claim(instance.flavor.vcpus, instance.flavor.memory_mb, instance.flavor.root_gb)

    def _wait(self, name):
        """Take as long as the file says: a delay drawn by its quantiles, between two of them in proportion."""
        quantiles = self._delays.get(name) or ()
        if not quantiles:
            return
        place = self._random.random() * (len(quantiles) - 1)
        below = int(place)
        above = min(below + 1, len(quantiles) - 1)
        time.sleep(quantiles[below] + (place - below) * (quantiles[above] - quantiles[below]))
