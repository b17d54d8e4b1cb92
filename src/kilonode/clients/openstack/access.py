"""What is needed to log in to one OpenStack cloud as one user, as one serialisable value.

`load_access` reads it from `clouds.yaml` or `OS_*` by openstacksdk's own configuration, so everything that works for
`openstack --os-cloud NAME` works here: several files, vendor profiles, `secure.yaml`. openstacksdk is imported only
when it is needed: it takes most of a second. The three common ways to log in (password, token, application credential)
are spoken natively; any other keystoneauth plug-in is kept by its name and options.
Printing an `Access` shows no secret. Times are `_s`.
"""

import warnings
from typing import Any, Final, Literal, Self

import msgspec

from kilonode.base.errors import InputError, nearest
from kilonode.clients.openstack.clouds_files import check_clouds_files

PluginValue = str | int | float | bool | None | tuple[str, ...]
Interface = Literal["public", "internal", "admin"]

SECRET_FIELDS: Final = ("password", "token", "application_credential_secret", "plugin_options")
_NATIVE_TYPES: Final = {
    "password": "password",
    "v3password": "password",
    "token": "token",
    "v3token": "token",
    "v3applicationcredential": "application_credential",
}
_NATIVE_OPTIONS: Final = frozenset(
    {
        "auth_url", "user_id", "username", "user_domain_id", "user_domain_name", "password", "token",
        "application_credential_id", "application_credential_name", "application_credential_secret", "project_id",
        "project_name", "project_domain_id", "project_domain_name", "domain_id", "domain_name", "system_scope",
        "trust_id",
    }
)  # fmt: skip
_LOGIN_TIMEOUT_S: Final = 60.0


