"""The house: which part may import which, no cycles, nothing imported from the package root, no dead module."""

import ast
from pathlib import Path

import grimp
import pytest

SOURCE = Path(__file__).parents[2] / "src" / "kilonode"

MAY_IMPORT: dict[str, set[str]] = {
    "base": set(),
    "history": {"base"},
    "store": {"base"},
    "control": {"base", "store"},
    "cloud": {"base", "store", "control"},
    "clients": {"base"},
    "scenarios": {"base", "clients"},
    "load": {"base", "history", "scenarios", "clients"},
    "faults": {"base", "history", "clients"},
    "check": {"base", "history"},
    "report": {"base", "history", "check"},
    "run": {"base", "history", "clients", "scenarios", "load", "faults", "check"},
    "stack": {"base", "clients"},
    "cli": {
        "base", "history", "store", "control", "cloud", "clients", "scenarios", "load", "faults", "check", "report",
        "run", "stack",
    },
}  # fmt: skip
"""The import table of ARCHITECTURE.md. Deferred imports count."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("kilonode", cache_dir=None)


def part_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_every_part_is_in_the_table() -> None:
    parts = {path.name for path in SOURCE.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert parts <= set(MAY_IMPORT)


def test_imports_point_down_only(graph: grimp.ImportGraph) -> None:
    wrong = [
        f"{importer} imports {imported}"
        for importer in sorted(graph.modules)
        for imported in sorted(graph.find_modules_directly_imported_by(importer))
        if part_of(importer) != part_of(imported) and part_of(imported) not in MAY_IMPORT[part_of(importer)]
    ]
    assert wrong == []


def test_no_module_imports_the_package_root() -> None:
    wrong = []
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            if "kilonode" in names:
                wrong.append(str(path.relative_to(SOURCE)))
    assert wrong == []


def test_no_module_takes_part_in_an_import_cycle(graph: grimp.ImportGraph) -> None:
    cyclic = [
        module
        for module in sorted(graph.modules)
        if any(
            module in graph.find_downstream_modules(importer) and importer in graph.find_downstream_modules(module)
            for importer in graph.find_modules_that_directly_import(module)
        )
    ]
    assert cyclic == []


def test_no_module_is_dead(graph: grimp.ImportGraph) -> None:
    """Alive: what the command line or a `python -m` module reaches. A package lives when something in it does."""
    roots = {"kilonode.cli.main"}
    for path in SOURCE.rglob("*.py"):
        # What stands in a folder that is no package runs in another program's environment.
        if (path.parent / "__init__.py").exists() and 'if __name__ == "__main__":' in path.read_text():
            roots.add("kilonode." + ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__main__"))
    alive = set(roots)
    for root in roots:
        alive |= graph.find_upstream_modules(root)
    for module in list(alive):
        while "." in module:
            module = module.rpartition(".")[0]
            alive.add(module)
    assert sorted(graph.modules - alive) == []
