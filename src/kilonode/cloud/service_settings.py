"""How the OpenStack services are set up by whoever runs the cloud, where a real one would have configuration files.

What behaves in time is a stage profile's business, and what a project may have is a quota's. Everything here is off, or
as OpenStack has it by default, until somebody writes a file of it: `kilonode cloud up --services FILE`.
"""

import re
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from kilonode.base.errors import InputError
from kilonode.cloud.limits import Limits

FILE_STORE: Final = "file"
WEB_STORE: Final = "web"
"""The store of data that stays where it is, at an address that `fetch_from` allows; nothing is written to it."""
_WORD: Final = r"^[a-z0-9][a-z0-9_-]{0,62}$"


class ImageStore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One more store of the image service."""

    id: Annotated[str, Meta(pattern=_WORD)]
    weight: int = 0
    """Stores of a larger weight come first."""
    description: str = ""


class ImageSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The image service."""

    stores: tuple[ImageStore, ...] = ()
    """Stores beside `file`, which is always there and the default."""
    fetch_from: tuple[str, ...] = ()
    """How the addresses begin that the service may read: `http://127.0.0.1:8080/images/`. Empty: it reads none, and has
    no import by `web-download` and no locations of the web."""
    locations: bool = False
    """Whether images show where their data is, and patches may say so."""
    cache: bool = False
    """Whether there is a cache of image data to be managed."""
    second_endpoint: bool = False
    """A second endpoint over the same images, with a cache of its own, in the catalog as `image_remote`."""
    secure_hash: bool = True
    """Whether the data of a location that is added is read and its digests are worked out; otherwise what the user says
    of them is believed, and nothing is said of a checksum. Glance's `do_secure_hash`."""
    check_formats: bool = True
    """Whether data must be of the format that its image says. Compute checks what it boots in any case."""


class PasswordRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the identity service asks of passwords; 0 and an empty text ask nothing."""

    lockout_failures: Annotated[int, Meta(ge=0)] = 0
    """After so many wrong passwords the user is locked out."""
    lockout_s: Annotated[float, Meta(gt=0)] = 1_800.0
    expires_days: Annotated[int, Meta(ge=0)] = 0
    unique_last_count: Annotated[int, Meta(ge=0)] = 0
    """A new password is none of the last so many; the one in use counts."""
    minimum_age_days: Annotated[int, Meta(ge=0)] = 0
    """How long a user must keep a password before changing it again."""
    pattern: str = ""
    """A regular expression that a password must match."""
    pattern_description: str = ""


class IdentitySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The identity service."""

    password_rules: PasswordRules = PasswordRules()


class ServiceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All services."""

    image: ImageSettings = ImageSettings()
    identity: IdentitySettings = IdentitySettings()
    quotas: Literal["unlimited", "openstack"] = "unlimited"
    """What a project may have until somebody limits it: anything, or what Nova, Neutron and Cinder allow by default."""
    limits: Limits = Limits()
    """What one client may ask of the api at most."""


def read_service_settings(path: Path) -> ServiceSettings:
    """The settings in a YAML file. Raises InputError."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InputError(
            "the settings of services cannot be read", where=str(path), got=error.strerror or ""
        ) from error
    try:
        settings = msgspec.yaml.decode(text, type=ServiceSettings)
    except msgspec.DecodeError as error:
        raise InputError("the settings of services are not understood", where=str(path), got=str(error)) from error
    _check(settings.image, str(path))
    try:
        re.compile(settings.identity.password_rules.pattern)
    except re.error as error:
        raise InputError(
            "this is no regular expression",
            where=f"{path}: identity.password_rules.pattern",
            got=f"{settings.identity.password_rules.pattern}: {error}",
        ) from error
    return settings


def _check(image: ImageSettings, where: str) -> None:
    names = [FILE_STORE, WEB_STORE, *(store.id for store in image.stores)]
    for name in names:
        if names.count(name) > 1:
            raise InputError("two stores have one name", where=f"{where}: image.stores", got=name)
    for address in image.fetch_from:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise InputError(
                "this is not the beginning of an address",
                where=f"{where}: image.fetch_from",
                expected="http://HOST[:PORT]/ or https://HOST[:PORT]/, and what follows it",
                got=address,
            )
