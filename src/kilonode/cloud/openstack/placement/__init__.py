"""Placement of the emulated cloud: providers, inventories and allocations; nodes and servers as they are."""
