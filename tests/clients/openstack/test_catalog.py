import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.clients.openstack.catalog import (
    SERVICES,
    Endpoint,
    find_endpoint,
    known_service,
    read_catalog,
    service_url,
    version_url,
)

PROJECT = "5b1d0c3e4f"


@pytest.mark.parametrize(
    ("name", "url", "root", "versions"),
    [
        ("identity", "http://h:5000", "http://h:5000/v3", "http://h:5000/v3/"),
        ("identity", "http://h/identity/v2.0", "http://h/identity/v3", "http://h/identity/v3/"),
        ("compute", "http://h:8774/v2.1", "http://h:8774/v2.1", "http://h:8774/v2.1/"),
        ("compute", f"http://h:8774/v2.1/{PROJECT}", f"http://h:8774/v2.1/{PROJECT}", "http://h:8774/v2.1/"),
        ("compute", "http://h:8774/v2/$(project_id)s", f"http://h:8774/v2.1/{PROJECT}", "http://h:8774/v2.1/"),
        ("compute", "http://h/compute", "http://h/compute/v2.1", "http://h/compute/v2.1/"),
        ("network", "http://h:9696/", "http://h:9696/v2.0", "http://h:9696/v2.0/"),
        ("network", "http://h/networking/v2.0", "http://h/networking/v2.0", "http://h/networking/v2.0/"),
        ("image", "http://h:9292", "http://h:9292/v2", "http://h:9292/v2/"),
        ("image", "https://api/v1/image/v2/", "https://api/v1/image/v2", "https://api/v1/image/v2/"),
        ("volume", f"http://h/volume/v3/{PROJECT}", f"http://h/volume/v3/{PROJECT}", "http://h/volume/v3/"),
        ("volume", "http://h:8776/v3/%(tenant_id)s", f"http://h:8776/v3/{PROJECT}", "http://h:8776/v3/"),
        ("volume", "http://h:8776/v3", f"http://h:8776/v3/{PROJECT}", "http://h:8776/v3/"),
        ("volume", "http://h:8776", f"http://h:8776/v3/{PROJECT}", "http://h:8776/v3/"),
        ("placement", "http://h:8778/placement", "http://h:8778/placement", "http://h:8778/placement/"),
        ("placement", "http://h:8778", "http://h:8778", "http://h:8778/"),
        ("baremetal", "http://h:6385", "http://h:6385", "http://h:6385/"),
        ("orchestration", "http://h/v1/%(project_id)s", f"http://h/v1/{PROJECT}", "http://h/v1/"),
    ],
)
def test_any_form_of_an_address_comes_to_one_root(name: str, url: str, root: str, versions: str) -> None:
    service = known_service(name)
    assert service_url(service, url, PROJECT) == root
    assert version_url(service, root) == versions


@given(st.sampled_from(sorted(SERVICES)), st.sampled_from(["", "/compute", "/a/b", "/v3", "/v2.1/"]))
def test_the_root_of_a_root_is_itself(name: str, path: str) -> None:
    root = service_url(SERVICES[name], f"http://host{path}", PROJECT)
    assert service_url(SERVICES[name], root, PROJECT) == root


def test_a_service_has_many_names() -> None:
    assert known_service("volumev3") is known_service("block-storage") is known_service("volume")
    assert known_service("unheard-of").types == ("unheard-of",)


def test_the_official_type_wins_over_older_ones_and_any_region_will_do_when_none_is_named() -> None:
    catalog = (
        Endpoint("volumev3", "public", "One", "http://old"),
        Endpoint("block-storage", "internal", "One", "http://inside"),
        Endpoint("block-storage", "publicURL", "Two", "http://new"),
    )
    volume = known_service("volume")
    assert find_endpoint(catalog, volume, "", "public") == "http://new"
    assert find_endpoint(catalog, volume, "One", "public") == "http://old"
    assert find_endpoint(catalog, volume, "One", "internal") == "http://inside"


def test_a_catalog_with_gaps_is_read() -> None:
    token = {
        "catalog": [{"type": "compute", "endpoints": [{"url": "http://c", "interface": "public", "region": "R"}]}, {}]
    }
    assert read_catalog(token) == (Endpoint("compute", "public", "R", "http://c"),)
    assert read_catalog({}) == ()
