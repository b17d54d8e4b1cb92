"""The Python environment that a release's services run in: apart from Kilonode's own, so that no dependency meets it.

One for each release, shared by all stacks, in `<state>/stack-environments`. It is built beside its place and moved
there when it is whole, so one that was stopped half way is never taken for one. What Kilonode places inside, a compute
driver with many nodes and the reporter of network agents, is placed anew each time a stack comes up.
"""

import shutil
import sys
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.encoding import decode_json, encode_json_for_people
from kilonode.base.errors import InputError
from kilonode.base.files import write_atomically
from kilonode.base.locks import hold
from kilonode.stack.commands import run_command
from kilonode.stack.releases import SERVICE_PACKAGES, SUPPORT_PACKAGES, Release

BUILD_TIMEOUT_S: Final = 1800.0
SHOWN_PACKAGES: Final[tuple[str, ...]] = (*SERVICE_PACKAGES, "sqlalchemy", "oslo-messaging", "pymysql", "uwsgi")
"""The packages whose versions can change a figure."""
_PLACED: Final = files("kilonode.stack") / "placed"
_VERSIONS_FILE: Final = "kilonode-versions.json"


class _Versions(msgspec.Struct, frozen=True):
    packages: dict[str, str]


class Environment:
    """One release's environment."""

    def __init__(self, state: Path, release: Release) -> None:
        self.release = release
        python = f"{sys.version_info[0]}.{sys.version_info[1]}"
        self.parent = state.absolute() / "stack-environments"
        self.path = self.parent / f"{release.name}-python{python}"
        self.log = self.parent / f"{release.name}.log"

    def program(self, name: str) -> Path:
        """A program in it."""
        return self.path / "bin" / name

    def shared_file(self, *names: str) -> Path:
        """A file that a package brought for /etc."""
        return self.path.joinpath("etc", *names)

    @property
    def built(self) -> bool:
        """Whether it is there, whole."""
        return (self.path / _VERSIONS_FILE).exists()

    @property
    def agents_program(self) -> Path:
        """The placed reporter of network agents."""
        return self.path / "kilonode" / "report_agents.py"

    async def build(self) -> dict[str, str]:
        """Install the release if it is not there yet; the versions of its packages. Raises InputError."""
        self.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with hold(
            self.parent / f".{self.path.name}.lock",
            f"another command is installing release {self.release.name!r} at this moment",
            "wait for it, then try again",
        ):
            if not self.built:
                await self._install()
            self._place()
        return decode_json((self.path / _VERSIONS_FILE).read_bytes(), _Versions).packages

    async def _install(self) -> None:
        self.log.write_bytes(b"")
        uv = find_uv()
        shutil.rmtree(self.path, ignore_errors=True)
        await run_command(
            [uv, "venv", "--quiet", "--python", sys.executable, self.path],
            self.log,
            timeout_s=60,
            what="the environment of the services cannot be made",
        )
        await run_command(
            [uv, "pip", "install", "--python", self.program("python"), *self._wanted()],
            self.log,
            timeout_s=BUILD_TIMEOUT_S,
            what=f"release {self.release.name!r} cannot be installed",
            hint=f"is the package index reachable? All words are in {self.log}",
        )
        printed = await run_command(
            [uv, "pip", "list", "--format", "json", "--python", self.program("python")], self.log, timeout_s=60
        )
        listed = msgspec.json.decode(printed, type=list[dict[str, str]])
        versions = {entry["name"].lower(): entry["version"] for entry in listed if "version" in entry}
        found = {name: versions[name] for name in SHOWN_PACKAGES if name in versions}
        self._check(found)
        write_atomically(self.path / _VERSIONS_FILE, encode_json_for_people(_Versions(found)))

    def _wanted(self) -> list[str]:
        wanted = [*SERVICE_PACKAGES, *SUPPORT_PACKAGES]
        if self.release.as_of is None:
            return wanted
        # The day after, as the index takes the instant at which a day begins.
        return [*wanted, "--exclude-newer", (self.release.as_of + timedelta(days=1)).isoformat()]

    def _check(self, found: dict[str, str]) -> None:
        """Raises InputError when what was installed is not the release that was asked for."""
        major = self.release.nova_major
        if major is not None and not found.get("nova", "").startswith(f"{major}."):
            raise InputError(
                f"the package index did not give release {self.release.name!r}",
                expected=f"nova {major}",
                got=f"nova {found.get('nova', 'none')}",
                hint=f"does this Python ({sys.version.split()[0]}) suit the release? All words are in {self.log}",
            )

    def _place(self) -> None:
        """Put our own modules where the services find them: Nova imports drivers from its own package only."""
        packages = next((self.path / "lib").glob("python3.*/site-packages"))
        driver = (_PLACED / "kilonode_nodes.py").read_bytes()
        write_atomically(packages / "nova" / "virt" / "kilonode_nodes.py", driver)
        self.agents_program.parent.mkdir(exist_ok=True)
        write_atomically(self.agents_program, (_PLACED / "report_agents.py").read_bytes())


def find_uv() -> str:
    """The installer that builds environments. Raises InputError when there is none."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise InputError(
            "uv, which installs the services, is missing",
            expected=f"{beside}, or uv on the PATH",
            hint="pip install 'kilonode[stack]'",
        )
    return found
