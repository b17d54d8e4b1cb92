"""Rules of passwords: locked out, too old, used before, changed too soon; off unless the settings have them."""

from typing import Any

import pytest
from msgspec.structs import replace

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.identity.model import USER, User
from kilonode.cloud.openstack.identity.password_rules import check_own, is_expired, with_password
from kilonode.cloud.openstack.identity.passwords import PasswordChecker
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.service_settings import IdentitySettings, PasswordRules, ServiceSettings
from kilonode.control.mirror import Put
from tests.cloud.openstack.harness import OpenStack, openstack

DAY_US = 24 * 3600 * 1_000_000


def rules(**wanted: Any) -> ServiceSettings:
    return ServiceSettings(identity=IdentitySettings(PasswordRules(**wanted)))


async def user_id(cloud: OpenStack) -> str:
    """Of a new user whose password is `first`."""
    body = {"user": {"name": "person", "password": "first"}}
    return str((await cloud.good("POST", "/identity/v3/users", body))["user"]["id"])


async def log_in(cloud: OpenStack, password: str) -> int:
    return (await cloud.log_in("person", password, None)).status


async def change(cloud: OpenStack, key: str, old: str, new: str) -> int:
    body = {"user": {"original_password": old, "password": new}}
    return (await cloud.ask("POST", f"/identity/v3/users/{key}/password", body, token="")).status


async def test_wrong_passwords_lock_a_user_out_for_a_while_also_with_the_right_one() -> None:
    async with openstack(services=rules(lockout_failures=2, lockout_s=60)) as cloud:
        await user_id(cloud)
        assert [await log_in(cloud, text) for text in ("no", "first", "no", "first")] == [401, 201, 401, 201]
        assert [await log_in(cloud, text) for text in ("no", "no", "first")] == [401, 401, 401]
        await cloud.clock.sleep(61)
        assert await log_in(cloud, "first") == 201


async def test_asking_for_a_new_password_with_a_wrong_one_counts_as_much_as_a_login() -> None:
    async with openstack(services=rules(lockout_failures=2)) as cloud:
        key = await user_id(cloud)
        assert [await change(cloud, key, old, "new") for old in ("no", "no", "first")] == [401, 401, 401]
        assert await log_in(cloud, "first") == 401


async def test_an_administrator_can_excuse_a_user_from_being_locked_out() -> None:
    async with openstack(services=rules(lockout_failures=1)) as cloud:
        key = await user_id(cloud)
        options = {"user": {"options": {"ignore_lockout_failure_attempts": True}}}
        await cloud.good("PATCH", f"/identity/v3/users/{key}", options)
        assert [await log_in(cloud, text) for text in ("no", "no", "first")] == [401, 401, 201]


async def test_nobody_is_locked_out_and_no_password_is_too_old_unless_the_settings_say_so() -> None:
    async with openstack() as cloud:
        key = await user_id(cloud)
        assert [await log_in(cloud, text) for text in ("no",) * 10 + ("first",)] == [401] * 10 + [201]
        shown = (await cloud.good("GET", f"/identity/v3/users/{key}"))["user"]
        assert shown["password_expires_at"] is None
        assert await change(cloud, key, "first", "first") == 204


async def test_a_user_does_not_take_one_of_the_last_passwords_again_but_an_administrator_may_set_it() -> None:
    async with openstack(services=rules(unique_last_count=2)) as cloud:
        key = await user_id(cloud)
        assert await change(cloud, key, "first", "first") == 400
        assert await change(cloud, key, "first", "second") == 204
        assert await change(cloud, key, "second", "first") == 400
        assert await change(cloud, key, "second", "third") == 204
        assert await change(cloud, key, "third", "first") == 204, "it was three passwords ago"
        same = {"user": {"password": "first"}}
        assert (await cloud.ask("PATCH", f"/identity/v3/users/{key}", same)).status == 200


async def test_a_password_that_is_too_old_is_shown_to_be_so_and_lets_nobody_in() -> None:
    async with openstack(services=rules(expires_days=1)) as cloud:
        key = await user_id(cloud)
        assert (await cloud.good("GET", f"/identity/v3/users/{key}"))["user"]["password_expires_at"] is not None
        view = await Cloud.open(cloud.store, cloud.clock, cloud.settings, "test", (USER,))
        entry = view.mirror.all(USER)[key]
        await view.mirror.commit([Put(USER, replace(entry.value, password_expires_us=1), key, entry.revision)])
        await view.close()
        assert await log_in(cloud, "first") == 401
        assert await change(cloud, key, "first", "second") == 204, "it still serves to choose another"
        assert await log_in(cloud, "second") == 201


async def test_passwords_are_as_the_pattern_wants_them() -> None:
    async with openstack(services=rules(pattern="^[a-z]{5,}$", pattern_description="five letters")) as cloud:
        key = await user_id(cloud)
        bad = {"user": {"name": "other", "password": "1"}}
        answer = await cloud.ask("POST", "/identity/v3/users", bad)
        assert (answer.status, "five letters" in answer.raw.decode()) == (400, True)
        assert await change(cloud, key, "first", "two") == 400
        assert await change(cloud, key, "first", "second") == 204


def test_a_password_is_kept_for_as_many_days_as_the_rules_say() -> None:
    wanted = PasswordRules(minimum_age_days=1, expires_days=2)
    user = with_password(wanted, User("u", "person", "default"), "first", "salt", 1)
    assert not is_expired(user, 2 * DAY_US)
    assert is_expired(user, 2 * DAY_US + 1)
    with pytest.raises(Fault, match="1 days left"):
        check_own(wanted, PasswordChecker(), user, "second", DAY_US)
    check_own(wanted, PasswordChecker(), user, "second", DAY_US + 1)
