"""Passwords: kept as salted scrypt hashes of deliberately low cost, compared in constant time.

An emulated cloud guards nothing but itself, and a login must cost microseconds rather than the tenth of a second that a
real hash takes. So N is 2⁸ (about half a millisecond) where 2¹⁷ is usual, and a password that was right once is
remembered, as a keyed digest under a key that never leaves this process. See docs/decisions/0032.
"""

import hashlib
import hmac
import secrets
from typing import Final

COST_N: Final = 2**8
BLOCK_SIZE_R: Final = 8
HASH_BYTES: Final = 32
REMEMBERED_LIMIT: Final = 20_000
_SCHEME: Final = "scrypt8"


def hash_password(password: str, salt: str) -> str:
    """The text to keep of a password. `salt`: any text that no other password has."""
    return f"{_SCHEME}${salt}${_derive(password, salt).hex()}"


def _derive(password: str, salt: str) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"), salt=salt.encode(), n=COST_N, r=BLOCK_SIZE_R, p=1, dklen=HASH_BYTES
    )


class PasswordChecker:
    """Checks passwords and remembers the right ones. One per view of the cloud."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._right: dict[str, bytes] = {}

    def check(self, password: str, kept: str) -> bool:
        """Whether this is the password that `kept` was made of. Takes its time also when there is none."""
        given = hmac.digest(self._key, password.encode("utf-8", "surrogatepass"), "sha256")
        known = self._right.get(kept)
        if known is not None and hmac.compare_digest(known, given):
            return True
        scheme, _, rest = kept.partition("$")
        salt, _, expected = rest.partition("$")
        derived = _derive(password, salt).hex()
        if scheme != _SCHEME or not hmac.compare_digest(derived, expected):
            return False
        if len(self._right) >= REMEMBERED_LIMIT:
            del self._right[next(iter(self._right))]
        self._right[kept] = given
        return True