class Access(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One user of one cloud. Empty strings: not given."""

    auth_url: str
    """The address of Keystone, with or without `/v3`."""
    auth_type: str = "password"
    """`password`, `token` or `application_credential`; or the name of another keystoneauth plug-in."""
    cloud: str = ""
    """The name in `clouds.yaml`, for messages."""

    user_id: str = ""
    username: str = ""
    user_domain_id: str = ""
    user_domain_name: str = ""
    password: str = ""
    token: str = ""
    application_credential_id: str = ""
    application_credential_name: str = ""
    application_credential_secret: str = ""

    project_id: str = ""
    project_name: str = ""
    project_domain_id: str = ""
    project_domain_name: str = ""
    domain_id: str = ""
    """Scope to a domain instead of a project."""
    domain_name: str = ""
    system_scope: str = ""
    """`all` scopes to the whole system instead of a project."""
    trust_id: str = ""
    """Act by a trust instead of with a project of one's own."""

    plugin_options: tuple[tuple[str, PluginValue], ...] = ()
    """The options of another plug-in, in its own words."""

    region_name: str = ""
    """Empty takes the first endpoint of any region."""
    interface: Interface = "public"
    endpoint_overrides: tuple[tuple[str, str], ...] = ()
    """Service (`compute`, …) and the address to use instead of the catalog's; `%(project_id)s` is filled in."""
    default_microversions: tuple[tuple[str, str], ...] = ()
    """Service and the microversion to use where a request names none."""

    verify: bool = True
    """False trusts any certificate: only when the user asked for it."""
    ca_file: str = ""
    """Trust the certificates in this PEM file instead of the system's."""
    certificate_file: str = ""
    """A client certificate, PEM."""
    key_file: str = ""
    """Its key; empty: in the same file."""
    timeout_s: float = 60.0
    """For one request."""

    def as_user(
        self, *, user_id: str, password: str, project_id: str, username: str = "", project_name: str = ""
    ) -> Self:
        """The same cloud as another user, by password, scoped to a project."""
        return msgspec.structs.replace(
            self,
            auth_type="password",
            user_id=user_id,
            username=username,
            user_domain_id="",
            user_domain_name="",
            password=password,
            token="",
            application_credential_id="",
            application_credential_name="",
            application_credential_secret="",
            project_id=project_id,
            project_name=project_name,
            project_domain_id="",
            project_domain_name="",
            domain_id="",
            domain_name="",
            system_scope="",
            trust_id="",
            plugin_options=(),
        )

    def secrets(self) -> tuple[str, ...]:
        """Every secret text in here, for scrubbing messages. Longest first."""
        found = {self.password, self.token, self.application_credential_secret}
        found |= {value for _, value in self.plugin_options if isinstance(value, str)}
        return tuple(sorted((text for text in found if len(text) >= 4), key=lambda text: (-len(text), text)))

    def _shown(self) -> list[tuple[str, Any]]:
        shown: list[tuple[str, Any]] = []
        for field in msgspec.structs.fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                shown.append((field.name, "…" if field.name in SECRET_FIELDS else value))
        return shown

    def __repr__(self) -> str:
        return f"Access({', '.join(f'{name}={value!r}' for name, value in self._shown())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return self._shown()


def load_access(cloud: str | None) -> Access:
    """How to log in to `cloud` in `clouds.yaml`; None: `OS_CLOUD`, the `OS_*` variables, or the only cloud there is.

    Raises InputError naming the clouds that are known, or the option that is missing.
    """
    from keystoneauth1 import exceptions as keystone_errors
    from openstack import exceptions
    from openstack.config import OpenStackConfig, loader

    check_clouds_files(loader.CONFIG_FILES, loader.SECURE_FILES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openstacksdk's advice on the file is not about the experiment
        try:
            configuration = OpenStackConfig()
        except (exceptions.ConfigException, OSError, ValueError) as error:
            raise InputError(f"the clouds' configuration cannot be read: {error}") from None
        known = sorted(set(configuration.get_cloud_names()) - {"defaults"})
        if cloud is not None and cloud not in known:
            raise _unknown(cloud, known, configuration.config_filename)
        try:
            region = configuration.get_one(cloud)
            verify, certificate = region.get_requests_verify_args()
        except keystone_errors.MissingRequiredOptions as error:
            raise _incomplete(cloud, [option.dest for option in error.options], known) from None
        except (exceptions.ConfigException, keystone_errors.ClientException, OSError, ValueError) as error:
            raise InputError(f"the cloud {_named(cloud)} cannot be read: {error}", hint=_clouds_hint(known)) from None
        except TypeError as error:
            if "unexpected keyword argument" not in str(error):
                raise
            option = str(error).rpartition(" ")[2]
            raise InputError(
                f"the cloud {_named(cloud)} has an option of auth that its way to log in does not know", got=option
            ) from None
    access = _access(region.name or "", region.config, verify, certificate)
    missing = _missing(access)
    if missing:
        raise _incomplete(cloud, missing, known)
    return access


def _missing(access: Access) -> list[str]:
    """What a native way to log in cannot do without."""
    needed = {
        "password": ("username" if not access.user_id else "user_id", "password"),
        "token": ("token",),
        "application_credential": ("application_credential_secret",),
    }
    names = ("auth_url", *needed.get(access.auth_type, ())) if access.auth_type in needed else ()
    return [name for name in names if not getattr(access, name)]


def _incomplete(cloud: str | None, missing: list[str], known: list[str]) -> InputError:
    return InputError(
        f"the cloud {_named(cloud)} lacks what logging in needs",
        expected=", ".join(missing),
        hint=_clouds_hint(known) or "name a cloud that is in clouds.yaml, or set OS_AUTH_URL and its like",
    )


def _access(cloud: str, config: dict[str, Any], verify: bool | str | None, certificate: Any) -> Access:
    auth: dict[str, Any] = {name: value for name, value in config.get("auth", {}).items() if value not in (None, "")}
    plugin = str(config.get("auth_type") or "password")
    native = _NATIVE_TYPES.get(plugin)
    if native == "password" and not set(auth) & {"username", "user_id"} and "token" in auth:
        native = "token"
    certificate_file, key_file = certificate if isinstance(certificate, tuple) else (certificate or "", "")
    fields: dict[str, Any] = {name: str(value) for name, value in auth.items() if name in _NATIVE_OPTIONS}
    for owner in ("user", "project"):
        if native and not fields.get(f"{owner}_domain_id") and not fields.get(f"{owner}_domain_name"):
            for form in ("id", "name"):
                if f"default_domain_{form}" in auth:
                    fields[f"{owner}_domain_{form}"] = str(auth[f"default_domain_{form}"])
    if not native:
        fields = {"auth_url": str(auth.get("auth_url", ""))}
    return Access(
        **fields,
        auth_type=native or plugin,
        cloud=cloud,
        plugin_options=() if native else tuple((name, _plain(auth[name])) for name in sorted(auth)),
        region_name=str(config.get("region_name") or ""),
        interface=_interface(config, cloud),
        endpoint_overrides=_per_service(config, "_endpoint_override"),
        default_microversions=_per_service(config, "_default_microversion"),
        verify=verify is not False,
        ca_file=verify if isinstance(verify, str) else "",
        certificate_file=str(certificate_file),
        key_file=str(key_file),
        timeout_s=float(config.get("api_timeout") or _LOGIN_TIMEOUT_S),
    )


def _interface(config: dict[str, Any], cloud: str) -> Interface:
    name = str(config.get("interface") or "public").removesuffix("URL")
    for known in ("public", "internal", "admin"):
        if name == known:
            return known
    raise InputError(
        f"the cloud {_named(cloud)} asks for an unknown interface", expected="public, internal or admin", got=name
    )


def _per_service(config: dict[str, Any], ending: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name.removesuffix(ending).replace("_", "-"), str(value))
        for name, value in sorted(config.items())
        if name.endswith(ending) and value
    )


def _plain(value: Any) -> PluginValue:
    if isinstance(value, list | tuple):
        return tuple(str(item) for item in value)
    return value if isinstance(value, str | int | float | bool) else str(value)


def _named(cloud: str | None) -> str:
    return repr(cloud) if cloud else "of the environment"


def _clouds_hint(known: list[str]) -> str:
    return f"known clouds: {', '.join(known)}" if known else ""


def _unknown(cloud: str, known: list[str], file: str | None) -> InputError:
    return InputError(
        f"there is no cloud {cloud!r}",
        where=str(file or "clouds.yaml"),
        expected=", ".join(known) or "a clouds.yaml in this folder, ~/.config/openstack or /etc/openstack",
        hint=nearest(cloud, known),
    )
