import configparser
import stat
from pathlib import Path

import msgspec
import pytest

from kilonode.stack.bringing_up import configuration_digests, configuration_files, write_compute, write_configuration
from kilonode.stack.configuration.site import Site, render
from kilonode.stack.daemons import database_statements, epmd_command, rabbitmq_variables
from kilonode.stack.environment import Environment
from kilonode.stack.folder import Secrets, StackFolder
from kilonode.stack.needs import choose_ports
from kilonode.stack.plan import UpSettings, plan
from kilonode.stack.releases import find_release
from kilonode.stack.services import agents, apis, compute, workers


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path, 17_000, "one")


def make_site(state: Path, first_port: int, mark: str) -> Site:
    environment = Environment(state, find_release("newest"))
    paste = environment.shared_file("nova", "api-paste.ini")
    paste.parent.mkdir(parents=True)
    paste.write_text("[composite:osapi_compute]\n")
    folder = StackFolder(state, "stack")
    folder.make()
    settings = plan(UpSettings(state=state, nodes=100), None)
    secrets = Secrets(*(f"{mark}-{field.name}-secret" for field in msgspec.structs.fields(Secrets)))
    return Site(folder, environment, settings, choose_ports(first_port), secrets)


def test_every_configuration_file_can_be_read_back(site: Site) -> None:
    for files in configuration_files(site).values():
        for sections in files.values():
            parser = configparser.RawConfigParser(default_section="-")
            parser.read_string(render(sections))
            assert set(parser.sections()) == set(sections)


def test_files_with_secrets_are_readable_by_their_owner_alone(site: Site) -> None:
    write_configuration(site)
    write_compute(site, site.settings.computes[0])
    files = [path for path in site.folder.configuration.rglob("*") if path.is_file()]
    assert len(files) >= 7
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    folders = [site.folder.path, site.folder.configuration, site.folder.data, site.folder.logs]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


def test_no_secret_stands_among_the_arguments_or_variables_of_a_process(site: Site) -> None:
    services = [*apis(site).values(), *workers(site).values(), compute(site, site.settings.computes[0]), agents(site)]
    words = [part for service in services for part in (*service.command, *service.environment().values())]
    words += [*epmd_command(site), *rabbitmq_variables(site).values()]
    assert not [word for word in words if any(secret in word for secret in site.secrets.all())]


def test_everything_listens_on_the_loopback_address(site: Site) -> None:
    for service in apis(site).values():
        listening = service.command[service.command.index("--http-socket") + 1]
        assert listening == f"127.0.0.1:{service.port}"


def test_digests_do_not_tell_stacks_apart_that_differ_in_ports_paths_and_secrets_alone(tmp_path: Path) -> None:
    one = make_site(tmp_path / "a", 17_000, "one")
    two = make_site(tmp_path / "b", 18_000, "two")
    assert configuration_digests(one) == configuration_digests(two)
    assert set(configuration_digests(one)) == {"keystone", "placement", "glance", "neutron", "nova"}


def test_digests_tell_another_setting_apart(site: Site) -> None:
    settings = msgspec.structs.replace(site.settings, password_rounds=12)
    other = Site(site.folder, site.environment, settings, site.ports, site.secrets)
    before, after = configuration_digests(site), configuration_digests(other)
    assert [name for name in before if before[name] != after[name]] == ["keystone"]


def test_each_compute_service_describes_its_own_nodes(site: Site) -> None:
    for plan_ in site.settings.computes:
        write_compute(site, plan_)
    described = [
        msgspec.json.decode((site.data("nova", compute_.host) / "nodes.json").read_bytes())
        for compute_ in site.settings.computes
    ]
    names = [name for one in described for name in one["nodes"]]
    assert len(names) == len(set(names)) == 100


def test_the_identity_of_a_compute_service_stays_when_it_is_written_again(site: Site) -> None:
    plan_ = site.settings.computes[0]
    write_compute(site, plan_)
    identity = site.data("nova", plan_.host) / "compute_id"
    before = identity.read_text()
    write_compute(site, plan_)
    assert identity.read_text() == before


def test_statements_for_databases_can_be_given_again(site: Site) -> None:
    statements = database_statements(site, ("nova", "keystone"))
    assert statements.count("IF NOT EXISTS") == 3
