"""Checking stage profiles: a file by itself, and those that experiments name."""

from collections.abc import Sequence
from pathlib import Path

from kilonode.base.yaml_document import read_document
from kilonode.cloud.delays import NO_DELAY
from kilonode.cloud.openstack.application import operations
from kilonode.cloud.profiles import Profile, load_profile, read_profile
from kilonode.cloud.stage_files import looks_like_stages, read_bytes
from kilonode.run.experiment import Experiment


def read_if_stages(file: Path) -> Profile | None:
    """The profile in a file whose content is one; None for anything else, also for what cannot be read.

    Raises InputError with every problem of the profile.
    """
    try:
        data = read_bytes(file)
    except (OSError, ValueError):
        return None
    root, _ = read_document(data, str(file))
    return read_profile(data, str(file), operations()) if looks_like_stages(root) else None


def check_named_profiles(experiments: Sequence[Experiment]) -> None:
    """Read every profile that experiments name. Raises InputError with every problem of the first that has some."""
    named: dict[str, None] = {}
    for experiment in experiments:
        cloud = experiment.cloud
        if cloud is not None and cloud.emulated is not None:
            named[cloud.emulated.stages] = None
        if cloud is not None and cloud.stack is not None and cloud.stack.stages is not None:
            named[cloud.stack.stages] = None
        versions = [one.upgrade.to for one in experiment.disruptions if one.upgrade is not None]
        named |= dict.fromkeys(to.stages for to in versions if to is not None and to.stages is not None)
    for name in named:
        load_profile(name, operations())


def describe_profile(profile: Profile) -> str:
    """What a profile says, in a line."""
    timed = sum(stage.delay != NO_DELAY for stage in profile.stages)
    failing = sum(stage.failure is not None for stage in profile.stages)
    parts = [
        f"{timed} of {len(profile.stages)} stages take time",
        f"{failing} may fail" if failing else "",
        _count(len(profile.rules), "rule"),
        f"{_count(len(profile.services), 'operation')} with a service time" if profile.services else "",
    ]
    return ", ".join(part for part in parts if part)


def _count(number: int, noun: str) -> str:
    return "" if not number else f"{number} {noun}" + ("s" if number > 1 else "")
