"""Values that stand in the bodies of several requests about servers, each checked as Nova checks it."""

from base64 import b64decode
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Any, Final
from uuid import UUID

from kilonode.cloud.openstack.compute.quotas import limits_of
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request

NO_FILES_SINCE: Final = (2, 57)
DISK_CONFIGS: Final = ("AUTO", "MANUAL")
_TEXT_LIMIT: Final = 255


def access_address(name: str, value: Any, family: int) -> str:
    """An address in its shortest form; empty for none. Raises Fault 400."""
    if value in ("", None):
        return ""
    try:
        return str(IPv4Address(value) if family == 4 else IPv6Address(value))
    except (AddressValueError, ValueError) as error:
        words = f"{value!r} is not an IPv{family} address"
        raise Fault(400, f"Invalid input for field/attribute {name}. Value: {value}. {words}") from error


def disk_config(value: Any) -> str:
    """AUTO or MANUAL. Raises Fault 400."""
    if value not in DISK_CONFIGS:
        raise Fault(400, f"Invalid input for field/attribute OS-DCF:diskConfig. Value: {value}. It is AUTO or MANUAL.")
    return str(value)


def check_metadata(request: Request, metadata: dict[str, Any], name: str = "metadata") -> None:
    """Refuse metadata that is too much, too long, or no text. Raises Fault 400 or 403."""
    for key, value in metadata.items():
        if not isinstance(value, str):
            raise Fault(400, f"Invalid input for field/attribute {key}. Value: {value}. It is not of type 'string'")
        if not 1 <= len(key) <= _TEXT_LIMIT or len(value) > _TEXT_LIMIT:
            raise Fault(400, f"Invalid input for field/attribute {name}: keys and values have at most 255 characters.")
    limit = limits_of(request.cloud, request.caller.project_id)["metadata_items"] if metadata else -1
    if 0 <= limit < len(metadata):
        raise Fault(403, f"Maximum number of metadata items exceeds {limit}")


def check_files(request: Request, files: Any) -> None:
    """Refuse files to put into a server that are too many or too large; nobody reads them. Raises Fault 400 or 403."""
    if not files:
        return
    if request.microversion >= NO_FILES_SINCE:
        raise Fault(400, "Additional properties are not allowed ('personality' was unexpected)")
    limits = limits_of(request.cloud, request.caller.project_id)
    if 0 <= limits["injected_files"] < len(files):
        raise Fault(403, "Personality file limit exceeded")
    for file in files:
        if not isinstance(file, dict) or not isinstance(file.get("path"), str):
            raise Fault(400, "Invalid input for field/attribute personality. Each has a path and contents.")
        try:
            contents = b64decode(str(file.get("contents", "")), validate=True)
        except ValueError as error:
            raise Fault(400, f"Invalid input for field/attribute contents of {file['path']}: not base64.") from error
        if 0 <= limits["injected_file_content_bytes"] < len(contents):
            raise Fault(403, "Personality file content too long")
        if 0 <= limits["injected_file_path_bytes"] < len(file["path"].encode()):
            raise Fault(403, "Personality file path too long")


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID, with dashes or without."""
    try:
        return UUID(text).hex == text.replace("-", "").lower()
    except ValueError:
        return False
