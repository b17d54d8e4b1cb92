"""What a query of Placement asks for: groups of resources, traits and aggregates, and what holds for all of them.

Reading and checking only; `search` finds who can give it.
"""

import re
from typing import Final

import msgspec

from kilonode.cloud.openstack.placement.door import BAD_VALUE, DUPLICATE_KEY, MISSING_VALUE
from kilonode.cloud.openstack.placement.names import is_class, unknown_traits
from kilonode.cloud.openstack.placement.validation import is_uuid
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request

FORBIDDEN_TRAITS_SINCE: Final = (1, 22)
SEVERAL_MEMBER_OF_SINCE: Final = (1, 24)
FORBIDDEN_AGGREGATES_SINCE: Final = (1, 32)
NAMED_GROUPS_SINCE: Final = (1, 33)
SAME_SUBTREE_SINCE: Final = (1, 36)
ANY_TRAITS_SINCE: Final = (1, 39)
LARGEST_AMOUNT: Final = 2**62
_NUMBERED: Final = re.compile(r"(resources|required|member_of|in_tree)([1-9][0-9]*)?")
_NAMED: Final = re.compile(r"(resources|required|member_of|in_tree)([a-zA-Z0-9_-]{1,64})?")
_FORM: Final = (
    "Badly formed resources parameter. Expected resources query string parameter in form: "
    "?resources=VCPU:2,MEMORY_MB:1024. Got: "
)

Traits = tuple[frozenset[str], ...]
"""Of each set at least one."""


class Group(msgspec.Struct, frozen=True):
    """What has to come from one provider; the group without a name may come from several of a tree."""

    resources: dict[str, int] = {}
    required: Traits = ()
    forbidden: frozenset[str] = frozenset()
    member_of: tuple[frozenset[str], ...] = ()
    """Aggregates: of each set at least one."""
    not_member_of: frozenset[str] = frozenset()
    in_tree: str = ""


class Wanted(msgspec.Struct, frozen=True):
    """One query for candidates."""

    groups: dict[str, Group]
    limit: int | None = None
    isolate: bool = False
    root_required: frozenset[str] = frozenset()
    root_forbidden: frozenset[str] = frozenset()
    same_subtrees: tuple[frozenset[str], ...] = ()


class Filter(msgspec.Struct, frozen=True):
    """One query for providers."""

    group: Group
    name: str = ""
    uuid: str = ""


def read_filter(request: Request) -> Filter:
    """The query of a list of providers. Raises Fault 400."""
    query = request.query
    group = _group(request, "") if any(name in query for name in ("resources", "required", "member_of")) else Group()
    _check_names(request, group, 'Invalid trait(s) in "required" parameter: ')
    if "in_tree" in query:
        group = msgspec.structs.replace(group, in_tree=query.one("in_tree"))
    return Filter(group, query.one("name"), query.one("uuid"))


def read_wanted(request: Request) -> Wanted:
    """The query of a list of candidates, whose form was checked. Raises Fault 400."""
    query, version = request.query, request.microversion
    limit = next(iter(query.all("limit")), "")
    policy = next(iter(query.all("group_policy")), "")
    root_required, root_forbidden = _root_traits(request)
    same_subtrees = []
    for value in query.all("same_subtree"):
        names = frozenset(name.strip() for name in value.split(","))
        if "" in names:
            words = "Empty string (unsuffixed group) can not be specified in `same_subtree` "
            raise Fault(400, words, type=BAD_VALUE)
        same_subtrees.append(names)
    pattern = _NAMED if version >= NAMED_GROUPS_SINCE else _NUMBERED
    matches = [pattern.fullmatch(name) for name, _ in query]
    groups = {match[2] or "": Group() for match in matches if match is not None}
    groups = {name: _group(request, name) for name in groups}
    if version >= SAME_SUBTREE_SINCE:
        _check_subtrees(groups, frozenset[str]().union(*same_subtrees))
    else:
        _check_orphans(groups)
    if version >= FORBIDDEN_TRAITS_SINCE:
        _check_conflicts(groups)
    if not policy and sum(bool(name) for name in groups) > 1:
        raise Fault(
            400, 'The "group_policy" parameter is required when specifying more than one "resources{N}" parameter.'
        )
    for names in (root_required, root_forbidden):
        _check_traits(request, names, "")
    for group in groups.values():
        _check_names(request, group, "")
    return Wanted(
        groups=groups,
        limit=min(int(limit), LARGEST_AMOUNT) if limit else None,
        isolate=policy == "isolate",
        root_required=root_required,
        root_forbidden=root_forbidden,
        same_subtrees=tuple(same_subtrees),
    )


