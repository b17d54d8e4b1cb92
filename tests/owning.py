"""Whose the clouds of tests are: they end with the tests' process, however that ends."""

import os

from kilonode.base.processes import ProcessIdentity, identify


def these_tests() -> ProcessIdentity | None:
    """The process that runs the tests: what owns a cloud that a test brings up."""
    return identify(os.getpid())
