"""What services cost, side by side: processor seconds for each operation, memory, connections, waiting messages."""

from collections.abc import Sequence
from typing import Final

from kilonode.check.comparison import FigureChange
from kilonode.check.results import Results

FIGURES: Final = ("cpu_s_per_operation", "cpu_s", "memory_bytes_max", "connections_max", "queue_depth_max")
"""Of each service, in the order of the page; those that no run knows are left out."""


def compare_services(results: Sequence[Results]) -> tuple[FigureChange, ...]:
    """Every service that any run has sampled, in the order of the first run that has it. Emulated services have other
    names than real ones: what a run does not have is unknown.
    """
    by_run = [
        {one.service: one for one in run.services.services} if run.services is not None else {} for run in results
    ]
    found = []
    for service in dict.fromkeys(name for services in by_run for name in services):
        for figure in FIGURES:
            values = tuple(getattr(services[service], figure) if service in services else None for services in by_run)
            if any(value is not None for value in values):
                found.append(FigureChange(service=service, figure=figure, values=values))
    return tuple(found)
