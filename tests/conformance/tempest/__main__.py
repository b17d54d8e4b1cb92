"""`python -m tests.conformance.tempest [SERVICE …]`: run Tempest against a cloud, write the page.

Without `--clouds-file` a cloud is brought up for it as `kilonode cloud up` does, and taken down afterwards.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from kilonode.base.errors import InputError
from kilonode.cloud.launch import UpSettings, down, up
from kilonode.cloud.service_settings import ServiceSettings
from tests.conformance.tempest import environment, page
from tests.conformance.tempest.configuration import STAGES, service_settings, write_configuration
from tests.conformance.tempest.image_server import image_server
from tests.conformance.tempest.running import SERVICES, Outcome, run, write_workspace
from tests.conformance.tempest.variants import VARIANTS, together
from tests.owning import these_tests

CLOUD = "tempest"
NODES = 20


def main() -> int:
    """Exit code 0: run, whatever passed; 2: it could not be run."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.tempest", description=__doc__)
    parser.add_argument("services", nargs="*", metavar="SERVICE", help=f"{', '.join(SERVICES)}; all without one")
    parser.add_argument("--tests", metavar="REGEX", help="only these tests: prints outcomes, keeps and writes nothing")
    parser.add_argument("--clouds-file", type=Path, help="clouds.yaml of a cloud that runs already")
    parser.add_argument(
        "--images-port", type=int, default=0, help="where files for the image service are served: that cloud allows it"
    )
    parser.add_argument(
        "--services-file", type=Path, help="write settings of services for --images-port there, and end"
    )
    parser.add_argument("--cloud", default="kilonode", help="its administrator's entry there")
    parser.add_argument("--workspace", type=Path, help="folder for Tempest's configuration and log; kept")
    parser.add_argument("--concurrency", type=int, default=max(2, os.cpu_count() or 2))
    parser.add_argument("--no-page", action="store_true", help="print outcomes, keep and write nothing")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.services if name not in SERVICES]
    if unknown:
        parser.error(f"unknown service {unknown[0]!r}; expected one of: {', '.join(SERVICES)}")
    if chosen.services_file:
        settings = service_settings(f"http://127.0.0.1:{chosen.images_port}/")
        chosen.services_file.write_bytes(msgspec.yaml.encode(settings))
        return 0
    try:
        environment.build()
        with tempfile.TemporaryDirectory(prefix="kilonode-tempest-") as temporary:
            _run_all(chosen, Path(temporary))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _run_all(chosen: argparse.Namespace, temporary: Path) -> None:
    workspace = chosen.workspace or temporary / "workspace"
    write_workspace(workspace)
    with image_server(chosen.images_port) as images_at:
        if chosen.clouds_file:
            write_configuration(workspace.absolute(), chosen.clouds_file, chosen.cloud, images_at)
            _run_services(chosen, workspace, {})
            return
        settings = service_settings(images_at)
        wanted = [] if chosen.tests else list(chosen.services or SERVICES)
        elsewhere: dict[str, list[Outcome]] = {}
        for variant in VARIANTS:
            if variant.service in wanted:
                print(f"{variant.service}, {variant.name}:")
                with _cloud(temporary / "state", variant.services(settings)) as clouds_file:
                    write_configuration(workspace.absolute(), clouds_file, CLOUD, images_at, variant.told)
                    elsewhere.setdefault(variant.service, []).extend(run(workspace, variant.tests, chosen.concurrency))
        with _cloud(temporary / "state", settings) as clouds_file:
            write_configuration(workspace.absolute(), clouds_file, CLOUD, images_at)
            _run_services(chosen, workspace, elsewhere)


@contextmanager
def _cloud(state: Path, services: ServiceSettings) -> Iterator[Path]:
    """A cloud with services like that, and where its clouds.yaml is."""
    try:
        settings = UpSettings(
            state=state, name=CLOUD, nodes=NODES, stages=STAGES, services=services, port=0, owner=these_tests()
        )
        yield Path(asyncio.run(up(settings, print)).clouds_file)
    finally:
        with suppress(InputError):
            asyncio.run(down(state, CLOUD, print, purge=True))


def _run_services(chosen: argparse.Namespace, workspace: Path, elsewhere: Mapping[str, list[Outcome]]) -> None:
    """`elsewhere`: what became of the tests of variants, by service."""
    if chosen.tests:
        _print(run(workspace, chosen.tests, chosen.concurrency))
        return
    for service in chosen.services or SERVICES:
        outcomes = together(run(workspace, SERVICES[service], chosen.concurrency), elsewhere.get(service, []))
        print(f"{service}:")
        _print(outcomes)
        if not chosen.no_page:
            page.keep(service, environment.version(), outcomes)
            page.write_page()


def _print(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.outcome != "passed":
            print(f"{outcome.outcome:8}{outcome.test.removeprefix('tempest.api.')}\n        {outcome.words}")
    count = {name: sum(one.outcome == name for one in outcomes) for name in ("passed", "failed", "skipped")}
    print(f"{len(outcomes)} selected, " + ", ".join(f"{number} {name}" for name, number in count.items()))


if __name__ == "__main__":
    sys.exit(main())
