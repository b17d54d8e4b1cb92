"""The phases that polling sees something go through, as steps below the step that waits.

A phase is a word that each poll shows, such as Nova's task state. It is taken to begin where the one before ended (the
first: where the wait began) and to end at the answer that shows another word; so the phases add up to the wait. How
sharply an end is known goes with it: since the last poll that still showed the phase was sent. What no poll
saw was too short to see and is counted to its neighbour.
"""

from kilonode.scenarios.iteration import Step


class Phases:
    """Fed by each poll, in order."""

    __slots__ = ("_began_ns", "_last_sent_ns", "_phase", "_step")

    def __init__(self, step: Step) -> None:
        self._step = step
        self._phase = ""
        self._began_ns = step.started_ns
        self._last_sent_ns = step.started_ns

    def see(self, phase: str, sent_ns: int, answered_ns: int) -> None:
        """A poll sent and answered at these instants showed `phase`; an empty one ends the last."""
        if phase != self._phase:
            if self._phase:
                self._step.record(self._phase, self._began_ns, answered_ns, answered_ns - self._last_sent_ns)
                self._began_ns = answered_ns
            self._phase = phase
        self._last_sent_ns = sent_ns