def _group(request: Request, suffix: str) -> Group:
    query, version = request.query, request.microversion
    resources = {name: amount for value in query.all(f"resources{suffix}") for name, amount in _amounts(value).items()}
    values = query.all(f"required{suffix}")
    if version < ANY_TRAITS_SINCE:
        values = values[-1:]
    required: list[frozenset[str]] = []
    forbidden: set[str] = set()
    for value in values:
        more, less = read_traits(
            value, forbidden=version >= FORBIDDEN_TRAITS_SINCE, several=version >= ANY_TRAITS_SINCE
        )
        required += more
        forbidden |= less
    member_of, not_member_of = _aggregates(request, suffix)
    in_tree = query.one(f"in_tree{suffix}").strip()
    if f"in_tree{suffix}" in query and not is_uuid(in_tree):
        raise Fault(
            400,
            "Invalid query string parameters: Expected 'in_tree' parameter to be a format of uuid. "
            f"Got: {query.one(f'in_tree{suffix}')}",
        )
    return Group(resources, tuple(required), frozenset(forbidden), member_of, not_member_of, in_tree)


def _amounts(text: str) -> dict[str, int]:
    if not text.strip():
        raise Fault(400, f"{_FORM}empty string.")
    amounts = {}
    for part in text.split(","):
        if part.count(":") != 1:
            raise Fault(400, f"{_FORM}{part}.")
        name, _, amount_text = part.partition(":")
        try:
            amount = int(amount_text[:20])
        except ValueError:
            raise Fault(
                400, f"Requested resource {name} expected positive integer amount. Got: {amount_text}."
            ) from None
        if amount < 1:
            raise Fault(400, f"Requested resource {name} requires amount >= 1. Got: {amount}.")
        amounts[name] = min(amount, LARGEST_AMOUNT)
    return amounts


def read_traits(text: str, *, forbidden: bool, several: bool) -> tuple[list[frozenset[str]], frozenset[str]]:
    """Traits wanted (of each set one) and unwanted. Raises Fault 400."""
    start = "Invalid query string parameters: "
    if text.startswith("in:"):
        example = "in:HW_CPU_X86_VMX,CUSTOM_MAGIC"
        if not several:
            raise Fault(400, f"{start}The format '{example}' only supported since microversion 1.39. Got: {text}")
        names = frozenset(name.strip() for name in text[3:].split(","))
        if "" in names:
            words = f"{start}Expected 'required' parameter value of the form: {example}. Got an empty trait in: "
            raise Fault(400, words + text)
        if any(name.startswith("!") for name in names):
            raise Fault(400, f"{start}The format '{example}' does not support forbidden traits. Got: {text}")
        return [names], frozenset()
    listed = [name.strip() for name in text.split(",")]
    unwanted = frozenset(name.lstrip("!") for name in listed if name.startswith("!"))
    example = "HW_CPU_X86_VMX,!CUSTOM_MAGIC" if forbidden else "HW_CPU_X86_VMX,CUSTOM_MAGIC"
    words = f"{start}Expected 'required' parameter value of the form: {example}. Got"
    if "" in listed or "" in unwanted:
        raise Fault(400, f"{words} an empty trait in: {text}")
    if unwanted and not forbidden:
        raise Fault(400, f"{words}: {text}")
    return [frozenset({name}) for name in listed if not name.startswith("!")], unwanted


