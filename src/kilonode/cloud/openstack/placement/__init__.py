"""Placement of the emulated cloud: a view of nodes and servers as resource providers and allocations."""
