"""Reading clouds.yaml and OS_*, and never showing what is secret in them."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from openstack.config import loader

from kilonode.base.errors import InputError
from kilonode.clients.openstack.access import Access, load_access

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a clouds.yaml in a world without any other configuration."""
    for name in list(os.environ):
        if name.startswith("OS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    for kind in ("CONFIG", "SECURE", "VENDOR"):  # openstacksdk looks where it was imported
        monkeypatch.setattr(loader, f"{kind}_FILES", [str(tmp_path / f"{kind.lower()}.yaml")])
    monkeypatch.setattr(loader, "CONFIG_FILES", [str(tmp_path / "clouds.yaml")])

    def write_clouds(text: str) -> Path:
        file = tmp_path / "clouds.yaml"
        file.write_text(text)
        return file

    return write_clouds


PASSWORD = """
clouds:
  lab:
    auth:
      auth_url: https://keystone.invalid:5000/v3
      username: me
      password: sesame
      project_name: ours
      user_domain_name: Default
      project_domain_id: default
    region_name: RegionOne
    interface: internal
    cacert: ~/authority.pem
    cert: client.pem
    key: client.key
    api_timeout: 30
    compute_endpoint_override: https://nova.invalid/v2.1
    block_storage_endpoint_override: https://cinder.invalid/v3/%(project_id)s
    compute_default_microversion: "2.53"
"""


def test_a_password_cloud_is_read_whole(write: Write, tmp_path: Path) -> None:
    write(PASSWORD)
    assert load_access("lab") == Access(
        auth_url="https://keystone.invalid:5000/v3",
        cloud="lab",
        username="me",
        user_domain_name="Default",
        password="sesame",
        project_name="ours",
        project_domain_id="default",
        region_name="RegionOne",
        interface="internal",
        endpoint_overrides=(
            ("block-storage", "https://cinder.invalid/v3/%(project_id)s"),
            ("compute", "https://nova.invalid/v2.1"),
        ),
        default_microversions=(("compute", "2.53"),),
        ca_file=str(tmp_path / "authority.pem"),
        certificate_file="client.pem",
        key_file="client.key",
        timeout_s=30.0,
    )


def test_the_only_cloud_of_a_file_needs_no_name(write: Write) -> None:
    write(PASSWORD)
    assert load_access(None).cloud == "lab"


def test_os_cloud_names_the_cloud(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write(PASSWORD + PASSWORD.replace("clouds:", "").replace("lab:", "other:").replace("sesame", "another"))
    monkeypatch.setenv("OS_CLOUD", "other")
    assert load_access(None).password == "another"


def test_the_environment_alone_is_a_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "OS_AUTH_URL": "http://keystone.invalid", "OS_USERNAME": "me", "OS_PASSWORD": "sesame",
        "OS_PROJECT_NAME": "ours", "OS_USER_DOMAIN_NAME": "Here", "OS_PROJECT_DOMAIN_NAME": "Here",
        "OS_REGION_NAME": "East", "OS_IDENTITY_API_VERSION": "3",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    access = load_access(None)
    assert (access.auth_url, access.username, access.password) == ("http://keystone.invalid", "me", "sesame")
    assert (access.user_domain_name, access.project_domain_name, access.region_name) == ("Here", "Here", "East")


def test_tokens_and_application_credentials_are_spoken_natively(write: Write) -> None:
    write("""
clouds:
  by-token: {auth_type: token, auth: {auth_url: "http://k", token: tttt, project_id: p}}
  by-credential:
    auth_type: v3applicationcredential
    auth: {auth_url: "http://k", application_credential_id: c, application_credential_secret: sesame}
  by-v3password: {auth_type: v3password, auth: {auth_url: "http://k", user_id: u, password: sesame, project_id: p}}
""")
    by_token = load_access("by-token")
    assert (by_token.auth_type, by_token.token, by_token.project_id) == ("token", "tttt", "p")
    by_credential = load_access("by-credential")
    assert by_credential.auth_type == "application_credential"
    assert (by_credential.application_credential_id, by_credential.application_credential_secret) == ("c", "sesame")
    assert load_access("by-v3password").auth_type == "password"


def test_any_other_plug_in_is_kept_by_name_and_options(write: Write) -> None:
    write("""
clouds:
  federated:
    auth_type: v3oidcpassword
    auth: {auth_url: "http://k", identity_provider: i, protocol: p, client_id: c, client_secret: sesame,
           discovery_endpoint: "http://d", username: u, password: open}
  factors:
    auth_type: v3multifactor
    auth_methods: [v3password, v3totp]
    auth: {auth_url: "http://k", username: u, user_domain_id: default, password: sesame, passcode: "123456"}
  trusted: {auth: {auth_url: "http://k", username: u, password: sesame, trust_id: t, user_domain_id: default}}
""")
    federated = load_access("federated")
    assert federated.auth_type == "v3oidcpassword"
    options = dict(federated.plugin_options)
    assert (options["client_secret"], options["discovery_endpoint"]) == ("sesame", "http://d")
    factors = load_access("factors")
    assert factors.auth_type == "v3multifactor"
    assert dict(factors.plugin_options)["auth_methods"] == ("v3password", "v3totp")
    assert (load_access("trusted").auth_type, load_access("trusted").trust_id) == ("password", "t")


@pytest.mark.parametrize("words", ["verify: false", "insecure: true"])
def test_nobody_is_trusted_blindly_unless_that_is_asked_for(words: str, write: Write) -> None:
    write(PASSWORD)
    assert load_access("lab").verify
    write(PASSWORD + f"    {words}\n")
    access = load_access("lab")
    assert (access.verify, access.ca_file) == (False, "")


def test_a_default_domain_stands_in_for_both(write: Write) -> None:
    write("""
clouds:
  lab: {auth: {auth_url: "http://k", username: u, password: sesame, project_name: p, default_domain_id: d}}
""")
    access = load_access("lab")
    assert (access.user_domain_id, access.project_domain_id) == ("d", "d")


def test_an_unknown_cloud_is_an_error_that_names_the_known_ones(write: Write) -> None:
    file = write(PASSWORD)
    with pytest.raises(InputError) as caught:
        load_access("lap")
    assert str(caught.value) == (f"{file}: there is no cloud 'lap'\n  expected: lab\n  hint: did you mean 'lab'?")


def test_without_any_configuration_the_error_says_what_to_do() -> None:
    for cloud in (None, "lab"):
        with pytest.raises(InputError) as caught:
            load_access(cloud)
        assert "clouds.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("clouds:\n  lab:\n    auth: {username: u, password: sesame}\n", "auth_url"),
        ("clouds:\n  lab:\n    auth: {auth_url: 'http://k', password: sesame}\n", "username"),
        ("clouds:\n  lab:\n    auth: {auth_url: 'http://k', username: sesame-user}\n", "password"),
        ("clouds:\n  lab:\n    auth_type: nonsense\n    auth: {auth_url: u, password: sesame}\n", "nonsense"),
        ("clouds:\n  lab:\n    profile: nowhere-known\n    auth: {password: sesame}\n", "auth_url"),
        ("clouds:\n  lab:\n    auth: {password: 'sesame, auth_url: x}\n", "clouds.yaml:4:1: not YAML"),
        ("clouds:\n  lab:\n    auth: {password: sesame\n    x: [}\n", "clouds.yaml:4:6: not YAML"),
        ("clouds:\n  lab:\n    auth: {auth_url: u, username: u, password: sesame, passcode: x, odd: sesame}\n", "odd"),
        (
            "clouds:\n  lab:\n    interface: sideways\n    auth: {auth_url: u, username: u, password: sesame}\n",
            "sideways",
        ),
        ("clouds: [sesame]\n", "clouds"),
        ("- sesame\n", "clouds"),
        ("clouds:\n  lab: sesame\n", "lab"),
    ],
)
def test_a_broken_configuration_is_a_clear_error_without_secrets(text: str, words: str, write: Write) -> None:
    write(text)
    with pytest.raises(InputError) as caught:
        load_access("lab")
    assert words in str(caught.value)
    assert "sesame" not in str(caught.value).replace("sesame-user", "")


def test_an_access_never_shows_its_secrets() -> None:
    access = Access(
        auth_url="http://k",
        username="me",
        password="secret-1",
        token="secret-2",
        application_credential_secret="secret-3",
        plugin_options=(("client_secret", "secret-4"),),
    )
    shown = repr(access) + str(access) + f"{access}" + str(access.__rich_repr__())
    assert "secret-" not in shown
    assert "'me'" in shown
    assert set(access.secrets()) == {"secret-1", "secret-2", "secret-3", "secret-4"}


def test_an_access_travels_as_json_and_comes_back_equal() -> None:
    access = Access(
        auth_url="http://k", password="p", plugin_options=(("a", ("x", "y")), ("b", 1), ("c", None), ("d", True)),
        endpoint_overrides=(("compute", "http://c"),),
    )  # fmt: skip
    again = msgspec.json.decode(msgspec.json.encode(access), type=Access)
    assert again == access
    assert hash(again) == hash(access)
