"""Reading the bodies of requests: texts, maps of texts, truth values, numbers. Refusals are Cinder's 400s."""

from typing import Any, Final

from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request

TEXT_LIMIT: Final = 255
_TRUE: Final = frozenset({"true", "1", "t", "yes", "y", "on"})
_FALSE: Final = frozenset({"false", "0", "f", "no", "n", "off"})


def invalid(field: str, value: Any, why: str = "") -> Fault:
    """400 for a value that a field cannot have."""
    shown = repr(value)
    text = f"Invalid input for field/attribute {field}. Value: {shown[:60]}."
    return Fault(400, f"{text} {why}".rstrip())


def body_of(request: Request, noun: str) -> dict[str, Any]:
    """The object below `noun` in the request's body. Raises Fault 400."""
    wanted = request.json_object().get(noun)
    if not isinstance(wanted, dict):
        raise invalid(noun, wanted, "It must be an object.")
    return wanted


def text_of(wanted: dict[str, Any], field: str, *, needed: bool = False, limit: int = TEXT_LIMIT) -> str:
    """A text, empty when it is not there. Raises Fault 400."""
    value = wanted.get(field)
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or len(value) > limit or (needed and not value.strip()):
        raise invalid(field, value, f"It must be a text of at most {limit} characters.")
    return value.strip()


def texts_of(value: Any, field: str) -> dict[str, str]:
    """A map of texts to texts, empty for None. Raises Fault 400."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(field, value, "It must be an object.")
    found: dict[str, str] = {}
    for name, text in value.items():
        if not name.strip() or len(name) > TEXT_LIMIT:
            raise invalid(field, name, f"A key has 1 to {TEXT_LIMIT} characters.")
        if isinstance(text, (dict, list)) or len(str(text)) > TEXT_LIMIT:
            raise invalid(field, text, f"A value has at most {TEXT_LIMIT} characters.")
        found[name] = str(text)
    return found


def truth_of(wanted: dict[str, Any], field: str, *, default: bool = False) -> bool:
    """A truth value as OpenStack spells them. Raises Fault 400."""
    value = wanted.get(field)
    if value is None:
        return default
    folded = str(value).lower()
    if folded in _TRUE:
        return True
    if folded in _FALSE:
        return False
    raise invalid(field, value, "It must be a boolean.")


def number_of(wanted: dict[str, Any], field: str) -> int:
    """A whole number. Raises Fault 400."""
    value = wanted.get(field)
    if isinstance(value, (int, str)) and not isinstance(value, bool):
        try:
            return int(value)
        except ValueError:
            pass
    raise invalid(field, value, "It must be a whole number.")
