"""The transport over sockets that an access asks for: its certificates, and the environment's proxies."""

from typing import Final

from kilonode.base.clock import Clock
from kilonode.clients.http import HttpTransport
from kilonode.clients.openstack.access import Access
from kilonode.clients.proxies import ProxySettings
from kilonode.clients.tls import TlsSettings

NEVER_KEPT_S: Final = -1.0
"""As a limit of how long a free connection is good for: no time at all."""


def tls_settings(access: Access | None) -> TlsSettings:
    """How TLS is spoken with the cloud of `access`. Accesses with the same settings can share a transport."""
    if access is None:
        return TlsSettings()
    return TlsSettings(access.verify, access.ca_file, access.certificate_file, access.key_file)


def open_transport(access: Access | None, clock: Clock, *, reuse: bool = True) -> HttpTransport:
    """A transport for the running event loop; None: for servers that are no cloud. Raises InputError.

    `reuse` False: each request opens a connection of its own.
    """
    tls, proxies = tls_settings(access), ProxySettings.from_environment()
    if reuse:
        return HttpTransport(clock, tls=tls, proxies=proxies)
    return HttpTransport(clock, tls=tls, proxies=proxies, idle_limit_s=NEVER_KEPT_S)
