"""How TLS is spoken: whom to trust and who we are. Trusting anybody is possible only when it is asked for."""

import ssl
from pathlib import Path

import msgspec

from kilonode.base.errors import InputError


class TlsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What decides whether a server is trusted, and what we show it."""

    verify: bool = True
    """False: any certificate of any host is taken, so anybody in between can read everything."""
    ca_file: str = ""
    """PEM file, or a folder of hashed ones, to trust instead of the system's."""
    certificate_file: str = ""
    """PEM file with our own certificate."""
    key_file: str = ""
    """PEM file with its key; empty: in the same file."""

    def context(self) -> ssl.SSLContext:
        """What sockets need. Raises InputError for files that cannot be used."""
        try:
            context = self._trusting()
        except (OSError, ssl.SSLError) as error:
            raise InputError(
                "the certificates to trust cannot be read",
                where=self.ca_file,
                expected="a PEM file with at least one certificate",
                got=_reason(error),
            ) from None
        if self.certificate_file:
            try:
                context.load_cert_chain(self.certificate_file, self.key_file or None, password=_no_password)
            except (OSError, ssl.SSLError) as error:
                raise InputError(
                    "the client certificate cannot be used",
                    where=self.certificate_file,
                    expected="a certificate and its key in PEM, without a password",
                    got=_reason(error),
                ) from None
        return context

    def _trusting(self) -> ssl.SSLContext:
        if self.ca_file and self.verify:
            folder = Path(self.ca_file).is_dir()
            context = ssl.create_default_context(
                cafile=None if folder else self.ca_file, capath=self.ca_file if folder else None
            )
        else:
            context = ssl.create_default_context()
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["http/1.1"])
        return context


def _no_password() -> str:
    """Instead of asking on the terminal, which is what OpenSSL does by itself."""
    raise OSError("the key has a password")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or (str(error.args[-1]) if error.args else "not PEM")
    return str(error.strerror) if isinstance(error, OSError) and error.strerror else str(error)
