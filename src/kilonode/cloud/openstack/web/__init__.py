"""The web layer that every emulated OpenStack service stands on: requests, replies, faults, routes, microversions."""
