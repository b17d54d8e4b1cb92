"""Rules of passwords, where the settings have any: lockout, history, age, pattern. Keystone's `security_compliance`.

A user's new password of its own choice is held against all of them; one that an administrator sets only against the
pattern. Pure: what changes of a user is given back, and the caller writes it. Instants in microseconds since 1970 UTC.
"""

import re
from typing import Final

from msgspec.structs import replace

from kilonode.cloud.context import timestamp_with_microseconds
from kilonode.cloud.openstack.identity.model import User
from kilonode.cloud.openstack.identity.passwords import PasswordChecker, hash_password
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.service_settings import PasswordRules

_DAY_US: Final = 24 * 3600 * 1_000_000
_SECOND_US: Final = 1_000_000
_NO_EXPIRY: Final = "ignore_password_expiry"
_NO_LOCKOUT: Final = "ignore_lockout_failure_attempts"


def check_pattern(rules: PasswordRules, password: str) -> None:
    """Raise Fault 400 unless a password is as the rules want it."""
    if rules.pattern and re.match(rules.pattern, password) is None:
        words = rules.pattern_description or "it must match the pattern of the installation"
        raise Fault(400, f"The password does not match the requirements: {words}.")


def check_own(rules: PasswordRules, passwords: PasswordChecker, user: User, password: str, now_us: int) -> None:
    """Raise Fault 400 unless the user may take this as its next password now."""
    age_us = rules.minimum_age_days * _DAY_US
    if age_us and user.password_set_us and now_us < user.password_set_us + age_us:
        days_left = -(-(user.password_set_us + age_us - now_us) // _DAY_US)
        raise Fault(
            400,
            f"Cannot change password before minimum age {rules.minimum_age_days} days is met: {days_left} days left.",
        )
    earlier = (user.password_hash, *user.earlier_passwords)[: rules.unique_last_count]
    if any(passwords.check(password, kept) for kept in earlier if kept):
        raise Fault(
            400,
            "Changed password cannot be identical to a previous password. "
            f"The total number which includes the new password must be unique is {rules.unique_last_count}.",
        )
    check_pattern(rules, password)


def with_password(rules: PasswordRules, user: User, password: str | None, salt: str, now_us: int) -> User:
    """The user with a new password, or with none."""
    earlier = (user.password_hash, *user.earlier_passwords) if user.password_hash else user.earlier_passwords
    expires = rules.expires_days and not user.options.get(_NO_EXPIRY)
    return replace(
        user,
        password_hash=hash_password(password, salt) if password else "",
        password_set_us=now_us,
        password_expires_us=now_us + rules.expires_days * _DAY_US if expires else 0,
        earlier_passwords=earlier[: max(0, rules.unique_last_count - 1)],
        failed_logins=0,
        failed_us=0,
    )


def is_locked(rules: PasswordRules, user: User, now_us: int) -> bool:
    """Whether the user is locked out, whatever the password."""
    if not rules.lockout_failures or user.options.get(_NO_LOCKOUT):
        return False
    until_us = user.failed_us + round(rules.lockout_s * _SECOND_US)
    return user.failed_logins >= rules.lockout_failures and now_us < until_us


def is_expired(user: User, now_us: int) -> bool:
    """Whether the user's password is too old."""
    return 0 < user.password_expires_us <= now_us and not user.options.get(_NO_EXPIRY)


def after_failure(rules: PasswordRules, user: User, now_us: int) -> User | None:
    """The user after a wrong password; None: nothing is counted, or the user is locked out already."""
    if not rules.lockout_failures or user.options.get(_NO_LOCKOUT) or is_locked(rules, user, now_us):
        return None
    failed = 1 if user.failed_logins >= rules.lockout_failures else user.failed_logins + 1
    return replace(user, failed_logins=failed, failed_us=now_us)


def after_success(user: User) -> User | None:
    """The user after the right password; None: nothing changes."""
    return replace(user, failed_logins=0, failed_us=0) if user.failed_logins else None


def password_expires_at(user: User) -> str | None:
    """When the password of a user is too old, as Keystone writes it."""
    return timestamp_with_microseconds(user.password_expires_us) if user.password_expires_us else None
