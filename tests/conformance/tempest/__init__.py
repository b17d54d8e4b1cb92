"""Tempest, OpenStack's own API tests, unmodified and from PyPI, against an emulated cloud; and the page about it.

`python -m tests.conformance.tempest` (or `make conformance`) runs everything and writes docs/conformance.md.
"""
