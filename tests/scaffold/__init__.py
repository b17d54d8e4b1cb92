"""The beginning of a new service of the emulated cloud: `make service NAME=dns THING=zone`."""
