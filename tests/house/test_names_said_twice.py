"""What stands twice, because parts that may not import one another both need it, is the same."""

from kilonode.cloud.profiles import known_profiles
from kilonode.run.experiment import STAGE_PROFILES


def test_an_experiment_may_name_exactly_the_profiles_that_the_emulated_cloud_has() -> None:
    assert sorted(STAGE_PROFILES) == sorted(known_profiles())
