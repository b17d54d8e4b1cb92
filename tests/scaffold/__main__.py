"""`python -m tests.scaffold NAME THING`: a new service of the emulated cloud, with all that a service has.

`make service NAME=dns THING=zone` from the root of the sources. What it writes runs, is served and tested as it is: a
folder with model, handlers, routes and a role; and in the files that name every service: the role, its count, the kind
and the stages of its documents, the catalog, the table of coverage, a paragraph of documentation. It refuses what is
there already, and changes nothing unless it can change everything. It knows nothing of what the service is for.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

TEMPLATES: Final = Path(__file__).parent / "templates"
WORD: Final = re.compile(r"[a-z][a-z0-9]{1,30}")
SERVICES: Final = "src/kilonode/cloud/openstack"
CLOUD: Final = "src/kilonode/cloud"
FILES: Final = {
    f"{SERVICES}/@name@/__init__.py": "package",
    f"{SERVICES}/@name@/model.py": "model",
    f"{SERVICES}/@name@/@things@.py": "handlers",
    f"{SERVICES}/@name@/reconcile.py": "reconcile",
    f"{SERVICES}/@name@/service.py": "service",
    "tests/cloud/openstack/test_@name@.py": "test",
}
"""What is new, and the template of each."""


class Addition(NamedTuple):
    """What is added to a file that names all services."""

    path: str
    expression: str
    """Found once in the file."""
    before: str = ""
    """What goes before what was found."""
    after: str = ""


ADDITIONS: Final = (
    Addition(
        f"{CLOUD}/layout.py",
        r"CONTROLLERS: Final = \(",
        before='@NAME@: Final = "@name@"\n"""Takes @things@ through their statuses."""\n',
    ),
    Addition(f"{CLOUD}/layout.py", r"CONTROLLERS: Final = \([^)]*", after=", @NAME@"),
    Addition(
        f"{CLOUD}/role_counts.py",
        r'    """What takes images through their statuses\."""\n',
        after='    @name@: OwnProcess = 0\n    """What takes @things@ through their statuses."""\n',
    ),
    Addition(f"{CLOUD}/roles.py", r"from kilonode\.cloud\.layout import [^\n]*", after=", @NAME@"),
    Addition(
        f"{CLOUD}/roles.py",
        r"    if role == IMAGE:\n",
        before=(
            "    if role == @NAME@:\n        from kilonode.cloud.openstack.@name@ import reconcile as @things@\n\n"
            "        return @things@.KINDS, @things@.run_@name@\n"
        ),
    ),
    Addition(f"{CLOUD}/stages.py", r"EFFECTS: Final[^\n]*\n", after='    "@kind@": frozenset(),\n'),
    Addition(
        f"{CLOUD}/stage_profiles/lifecycle.yaml",
        r"\Z",
        before=(
            "  # @things@ of the @name@ service\n"
            "  - {name: @stage@-create, when: {kind: @kind@, task: creating}, next: {state: active}}\n"
            "  - {name: @stage@-delete, when: {kind: @kind@, task: deleting}, next: {state: deleted}}\n"
        ),
    ),
    Addition(
        f"{CLOUD}/stage_profiles/fast.yaml",
        r"delays:\n",
        after=(
            "  @stage@-create: {distribution: uniform, min: 500ms, max: 1s}\n"
            "  @stage@-delete: {distribution: uniform, min: 200ms, max: 500ms}\n"
        ),
    ),
    Addition(
        f"{SERVICES}/application.py",
        r"from kilonode\.cloud\.openstack\.web\.application",
        before="from kilonode.cloud.openstack.@name@.service import @NAME@_SERVICE\n",
    ),
    Addition(f"{SERVICES}/application.py", r"SERVICES: Final[^\n]*\([^)]*", after=", @NAME@_SERVICE"),
    Addition(
        f"{CLOUD}/seed.py",
        r'    \("image", "glance", "/image"\),\n',
        after='    ("@name@", "@name@", "/@name@/v1"),\n',
    ),
    Addition(
        "docs/cloud.md",
        r"## Speed\n",
        before=(
            "## @Name@\n\nA service of its own: `@things@` (`@things@.py`), taken through their statuses by the role "
            "`@name@` after the\nstages `@stage@-…`.\n\n"
        ),
    ),
)


class RefusedError(Exception):
    """Nothing was written, for this reason."""


def words(name: str, thing: str) -> dict[str, str]:
    """What stands for each placeholder. Raises RefusedError."""
    for word in (name, thing):
        if not WORD.fullmatch(word):
            raise RefusedError(f"{word!r}: a word of small letters and digits that begins with a letter is wanted")
    things = f"{thing[:-1]}ies" if thing.endswith("y") else f"{thing}s"
    return {
        "name": name, "Name": name.capitalize(), "NAME": name.upper(),
        "thing": thing, "things": things, "Thing": thing.capitalize(), "THING": thing.upper(),
        "kind": f"{name}_{thing}", "stage": f"{name}-{thing}",
    }  # fmt: skip


def fill(text: str, known: dict[str, str]) -> str:
    """The text with its placeholders filled in."""
    return re.sub(r"@(\w+)@", lambda match: known[match[1]], text)


def new_texts(root: Path, known: dict[str, str]) -> dict[Path, str]:
    """Every file that is written, with all that will stand in it. Raises RefusedError."""
    texts: dict[Path, str] = {}
    for path, template in FILES.items():
        place = root / fill(path, known)
        if place.exists():
            raise RefusedError(f"{place} is there already")
        texts[place] = fill((TEMPLATES / f"{template}.txt").read_text(), known)
    for path, expression, before, after in ADDITIONS:
        place = root / path
        text = texts.get(place) or place.read_text()
        found = list(re.finditer(expression, text))
        if len(found) != 1:
            raise RefusedError(f"{path}: the place for the new service was found {len(found)} times: {expression}")
        start, end = found[0].span()
        texts[place] = text[:start] + fill(before, known) + text[start:end] + fill(after, known) + text[end:]
    return texts


def scaffold(root: Path, name: str, thing: str) -> list[Path]:
    """Write a new service into the sources at `root`. Raises RefusedError."""
    texts = new_texts(root, words(name, thing))
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    code = [str(path) for path in texts if path.suffix == ".py"]
    ruff = (sys.executable, "-m", "ruff")
    # How long a line is depends on the names.
    subprocess.run([*ruff, "check", "--quiet", "--fix", "--select", "I", *code], cwd=root, check=True)
    subprocess.run([*ruff, "format", "--quiet", *code], cwd=root, check=True)
    subprocess.run([sys.executable, "-m", "tests.conformance.coverage"], cwd=root, check=True)
    return list(texts)


def main(arguments: list[str]) -> int:
    """The command."""
    if len(arguments) != 2:
        print("error: a name and a thing are wanted, such as: make service NAME=dns THING=zone", file=sys.stderr)
        return 2
    try:
        written = scaffold(Path.cwd(), *arguments)
    except RefusedError as refusal:
        print(f"error: {refusal}", file=sys.stderr)
        return 2
    for path in written:
        print(path.relative_to(Path.cwd()))
    print(f"try it: python -m pytest tests/cloud/openstack/test_{arguments[0]}.py, then make check", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
