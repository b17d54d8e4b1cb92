"""`python -m tests.conformance.reference FOLDER`: reads the operations out of the services' sources.

FOLDER has a clone (with or without a work tree) of each service's repository, under the repository's name. What is kept
are facts alone: method, path, the name of an action, and the chapter where it stands. `# …` lines say of which commit.
Needed only when the reference moves on; docs/coverage.md is made from the files that this writes.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
SOURCES: Final = {
    "identity": ("keystone", ("v3/", "v3-ext/")),
    "compute": ("nova", ("",)),
    "placement": ("placement", ("",)),
    "network": ("neutron-lib", ("v2/",)),
    "image": ("glance", ("v2/", "versions/")),
    "volume": ("cinder", ("v3/",)),
}
"""Service to its repository and the folders below api-ref/source that are of the version that is served."""
_METHOD: Final = re.compile(r"^\.\. rest_method::[ \t]*\n?[ \t]*([A-Z]+)[ \t]+(\S+)", re.MULTILINE)
_NAMED: Final = re.compile(r"\((\S+) Action\)")
_SAID: Final = re.compile(r"``([\w:-]+)``\s+action\b")
_PARAMETER: Final = re.compile(r"^[ ]+- ([\w:-]+) *:", re.MULTILINE)
_UNSAID: Final = {
    "Complete attachment": "os-complete",
    "List replication targets": "list_replication_targets",
    "Enable group replication": "enable_replication",
    "Disable group replication": "disable_replication",
    "Failover replication": "failover_replication",
}
"""What the reference does not name where it could be found; by the title of the section."""
_RULED: Final = re.compile(r"^(\S.*)\n([=\-~^*])\2{3,}[ \t]*$", re.MULTILINE)


def git(repository: Path, *words: str) -> str:
    """What git says."""
    return subprocess.run(["git", "-C", repository, *words], check=True, capture_output=True, text=True).stdout


def operations(text: str, chapter: str) -> list[str]:
    """The lines for one chapter."""
    found = []
    places = list(_METHOD.finditer(text))
    ends = [*(place.start() for place in places[1:]), len(text)]
    for place, end in zip(places, ends, strict=False):
        section = text[place.end() : end]
        titles = _RULED.findall(text[: place.start()])
        line = f"{place[1]} {place[2].split('?')[0]}"
        if place[1] == "POST" and place[2].endswith("/action"):
            line += f" {action(titles[-1][0] if titles else '', section, place[2])}"
        found.append(f"{chapter}: {line}")
    return found


def action(title: str, section: str, path: str) -> str:
    """The name of the action that a section tells of: in its title, its words, or as its first field in the body."""
    if title in _UNSAID:
        return _UNSAID[title]
    named = _NAMED.search(title)
    if named:
        return named[1]
    in_path = set(re.findall(r"{(\w+)}", path))
    request = section.partition("\nRequest")[2].partition("\nResponse")[0]
    fields = [name for name in _PARAMETER.findall(request) if name not in in_path]
    said = _SAID.search(section)
    return said[1] if said else fields[0] if fields else "?"


def main(folder: Path) -> None:
    """Write the file of each service."""
    for service, (name, parts) in SOURCES.items():
        repository = next(path for path in (folder / name, folder / f"{name}.git") if path.exists())
        commit, date = git(repository, "log", "-1", "--format=%H %cs").split()
        files = git(repository, "ls-tree", "-r", "--name-only", "HEAD", "api-ref/source").split()
        lines: dict[str, None] = {}
        for path in files:
            below = path.removeprefix("api-ref/source/")
            if below.endswith((".inc", ".rst")) and below.startswith(parts):
                chapter = below.rpartition(".")[0].removeprefix(parts[0])
                lines |= dict.fromkeys(operations(git(repository, "show", f"HEAD:{path}"), chapter))
        head = f"# openstack/{name} {commit} {date}: `rest_method` lines of api-ref/source\n"
        (FOLDER / f"{service}.txt").write_text(head + "".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
