"""What is sent to Keystone for each way to log in, and what comes of it."""

from typing import Any

import msgspec
import pytest

from kilonode.base.errors import InputError, OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.login import auth_document, identity_url, log_in
from tests.clients.openstack.answering import ACCESS, URL, Answering, reply, simulated_clock

HERE = "http://keystone:5000"


@pytest.mark.parametrize(
    ("access", "document"),
    [
        (
            Access(auth_url=HERE, username="me", password="p", project_name="ours"),
            {
                "identity": {
                    "methods": ["password"],
                    "password": {"user": {"name": "me", "domain": {"id": "default"}, "password": "p"}},
                },
                "scope": {"project": {"name": "ours", "domain": {"id": "default"}}},
            },
        ),
        (
            Access(
                auth_url=HERE, username="me", user_domain_name="Here", password="p", project_name="ours",
                project_domain_id="d-2",
            ),
            {
                "identity": {
                    "methods": ["password"],
                    "password": {"user": {"name": "me", "domain": {"name": "Here"}, "password": "p"}},
                },
                "scope": {"project": {"name": "ours", "domain": {"id": "d-2"}}},
            },
        ),
        (
            Access(auth_url=HERE, user_id="u-1", password="p", project_id="p-1", project_name="ignored"),
            {
                "identity": {"methods": ["password"], "password": {"user": {"id": "u-1", "password": "p"}}},
                "scope": {"project": {"id": "p-1"}},
            },
        ),
        (
            Access(auth_url=HERE, user_id="u-1", password="p", domain_name="Here"),
            {
                "identity": {"methods": ["password"], "password": {"user": {"id": "u-1", "password": "p"}}},
                "scope": {"domain": {"name": "Here"}},
            },
        ),
        (
            Access(auth_url=HERE, user_id="u-1", password="p", system_scope="all", project_id="p-1"),
            {
                "identity": {"methods": ["password"], "password": {"user": {"id": "u-1", "password": "p"}}},
                "scope": {"system": {"all": True}},
            },
        ),
        (
            Access(auth_url=HERE, user_id="u-1", password="p", trust_id="t-1"),
            {
                "identity": {"methods": ["password"], "password": {"user": {"id": "u-1", "password": "p"}}},
                "scope": {"OS-TRUST:trust": {"id": "t-1"}},
            },
        ),
        (
            Access(auth_url=HERE, auth_type="token", token="t"),
            {"identity": {"methods": ["token"], "token": {"id": "t"}}},
        ),
        (
            Access(
                auth_url=HERE, auth_type="application_credential", application_credential_id="c",
                application_credential_secret="s", project_id="p-1",
            ),
            {
                "identity": {
                    "methods": ["application_credential"],
                    "application_credential": {"id": "c", "secret": "s"},
                }
            },
        ),
        (
            Access(
                auth_url=HERE, auth_type="application_credential", application_credential_name="c",
                application_credential_secret="s", username="me", user_domain_id="d",
            ),
            {
                "identity": {
                    "methods": ["application_credential"],
                    "application_credential": {
                        "name": "c", "secret": "s", "user": {"name": "me", "domain": {"id": "d"}},
                    },
                }
            },
        ),
    ],
)  # fmt: skip
def test_each_way_to_log_in_has_its_document(access: Access, document: dict[str, Any]) -> None:
    assert auth_document(access) == document


@pytest.mark.parametrize(
    ("auth_url", "root"),
    [
        ("http://k:5000", "http://k:5000/v3"),
        ("http://k:5000/", "http://k:5000/v3"),
        ("http://k:5000/v3", "http://k:5000/v3"),
        ("http://k:5000/v3/", "http://k:5000/v3"),
        ("http://k:5000/v2.0", "http://k:5000/v3"),
        ("https://k/identity", "https://k/identity/v3"),
        ("https://k/identity/v3", "https://k/identity/v3"),
    ],
)
def test_the_address_of_keystone_may_lack_its_version(auth_url: str, root: str) -> None:
    assert identity_url(auth_url) == root


async def test_a_refused_login_is_the_clouds_answer_without_the_password() -> None:
    cloud = Answering()
    cloud.answers["POST /identity/v3/auth/tokens"] = reply({"error": {"message": "sesame is wrong"}}, 401)
    with pytest.raises(OperationError, match="identity 401: … is wrong") as caught:
        await log_in(ACCESS, cloud, simulated_clock())
    assert caught.value.outcome == Outcome.HTTP_4XX


@pytest.mark.parametrize(
    "answer", [reply({"token": {}}, 201), reply({}, 201, x_subject_token="t"), reply([], 201, x_subject_token="t")]
)
async def test_an_answer_that_is_no_token_is_a_protocol_failure(answer: Any) -> None:
    cloud = Answering()
    cloud.answers["POST /identity/v3/auth/tokens"] = answer
    with pytest.raises(OperationError) as caught:
        await log_in(ACCESS, cloud, simulated_clock())
    assert caught.value.outcome == Outcome.PROTOCOL


async def test_a_token_without_dates_lasts_an_hour() -> None:
    cloud = Answering()
    cloud.answers["POST /identity/v3/auth/tokens"] = reply({"token": {}}, 201, x_subject_token="t")
    token = await log_in(ACCESS, cloud, simulated_clock())
    assert (token.expires_ns, token.catalog, token.project_id) == (3600 * 10**9, (), "")


async def test_other_plug_ins_need_a_real_clock() -> None:
    access = Access(auth_url=URL, auth_type="v3totp", plugin_options=(("passcode", "123456"),))
    with pytest.raises(InputError, match="real clock"):
        await log_in(access, Answering(), simulated_clock())


async def test_another_user_of_the_same_cloud_has_nothing_of_the_first() -> None:
    access = msgspec.structs.replace(ACCESS, ca_file="ca.pem", user_domain_name="Here", system_scope="all")
    other = access.as_user(user_id="u-2", password="p-2", project_id="pr-2")
    assert auth_document(other) == {
        "identity": {"methods": ["password"], "password": {"user": {"id": "u-2", "password": "p-2"}}},
        "scope": {"project": {"id": "pr-2"}},
    }
    assert (other.auth_url, other.ca_file, other.region_name) == (access.auth_url, "ca.pem", access.region_name)
