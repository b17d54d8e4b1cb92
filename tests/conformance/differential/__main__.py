"""`python -m tests.conformance.differential record|compare [SERVICE …]`: real services recorded anew, or looked at.

`record` asks a stack that runs (`kilonode stack up --nodes 4 --computes 2 --stages fast`); `make differential` brings
one up for it. `compare` asks an emulated cloud in simulated time and prints each difference without a reason (`--all`:
every one).
Both end by writing docs/conformance.md anew when all services were compared.
"""

import argparse
import asyncio
import sys
from pathlib import Path
from time import time
from typing import Final

import msgspec

from kilonode.base.errors import InputError
from kilonode.cli.state import state_folder
from kilonode.stack.folder import StackFolder
from kilonode.stack.launch import no_stack
from tests.conformance.differential import page
from tests.conformance.differential.comparing import read_reasons, sort_out
from tests.conformance.differential.playing import play
from tests.conformance.differential.recording import Recording, path_of, write
from tests.conformance.differential.sequences import SERVICES, Service, load
from tests.conformance.differential.speaking import Speaker, over_http
from tests.conformance.differential.together import compared

PACKAGES: Final[dict[Service, tuple[str, ...]]] = {
    "identity": ("keystone",),
    "compute": ("nova",),
    "network": ("neutron",),
    "image": ("glance",),
    "placement": ("openstack-placement",),
}
"""The packages whose versions are kept with the recording of each service."""


def main() -> int:
    """Exit code 0: done; 1: differences without a reason; 2: it could not be done."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.differential", description=__doc__)
    parser.add_argument("what", choices=("record", "compare"))
    parser.add_argument("services", nargs="*", metavar="SERVICE", help=f"{', '.join(SERVICES)}; all without one")
    parser.add_argument("--name", default="stack", help="the name of the stack to record")
    parser.add_argument("--all", action="store_true", help="print the differences that have a reason too")
    chosen = parser.parse_intermixed_args()
    unknown = [name for name in chosen.services if name not in SERVICES]
    if unknown:
        parser.error(f"unknown service {unknown[0]!r}; expected one of: {', '.join(SERVICES)}")
    services: list[Service] = chosen.services or list(SERVICES)
    try:
        if chosen.what == "record":
            _record(StackFolder(state_folder(), chosen.name), services)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return _compare(services, everything=chosen.all)


def _record(folder: StackFolder, services: list[Service]) -> None:
    record = folder.read_record()
    if record is None:
        raise no_stack(folder.state, folder.name)
    speaker = _speaker(folder.clouds_file, folder.name)
    for service in services:
        exchanges = asyncio.run(play(speaker, load(service), f"d{int(time()) % 1_000_000}"))
        write(
            Recording(service, {name: record.packages[name] for name in PACKAGES[service]}, exchanges), path_of(service)
        )
        print(f"{service}: {len(exchanges)} requests recorded")


def _speaker(clouds_file: Path, cloud: str) -> Speaker:
    auth = msgspec.yaml.decode(clouds_file.read_bytes())["clouds"][cloud]["auth"]
    return over_http(auth["auth_url"], auth["username"], auth["password"], auth["project_name"])


def _compare(services: list[Service], *, everything: bool) -> int:
    comparisons = compared(services)
    reasons = [] if everything else read_reasons()
    rest = [one for comparison in comparisons for one in sort_out(comparison.differences, reasons)[0]]
    for difference in rest:
        print(difference)
    for comparison in comparisons:
        print(
            f"{comparison.service}: {comparison.requests} requests ({comparison.bad_requests} refused), "
            f"{comparison.fields} fields, {len(comparison.differences)} differences"
        )
    if len(services) == len(SERVICES):
        page.write_page(comparisons, read_reasons())
    return 1 if rest else 0


if __name__ == "__main__":
    sys.exit(main())
