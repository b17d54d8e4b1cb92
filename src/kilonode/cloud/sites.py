"""Sites: several regions of one cloud, each with nodes, services and documents of its own, over one identity.

What a site is told is the settings of the whole cloud with its own region and address in them. The documents that all
have in common (`kinds`: `shared`) are in one store, those of a site in its own, so a site that is cut off or lost takes
nothing of the others with it. It knows nothing of processes.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from kilonode.base.randomness import Randomness
from kilonode.cloud.context import CloudSettings, Site

SITES_LIMIT: Final = 16
FIRST_REGION: Final = CloudSettings().region
_NUMBERS: Final = ("One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")


def region_names(count: int) -> list[str]:
    """The regions of a cloud with so many sites: `RegionOne`, `RegionTwo` …; beyond ten with digits."""
    return [f"Region{_NUMBERS[number] if number < len(_NUMBERS) else number + 1}" for number in range(count)]


def with_sites(settings: CloudSettings, urls: Sequence[str]) -> CloudSettings:
    """The settings of a cloud with a site at each of these addresses; with one address, a cloud without sites."""
    if len(urls) == 1:
        return msgspec.structs.replace(settings, sites=(), public_url=urls[0])
    sites = tuple(Site(region, url) for region, url in zip(region_names(len(urls)), urls, strict=True))
    return msgspec.structs.replace(settings, sites=sites, region=sites[0].region, public_url=sites[0].public_url)


def of_each_site(settings: CloudSettings) -> list[CloudSettings]:
    """What each site is told; one that is the only site is told what the cloud is."""
    if not settings.sites:
        return [settings]
    return [
        # A seed of its own, or two sites would give the same ids to different things.
        msgspec.structs.replace(
            settings,
            region=site.region,
            public_url=site.public_url,
            seed=Randomness(settings.seed, "site", site.region).integer() >> 1,
        )
        for site in settings.sites
    ]


def of_region(settings: CloudSettings, region: str) -> CloudSettings:
    """What the site of a region is told. An empty region: the only site."""
    return next(told for told in of_each_site(settings) if told.region == (region or settings.region))


def urls_of(settings: CloudSettings) -> tuple[str, ...]:
    """Where clients reach each site, the first one first."""
    return tuple(told.public_url for told in of_each_site(settings))


def port_of(settings: CloudSettings) -> int:
    """The port that a site listens on."""
    return urlsplit(settings.public_url).port or 0


def all_nodes(settings: CloudSettings) -> int:
    """How many nodes all sites have together."""
    return settings.nodes * max(1, len(settings.sites))
