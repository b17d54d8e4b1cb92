"""Golden files: what a person checked once, compared each time. `KILONODE_GOLDEN=write` writes them anew, for a look at
the difference before it is committed."""

import os
from pathlib import Path


def check_golden(file: Path, text: str) -> None:
    """The file has exactly this text."""
    if os.environ.get("KILONODE_GOLDEN") == "write":
        file.write_text(text, encoding="utf-8")
    assert file.exists(), f"{file} is missing; KILONODE_GOLDEN=write makes it"
    assert text == file.read_text(encoding="utf-8")
