"""The network service, as Neutron v2.0: networks, subnets, ports with real addresses, routers, floating IPs, groups."""
