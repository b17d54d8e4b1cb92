"""The emulated cloud: resources, stages, scheduler, fleet of nodes, and the roles that run them."""
