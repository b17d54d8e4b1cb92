"""Sentences that show what the language can say, each as it is printed. docs/faults.md has them with what they mean."""

from typing import Final

EXAMPLES: Final[dict[str, str]] = {
    "kill one scheduler": "one of its instances, drawn by the seed",
    "restart keystone": "all its instances",
    "terminate 2 of 3 api roles": "there must be three, or it is refused",
    "freeze rabbitmq on one node for 30s": "one of the nodes that have it",
    "freeze api by cgroup for 10s": "by the kernel's freezer, not by a signal",
    "kill all mysqld processes on node db-1": "every process of that name, with its children",
    "unplug mysql on a minority of nodes for 60s": "its ports are cut off",
    "restart nova_api container": "",
    "reboot one node with keystone": "",
    "poweroff node compute-0001 for 300s": "and on again",
    "stress cpu at 80% on 50% of nodes for 60s": "",
    "disconnect management network on all nodes with rabbitmq for 60s": "",
    "degrade storage network on one node with delay 100ms, jitter 20ms and loss 1% for 60s": "",
    "degrade traffic from scheduler to mysql with bandwidth 10Mbit/s for 60s": "what the one sends to the other",
    "partition nodes a and b from nodes c, d and e for 30s": "both ways; `one way` loses only what the first send",
    "partition scheduler from the rest for 10s": "also `isolate scheduler for 10s`",
    "partition all nodes into majorities ring for 60s": (
        "also halves, random halves, isolated one, minority third, bridge"
    ),
    "fill disk /var/lib/mysql to 95% on one node for 60s": "",
    "skew clock of fleet-1 by -90s for 60s": "of what runs in that process; nobody else's",
    "skew clock by -5s on one node for 60s": "",
    "abort 10% of POST requests to nova under /servers with status 503 for 60s": "without: reset connections",
    "delay requests to keystone by 200ms with jitter 50ms for 60s": "",
    "kill api, then after 10s restart scheduler": "ten seconds after the api was killed",
    "restart scheduler while partition one of 3 api from the rest for 30s": "the second is there first",
}  # fmt: skip
"""A sentence to what is worth saying of it."""
