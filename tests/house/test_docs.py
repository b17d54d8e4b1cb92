"""Documents keep what they promise: a page per part, links that lead somewhere, one list of nouns, reasons for all."""

import re
import tomllib
from pathlib import Path

import kilonode

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")] if path.is_file()
)
NOUN = re.compile(r"^(?:- \*\*|\| \*\*)([A-Z][a-z]+)\*\*", re.MULTILINE)


def test_every_part_has_a_page() -> None:
    parts = {path.parent.name for path in (ROOT / "src" / "kilonode").glob("*/__init__.py")}
    missing = sorted(part for part in parts if not (ROOT / "docs" / f"{part}.md").exists())
    assert missing == []


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
        broken += [
            f"{page.relative_to(ROOT)}: {target}"
            for target in targets
            if "://" not in target and not (page.parent / target).exists()
        ]
    assert broken == []


def test_readme_architecture_and_package_share_one_list_of_nouns() -> None:
    package = NOUN.findall(kilonode.__doc__ or "")
    assert len(package) > 10
    assert NOUN.findall((ROOT / "README.md").read_text()) == package
    assert NOUN.findall((ROOT / "ARCHITECTURE.md").read_text()) == package


def test_every_dependency_is_named_with_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = [re.split(r"[<>=\[ ]", line)[0] for line in project["project"]["dependencies"]]
    decisions = "\n".join(path.read_text().lower() for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert [name for name in names if name not in decisions] == []


def test_decisions_are_listed_in_their_index() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    missing = [path.name for path in sorted(folder.glob("[0-9]*.md")) if path.name not in index]
    assert missing == []
