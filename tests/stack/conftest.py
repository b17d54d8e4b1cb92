"""A stack that was planned and written down, and does not run."""

from pathlib import Path

import msgspec
import pytest

from kilonode.stack.configuration.site import Site
from kilonode.stack.environment import Environment
from kilonode.stack.folder import STATE_VERSION, Secrets, StackFolder, StackRecord
from kilonode.stack.launch import site_of
from kilonode.stack.needs import choose_ports
from kilonode.stack.plan import UpSettings, plan
from kilonode.stack.releases import find_release
from tests.stack.stacks import NEW, OLD


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A stack of the old release, one compute service of the new one already."""
    for release in (OLD, NEW):
        paste = Environment(tmp_path, find_release(release)).shared_file("nova", "api-paste.ini")
        paste.parent.mkdir(parents=True)
        paste.write_text("[composite:osapi_compute]\n")
    folder = StackFolder(tmp_path, "stack")
    folder.make()
    settings = plan(UpSettings(state=tmp_path, nodes=4, computes=2, release=OLD), None)
    folder.write_secrets(Secrets(*("secret" for _ in msgspec.structs.fields(Secrets))))
    record = StackRecord(STATE_VERSION, "stack", settings, choose_ports(17_000), releases={"compute-002": NEW})
    folder.write_record(record)
    return site_of(tmp_path, "stack")