def _aggregates(request: Request, suffix: str) -> tuple[tuple[frozenset[str], ...], frozenset[str]]:
    values = request.query.all(f"member_of{suffix}")
    if len(values) > 1 and request.microversion < SEVERAL_MEMBER_OF_SINCE:
        raise Fault(400, f"Multiple member_of{suffix} parameters are not supported")
    required: list[frozenset[str]] = []
    forbidden: frozenset[str] = frozenset()
    for value in values:
        text = value.removeprefix("!")
        several = text.startswith("in:")
        if "," in value and not several:
            raise Fault(
                400,
                "Multiple values for 'member_of' must be prefixed with the 'in:' or '!in:' keyword using the valid "
                f"microversion. Got: {value}",
            )
        names = frozenset(text[3:].split(",")) if several else frozenset({text})
        for name in sorted(names):
            if not is_uuid(name):
                raise Fault(
                    400,
                    "Invalid query string parameters: Expected 'member_of' parameter to contain valid UUID(s). "
                    f"Got: {name}",
                )
        if not value.startswith("!"):
            required.append(names)
        elif request.microversion < FORBIDDEN_AGGREGATES_SINCE:
            words = f"Forbidden member_of{suffix} parameters are not supported in the specified microversion"
            raise Fault(400, words)
        else:
            forbidden |= names
    return tuple(required), forbidden


def _root_traits(request: Request) -> tuple[frozenset[str], frozenset[str]]:
    values = request.query.all("root_required")
    if not values:
        return frozenset(), frozenset()
    if len(values) > 1:
        raise Fault(400, "Query parameter 'root_required' may be specified only once.", type=DUPLICATE_KEY)
    sets, forbidden = read_traits(values[0], forbidden=True, several=False)
    required = frozenset[str]().union(*sets)
    conflicts = required & forbidden
    if conflicts:
        named = ", ".join(sorted(conflicts))
        words = f"Conflicting required and forbidden traits found in root_required: {named}"
        raise Fault(400, words, type=BAD_VALUE)
    return required, forbidden


def _check_subtrees(groups: dict[str, Group], named: frozenset[str]) -> None:
    empty = [name for name, group in groups.items() if not group.resources]
    if len(empty) == len(groups):
        words = "There must be at least one resources or resources[$S] parameter."
        raise Fault(400, words, type=MISSING_VALUE)
    alone = [name for name in empty if name not in named]
    if alone:
        raise Fault(
            400,
            "Resourceless suffixed group request should be specified in `same_subtree` query param: "
            f"bad group(s) - {alone}.",
            type=BAD_VALUE,
        )
    unknown = sorted(named - groups.keys())
    if unknown:
        raise Fault(
            400,
            f"Real suffixes should be specified in `same_subtree`: {unknown} not found in {list(groups)}.",
            type=BAD_VALUE,
        )


def _check_orphans(groups: dict[str, Group]) -> None:
    traits = [f"required{name}" for name, group in groups.items() if group.required and not group.resources]
    if traits:
        raise Fault(
            400,
            "All traits parameters must be associated with resources.  Found the following orphaned traits keys: "
            + ", ".join(traits),
        )
    orphans = [
        f"member_of{name}"
        for name, group in groups.items()
        if not group.resources and (group.member_of or group.not_member_of)
    ]
    if orphans:
        raise Fault(
            400,
            "All member_of parameters must be associated with resources. Found the following orphaned member_of keys: "
            + ", ".join(orphans),
        )
    if not all(group.resources for group in groups.values()):
        raise Fault(400, "All request groups must specify resources.")
    if not groups:
        raise Fault(400, "At least one request group (`resources` or `resources{$S}`) is required.")


def _check_conflicts(groups: dict[str, Group]) -> None:
    conflicts = [
        f"required{name}: ({', '.join(sorted(traits))})"
        for name, group in groups.items()
        for traits in group.required
        if traits <= group.forbidden
    ]
    if conflicts:
        raise Fault(
            400,
            "Conflicting required and forbidden traits found in the following traits keys: "
            + ", ".join(sorted(conflicts)),
        )


def _check_names(request: Request, group: Group, words: str) -> None:
    for name in group.resources:
        if not is_class(request.cloud.mirror, name):
            raise Fault(400, f"Invalid resource class in resources parameter: No such resource class {name}.")
    _check_traits(request, frozenset[str]().union(*group.required), words)
    _check_traits(request, group.forbidden, words)


def _check_traits(request: Request, names: frozenset[str], words: str) -> None:
    unknown = unknown_traits(request.cloud.mirror, names)
    if unknown:
        raise Fault(400, f"{words}No such trait(s): {', '.join(unknown)}.")
