"""scenarios: what one iteration of a load does, in named steps.

What a file or package with scenarios of its own needs comes from here:

    from kilonode.scenarios import FlavorName, Iteration, scenario
    from kilonode.scenarios.actions import servers
"""

from kilonode.base.units import Duration, Rate, Size
from kilonode.scenarios.declaration import scenario
from kilonode.scenarios.iteration import Iteration, Step
from kilonode.scenarios.references import FlavorName, ImageName, NetworkName, VolumeTypeName

__all__ = [
    "Duration",
    "FlavorName",
    "ImageName",
    "Iteration",
    "NetworkName",
    "Rate",
    "Size",
    "Step",
    "VolumeTypeName",
    "scenario",
]
