"""What the rules of a profile count, and which images nodes have: documents, so that both go on after a restart.

A document that comes into a stage with a counted rule is given its number once, in a commit of its own or together with
what was decided of it before, and keeps it while it is in the stage. Instants are `_us`.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from kilonode.cloud.kinds import document

TALLY: Final = "stage_tally"
LOOKED_THROUGH_EVERY: Final = 32
"""After so many visits those that are over leave a tally."""


@document(TALLY)
class Tally(msgspec.Struct, frozen=True, omit_defaults=True):
    """One count of one rule; its key is the rule's name and what is counted apart (see `Rule.subject`)."""

    count: int = 0
    """How many have come."""
    visits: dict[str, int] = {}
    """Those that are in the stage: their number; with a cache, how long they wait for the image, in microseconds."""
    images: dict[str, int] = {}
    """The images that the node has, or is getting, and since when it has them; the oldest first."""

    def numbered(self, visit: str, is_there: Callable[[str], bool]) -> "Tally":
        """With one more visit; those that are over leave from time to time."""
        count = self.count + 1
        return Tally(count, {**self._still(is_there), visit: count})

    def with_image(
        self,
        visit: str,
        image: str,
        since_us: int,
        takes_us: int,
        keeps: int,
        is_there: Callable[[str], bool],
        exists: Callable[[str], bool],
    ) -> "Tally":
        """With one more visit that needs an image, and the image when it was not there.

        A second one that comes while the image is on its way waits for the same image.
        """
        images = {key: at_us for key, at_us in self.images.items() if exists(key)}
        if image in images:
            wait_us = max(0, images[image] - since_us)
        else:
            wait_us = takes_us
            images[image] = since_us + takes_us
        for oldest in list(images)[: max(0, len(images) - keeps)]:
            del images[oldest]
        return Tally(self.count + 1, {**self._still(is_there), visit: wait_us}, images)

    def _still(self, is_there: Callable[[str], bool]) -> dict[str, int]:
        """The visits that last; all of them but each so many times, for a look at each costs more than the rest."""
        if (self.count + 1) % LOOKED_THROUGH_EVERY:
            return self.visits
        return {visit: number for visit, number in self.visits.items() if is_there(visit)}


def visit_key(stage: str, key: str, turn: int) -> str:
    """The name of one document's stay in a stage."""
    return f"{stage} {turn} {key}"


def parts_of_visit(visit: str) -> tuple[str, str, int]:
    """Stage, key and turn of a visit."""
    stage, turn, key = visit.split(" ", 2)
    return stage, key, int(turn)
