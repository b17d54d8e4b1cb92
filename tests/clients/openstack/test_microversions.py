import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.clients.openstack.microversions import (
    WRITTEN_FOR,
    VersionRange,
    negotiate,
    parse,
    read_range,
    show,
    version_headers,
)
from kilonode.clients.transport import Response

versions = st.tuples(st.integers(1, 9), st.integers(0, 120))


@given(versions)
def test_a_version_is_read_as_it_was_written(version: tuple[int, int]) -> None:
    assert parse(show(version)) == version


@pytest.mark.parametrize("text", ["", "2", "2.", ".1", "2.x", "latest", "2.1.3", "-1.2", "2.1 ", "².1"])
def test_what_is_no_microversion_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse(text)


@given(versions, versions, versions)
def test_the_negotiated_version_is_the_highest_that_both_know(
    wanted: tuple[int, int], one: tuple[int, int], other: tuple[int, int]
) -> None:
    served = VersionRange(min(one, other), max(one, other))
    chosen = negotiate(wanted, served)
    if chosen is None:
        assert wanted < min(one, other)
    else:
        assert chosen in served
        assert chosen <= wanted
        assert chosen in (wanted, max(one, other))


def test_where_there_are_no_microversions_none_is_asked_for() -> None:
    assert negotiate((2, 79), VersionRange()) is None
    assert negotiate(None, VersionRange((2, 1), (2, 96))) is None
    assert (2, 1) not in VersionRange()
    assert (str(VersionRange()), str(VersionRange((2, 1), (2, 96)))) == ("no microversions", "2.1 to 2.96")


@pytest.mark.parametrize(
    ("document", "served"),
    [
        ({"version": {"id": "v2.1", "version": "2.96", "min_version": "2.1"}}, "2.1 to 2.96"),
        ({"versions": [{"id": "v1.0", "max_version": "1.39", "min_version": "1.0"}]}, "1.0 to 1.39"),
        (
            {
                "versions": [
                    {"id": "v2.0", "version": "", "min_version": ""},
                    {"id": "v3.0", "version": "3.71", "min_version": "3.0"},
                ]
            },
            "3.0 to 3.71",
        ),
        ({"versions": [{"id": "v2.0"}]}, "no microversions"),
        ({"versions": "none"}, "no microversions"),
        ({"versions": [1, None]}, "no microversions"),
        ([], "no microversions"),
    ],
)
def test_the_range_is_found_in_every_services_document(document: Any, served: str) -> None:
    assert str(read_range(Response(200, (), json.dumps(document).encode()))) == served


def test_each_service_is_asked_by_its_own_header() -> None:
    assert version_headers("compute", "2.79") == (("OpenStack-API-Version", "compute 2.79"),)
    assert version_headers("compute", "2.26")[1] == ("X-OpenStack-Nova-API-Version", "2.26")
    assert version_headers("volume", "3.59") == (("OpenStack-API-Version", "volume 3.59"),)
    assert version_headers("placement", "1.36") == (("OpenStack-API-Version", "placement 1.36"),)
    assert version_headers("baremetal", "1.80")[0] == ("X-OpenStack-Ironic-API-Version", "1.80")
    assert version_headers("compute", "latest") == (("OpenStack-API-Version", "compute latest"),)


def test_what_scenarios_are_written_for_is_a_version() -> None:
    assert all(parse(version) for version in WRITTEN_FOR.values())
