"""Resource options: what a user, project, domain or role is told to be treated like. Keystone's names.

`immutable` (projects, domains, roles) forbids changes and deletion until it is false again. Of users, `lock_password`
and multi-factor rules take effect, and `ignore_password_expiry` and `ignore_lockout_failure_attempts` where there are
such rules; the others are only kept.
"""

from collections.abc import Mapping
from typing import Any, Final

from kilonode.cloud.openstack.web.faults import Fault

IMMUTABLE: Final = "immutable"
LOCK_PASSWORD: Final = "lock_password"  # noqa: S105 - the option's name
MULTI_FACTOR: Final = "multi_factor_auth_enabled"
MULTI_FACTOR_RULES: Final = "multi_factor_auth_rules"
RESOURCE_OPTIONS: Final = {IMMUTABLE: bool}
USER_OPTIONS: Final = {
    "ignore_change_password_upon_first_use": bool,
    "ignore_password_expiry": bool,
    "ignore_lockout_failure_attempts": bool,
    "ignore_user_inactivity": bool,
    LOCK_PASSWORD: bool,
    MULTI_FACTOR: bool,
    MULTI_FACTOR_RULES: list,
}


def changed_options(old: dict[str, Any], wanted: dict[str, Any], known: Mapping[str, type]) -> dict[str, Any]:
    """The options after a request: None takes one away. Raises Fault 400 for an unknown one, or one of a wrong type."""
    options = dict(old)
    for name, value in wanted.items():
        if name not in known:
            raise Fault(400, f"Invalid input for field 'options': {name!r} is not one of {', '.join(known)}.")
        if value is None:
            options.pop(name, None)
        elif not isinstance(value, known[name]):
            raise Fault(400, f"Invalid input for field 'options/{name}': {value!r} is not of the right type.")
        else:
            options[name] = _checked_rules(list(value)) if isinstance(value, list) else value
    return options


def refuse_immutable(noun: str, key: str, options: dict[str, Any], wanted: dict[str, Any] | None = None) -> None:
    """Raises Fault 403 when the resource may not be changed (or deleted: no `wanted` options)."""
    if not options.get(IMMUTABLE):
        return
    if wanted is not None and IMMUTABLE in wanted and not wanted[IMMUTABLE]:
        return
    verb = "delete" if wanted is None else "update"
    raise Fault(
        403, f'Unable to {verb} immutable {noun} resource: `{key}. Set resource option "immutable" to false first.'
    )


def satisfies_rules(options: dict[str, Any], methods: tuple[str, ...]) -> bool:
    """Whether a login by these methods is enough for the user: one of its rules, when it has any, must be met."""
    rules = options.get(MULTI_FACTOR_RULES) or []
    if not options.get(MULTI_FACTOR) or not rules or "token" in methods:
        return True
    return any(set(rule) <= set(methods) for rule in rules)


def _checked_rules(rules: list[Any]) -> list[list[str]]:
    if not all(isinstance(rule, list) and rule and all(isinstance(name, str) for name in rule) for rule in rules):
        raise Fault(400, "Invalid input for field 'options/multi_factor_auth_rules': expected lists of method names.")
    return rules
