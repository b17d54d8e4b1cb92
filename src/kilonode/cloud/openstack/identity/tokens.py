"""Tokens: signed, stateless. A token says who, for what scope, until when; nothing of it is stored.

Text form: base64url without padding of a MessagePack array followed by its HMAC-SHA256 under the cloud's key. The
key is kept with the cloud's secrets, so tokens survive a restart of every process, and any process can check them.
Roles are not in the token: they are looked up when it is used, so taking a role away works at once.
"""

import base64
import binascii
import hmac
from typing import Final

import msgspec

from kilonode.base.errors import InputError
from kilonode.cloud.openstack.web.faults import Fault

LIFETIME_US: Final = 3_600_000_000
"""One hour, Keystone's default."""
_SIGNATURE_BYTES: Final = 32
_FORMAT: Final = 1
_LONGEST_TEXT: Final = 1_024
_KEY_BYTES: Final = 32


class Token(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a token says."""

    format: int
    user_id: str
    methods: tuple[str, ...]
    issued_us: int
    expires_us: int
    audit_ids: tuple[str, ...]
    """Its own, then that of the token it was made from, if any."""
    project_id: str = ""
    domain_id: str = ""
    system: bool = False
    credential_id: str = ""
    """The application credential it was made from."""
    trust_id: str = ""
    """The trust by which it was made."""

    @property
    def is_scoped(self) -> bool:
        """Whether it is for a project, a domain or the system."""
        return bool(self.project_id or self.domain_id or self.system)


class TokenSigner:
    """Makes tokens and reads them back. `key`: hexadecimal, 32 bytes at least."""

    def __init__(self, key: str) -> None:
        try:
            self._key = bytes.fromhex(key)
        except ValueError as error:
            raise InputError("the token key of the cloud is not hexadecimal") from error
        if len(self._key) < _KEY_BYTES:
            raise InputError(
                "the token key of the cloud is too short", expected=f"{_KEY_BYTES} bytes", got=f"{len(self._key)} bytes"
            )
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Token).decode

    def sign(self, token: Token) -> str:
        """The text of a token."""
        content = self._encode(token)
        signed = content + hmac.digest(self._key, content, "sha256")
        return base64.urlsafe_b64encode(signed).rstrip(b"=").decode()

    def read(self, text: str) -> Token:
        """What a token says, whatever its time. Raises Fault 401 for any text that `sign` did not make."""
        if len(text) > _LONGEST_TEXT or not text.isascii():
            raise refused()
        padded = text.encode() + b"=" * (-len(text) % 4)
        try:
            signed = base64.b64decode(padded, altchars=b"-_", validate=True)
        except binascii.Error as error:
            raise refused() from error
        content, signature = signed[:-_SIGNATURE_BYTES], signed[-_SIGNATURE_BYTES:]
        if not hmac.compare_digest(hmac.digest(self._key, content, "sha256"), signature):
            raise refused()
        # The last character of base64 has bits that mean nothing: only one spelling of them is ours.
        if base64.urlsafe_b64encode(signed).rstrip(b"=").decode() != text:
            raise refused()
        try:
            token = self._decode(content)
        except msgspec.DecodeError as error:
            raise refused() from error
        if token.format != _FORMAT:
            raise refused()
        return token


def new_token(
    user_id: str,
    methods: tuple[str, ...],
    issued_us: int,
    audit_ids: tuple[str, ...],
    *,
    expires_us: int = 0,
    project_id: str = "",
    domain_id: str = "",
    system: bool = False,
    credential_id: str = "",
    trust_id: str = "",
) -> Token:
    """A token that lives its full time, or until `expires_us` when that comes first."""
    end_us = issued_us + LIFETIME_US
    if expires_us:
        end_us = min(end_us, expires_us)
    return Token(
        _FORMAT, user_id, methods, issued_us, end_us, audit_ids, project_id, domain_id, system, credential_id, trust_id
    )


def refused() -> Fault:
    """The answer to a token or a login that is not right, whatever is wrong with it."""
    return Fault(401, "The request you have made requires authentication.")
