"""Reports Open vSwitch agents to Neutron, one for each compute host, without running any.

Ports are bound only where an agent is alive. This process says so over the message bus, as an agent would, and does
nothing else: ports stay DOWN, as nobody wires them. Placed into the environment of a stack; run as
`report_agents.py --config-file neutron.conf`, the hosts on standard input's file named by KILONODE_HOSTS, read anew
before each round.
"""

import os
import pathlib
import sys
import time

from neutron.agent import rpc as agent_rpc
from neutron.common import config
from neutron.conf.agent import common as agent_options
from neutron_lib import context
from neutron_lib.agent import topics
from oslo_config import cfg

EVERY_S = 30.0


def state_of(host, first):
    state = {
        "binary": "neutron-openvswitch-agent",
        "host": host,
        "topic": "N/A",
        "agent_type": "Open vSwitch agent",
        "configurations": {
            "tunnel_types": ["vxlan"],
            "tunneling_ip": "127.0.0.1",
            "bridge_mappings": {},
            "datapath_type": "system",
            "integration_bridge": "br-int",
            "l2_population": False,
        },
    }
    if first:
        state["start_flag"] = True
    return state


def main():
    agent_options.register_agent_state_opts_helper(cfg.CONF)
    config.register_common_config_options()
    config.init(sys.argv[1:])
    config.setup_logging()
    reports = agent_rpc.PluginReportStateAPI(topics.REPORTS)
    hosts_file = pathlib.Path(os.environ["KILONODE_HOSTS"])
    known = set()
    while True:
        began = time.monotonic()
        for host in hosts_file.read_text().split():
            try:
                reports.report_state(
                    context.get_admin_context_without_session(), state_of(host, host not in known), use_call=True
                )
            except Exception as error:  # the bus or the server is away: the next round tells
                print(time.strftime("%FT%T"), host, repr(error), flush=True)
            else:
                known.add(host)
        time.sleep(max(1.0, EVERY_S - (time.monotonic() - began)))


if __name__ == "__main__":
    main()
