"""A slice of Tempest, unmodified and from PyPI, against the cloud of this folder: each of these tests must pass.

The whole of it is `make conformance`. Skipped where Tempest's environment cannot be installed.
"""

from pathlib import Path

import pytest

from kilonode.base.errors import InputError
from kilonode.cloud.launch import CloudStatus
from tests.conformance.conftest import NAME
from tests.conformance.tempest import environment
from tests.conformance.tempest.configuration import write_configuration
from tests.conformance.tempest.running import run, write_workspace

pytestmark = [pytest.mark.processes, pytest.mark.filterwarnings("ignore")]

SLICES = {
    "identity": r"^tempest\.api\.identity\.(v3|admin\.v3\.test_(roles|inherits|trusts|domains|project_tags))",
}
"""What of each service passes without exception; a service is here when it does."""
CONCURRENCY = 2


@pytest.fixture(scope="module")
def workspace(running_cloud: CloudStatus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tempest's folder, configured for the running cloud."""
    try:
        environment.build()
    except InputError as error:
        pytest.skip(f"Tempest is not there: {error}")
    folder = tmp_path_factory.mktemp("tempest")
    write_workspace(folder)
    write_configuration(folder, Path(running_cloud.clouds_file), NAME)
    return folder


@pytest.mark.parametrize("service", sorted(SLICES))
def test_a_slice_of_tempest_passes(workspace: Path, service: str) -> None:
    outcomes = run(workspace, SLICES[service], CONCURRENCY)
    assert [f"{one.test}: {one.words}" for one in outcomes if one.outcome == "failed"] == []
    assert sum(one.outcome == "passed" for one in outcomes) >= len(outcomes) * 0.9
