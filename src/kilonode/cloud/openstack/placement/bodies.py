"""The forms of Placement's request bodies and queries, by microversion."""

from typing import Final

from kilonode.cloud.openstack.placement.model import LARGEST
from kilonode.cloud.openstack.placement.validation import (
    Form,
    array,
    integer,
    number,
    one_of,
    record,
    text,
    uuid,
    uuid_or_null,
)

Version = tuple[int, int]

_UUID: Final = "^[0-9a-fA-F-]{36}$"
_CLASS: Final = "^[A-Z0-9_]+$"
CUSTOM: Final = "^CUSTOM_[A-Z0-9_]+$"
LARGEST_RATIO: Final = 3.40282e38
"""What a single-precision column can hold."""

_NAME: Final = text(most=200)
CREATE_PROVIDER: Final = record({"name": _NAME, "uuid": uuid}, required=("name",))
CREATE_PROVIDER_1_14: Final = record(
    {"name": _NAME, "uuid": uuid, "parent_provider_uuid": uuid_or_null}, required=("name",)
)
UPDATE_PROVIDER: Final = record({"name": _NAME}, required=("name",))
UPDATE_PROVIDER_1_14: Final = record({"name": _NAME, "parent_provider_uuid": uuid_or_null}, required=("name",))

_LEAST_ONE: Final = integer(least=1, most=LARGEST)
_INVENTORY: Final[dict[str, Form]] = {
    "resource_provider_generation": integer(),
    "total": _LEAST_ONE,
    "reserved": integer(least=0, most=LARGEST),
    "min_unit": _LEAST_ONE,
    "max_unit": _LEAST_ONE,
    "step_size": _LEAST_ONE,
    "allocation_ratio": number(most=LARGEST_RATIO),
}
CREATE_INVENTORY: Final = record(
    {**_INVENTORY, "resource_class": text(pattern=_CLASS)}, required=("total", "resource_class")
)
UPDATE_INVENTORY: Final = record(_INVENTORY, required=("total", "resource_provider_generation"))
SET_INVENTORIES: Final = record(
    {
        "resource_provider_generation": integer(),
        "inventories": record(keys={_CLASS: record(_INVENTORY, required=("total",))}, open_=True),
    },
    required=("resource_provider_generation", "inventories"),
)

SET_TRAITS: Final = record(
    {"traits": array(text(least=1, most=255)), "resource_provider_generation": integer()},
    required=("traits", "resource_provider_generation"),
)
CUSTOM_TRAIT: Final = text(least=1, most=255, pattern=CUSTOM)
_AGGREGATES: Final = array(uuid, unique=True)
SET_AGGREGATES: Final = _AGGREGATES
SET_AGGREGATES_1_19: Final = record(
    {"aggregates": _AGGREGATES, "resource_provider_generation": integer()},
    required=("aggregates", "resource_provider_generation"),
)
NAME_CLASS: Final = record({"name": text(most=255, pattern=CUSTOM)}, required=("name",))

_WHO: Final[dict[str, Form]] = {"project_id": text(least=1, most=255), "user_id": text(least=1, most=255)}
_AMOUNTS: Final = record(keys={_CLASS: integer(least=1)}, least=1)
_GROUP_NAME: Final = "[a-zA-Z0-9_-]{1,64}"


def _allocations_by_provider(least: int) -> Form:
    amounts = record({"generation": integer(), "resources": _AMOUNTS}, required=("resources",))
    return record(keys={_UUID: amounts}, least=least)


_LISTED: Final = array(
    record(
        {"resource_provider": record({"uuid": uuid}, required=("uuid",)), "resources": _AMOUNTS},
        required=("resource_provider", "resources"),
    ),
    least=1,
)
_MANY: Final = _allocations_by_provider(1)
_ANY: Final = _allocations_by_provider(0)
_GENERATION: Final[dict[str, Form]] = {"consumer_generation": integer(null=True)}
_MAPPINGS: Final[dict[str, Form]] = {"mappings": record(keys={_GROUP_NAME: array(uuid, least=1)}, least=1, open_=True)}
_TYPE: Final[dict[str, Form]] = {"consumer_type": text(least=1, most=255, pattern=_CLASS)}
_WHO_NAMES: Final = ("allocations", "project_id", "user_id")


def set_allocations(version: Version) -> Form:
    """The body of `PUT /allocations/{consumer}`."""
    if version < (1, 8):
        return record({"allocations": _LISTED}, required=("allocations",))
    if version < (1, 12):
        return record({"allocations": _LISTED, **_WHO}, required=_WHO_NAMES)
    if version < (1, 28):
        return record({"allocations": _MANY, **_WHO}, required=_WHO_NAMES)
    return _one_consumer(version)


def _one_consumer(version: Version) -> Form:
    """One consumer of a body that has several."""
    fields: dict[str, Form] = {"allocations": _ANY, **_WHO}
    required: tuple[str, ...] = _WHO_NAMES
    if version >= (1, 28):
        fields, required = fields | _GENERATION, (*required, "consumer_generation")
    if version >= (1, 34):
        fields = fields | _MAPPINGS
    if version >= (1, 38):
        fields, required = fields | _TYPE, (*required, "consumer_type")
    return record(fields, required=required)


def change_allocations(version: Version, *, least: int = 1) -> Form:
    """The body of `POST /allocations`."""
    return record(keys={_UUID: _one_consumer(version)}, least=least)


def reshape(version: Version) -> Form:
    """The body of `POST /reshaper`."""
    return record(
        {
            "inventories": record(keys={_UUID: SET_INVENTORIES}, least=1),
            "allocations": change_allocations(version, least=0),
        },
        required=("inventories", "allocations"),
    )


def list_providers(version: Version) -> Form:
    """The query of `GET /resource_providers`."""
    fields: dict[str, Form] = {"name": text(), "uuid": uuid}
    since: tuple[tuple[Version, str, Form], ...] = (
        ((1, 3), "member_of", text()),
        ((1, 4), "resources", text()),
        ((1, 14), "in_tree", uuid),
        ((1, 18), "required", text()),
    )
    return record(fields | {name: form for first, name, form in since if version >= first})


_LIMIT: Final = text(least=1, pattern="^[1-9][0-9]*$")


def list_candidates(version: Version) -> Form:
    """The query of `GET /allocation_candidates`."""
    if version < (1, 25):
        fields: dict[str, Form] = {"resources": text()}
        fields |= {"limit": _LIMIT} if version >= (1, 16) else {}
        fields |= {"required": text()} if version >= (1, 17) else {}
        fields |= {"member_of": text()} if version >= (1, 21) else {}
        return record(fields, required=("resources",))
    suffix = "[a-zA-Z0-9_-]{1,64}" if version >= (1, 33) else "[1-9][0-9]*"
    words = ("resources", "required", "member_of", *(("in_tree",) if version >= (1, 31) else ()))
    fields = {"limit": _LIMIT, "group_policy": one_of("none", "isolate")}
    fields |= {"root_required": text()} if version >= (1, 35) else {}
    fields |= {"same_subtree": text()} if version >= (1, 36) else {}
    return record(fields, keys={f"^{word}({suffix})?$": text() for word in words})


def list_usages(version: Version) -> Form:
    """The query of `GET /usages`."""
    fields = _WHO
    if version >= (1, 38):
        fields = fields | {"consumer_type": text(least=1, most=255, pattern=f"{_CLASS}|^all|^unknown$")}
    return record(fields, required=("project_id",))


LIST_TRAITS: Final = record({"name": text(), "associated": text()})
