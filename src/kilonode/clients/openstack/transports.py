"""The transport over sockets that an access asks for: its certificates, and the environment's proxies."""

from kilonode.base.clock import Clock
from kilonode.clients.http import HttpTransport
from kilonode.clients.openstack.access import Access
from kilonode.clients.proxies import ProxySettings
from kilonode.clients.tls import TlsSettings


def tls_settings(access: Access | None) -> TlsSettings:
    """How TLS is spoken with the cloud of `access`. Accesses with the same settings can share a transport."""
    if access is None:
        return TlsSettings()
    return TlsSettings(access.verify, access.ca_file, access.certificate_file, access.key_file)


def open_transport(access: Access | None, clock: Clock) -> HttpTransport:
    """A transport for the running event loop; None: for servers that are no cloud. Raises InputError."""
    return HttpTransport(clock, tls=tls_settings(access), proxies=ProxySettings.from_environment())
