"""Keeps in memory what setup and cleanup record."""

from kilonode.history.records import Op


class Recorder:
    """Called as `kilonode.run.actions.Record`; the Ops are in `ops`."""

    def __init__(self) -> None:
        self.ops: list[Op] = []

    def __call__(self, op: Op) -> None:
        """Keep it."""
        self.ops.append(op)
