"""Looking at `clouds.yaml` and its like before openstacksdk reads them.

openstacksdk passes over a file that is not YAML with a log line that shows the broken part of it, which may be a
password, and fails deep inside on one of the wrong shape. Here both become errors that name the place and show nothing.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import yaml

from kilonode.base.errors import InputError


def check_clouds_files(clouds_files: Iterable[str], other_files: Iterable[str]) -> None:
    """Raise InputError when the first file that exists of either list cannot be used.

    `clouds_files` are where openstacksdk looks for clouds.yaml, `other_files` for files of the same form beside it.
    """
    named = os.environ.get("OS_CLIENT_CONFIG_FILE")
    for files in ([*([named] if named else []), *clouds_files], list(other_files)):
        for file in files:
            path = Path(file)
            if path.is_file() and os.access(path, os.R_OK):
                _check(path)
                break


def _check(path: Path) -> None:
    try:
        document = yaml.safe_load(path.read_text())
    except UnicodeDecodeError:
        raise InputError("not a text file in UTF-8", where=str(path)) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise InputError("not YAML", where=f"{path}{place}", got=error.problem or "") from None
    except yaml.YAMLError:
        raise InputError("not YAML", where=str(path)) from None
    if document is None:
        return
    clouds = document.get("clouds", {}) if isinstance(document, dict) else document
    if not isinstance(clouds, dict):
        raise InputError(
            "not a list of clouds",
            where=str(path),
            expected="clouds: and below it, for each cloud, its name and settings",
        )
    for name, settings in clouds.items():
        if not isinstance(settings, dict) or not isinstance(settings.get("auth", {}), dict):
            raise InputError(
                f"the cloud {name!r} has the wrong form",
                where=str(path),
                expected="settings such as auth: {auth_url: …, username: …}",
            )
