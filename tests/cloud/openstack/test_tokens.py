"""Tokens say what was signed, and nothing else is a token; passwords are kept so that only the right one fits."""

from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.errors import InputError
from kilonode.cloud.openstack.identity.passwords import PasswordChecker, hash_password
from kilonode.cloud.openstack.identity.tokens import LIFETIME_US, Token, TokenSigner, new_token
from kilonode.cloud.openstack.web.faults import Fault

KEY = "5a" * 32
TOKENS = st.builds(
    new_token,
    user_id=st.text(max_size=32),
    methods=st.tuples(st.sampled_from(["password", "token"])),
    issued_us=st.integers(min_value=0, max_value=2**52),
    audit_ids=st.tuples(st.text(min_size=1, max_size=22)),
    project_id=st.text(alphabet="0123456789abcdef", max_size=32),
    domain_id=st.text(max_size=8),
    system=st.booleans(),
)


@given(TOKENS)
def test_a_token_says_what_was_signed(token: Token) -> None:
    signer = TokenSigner(KEY)
    assert signer.read(signer.sign(token)) == token
    assert token.expires_us == token.issued_us + LIFETIME_US


@given(TOKENS, st.data())
def test_a_token_with_any_character_changed_is_refused(token: Token, data: st.DataObject) -> None:
    signer = TokenSigner(KEY)
    text = signer.sign(token)
    place = data.draw(st.integers(min_value=0, max_value=len(text) - 1))
    other = data.draw(st.sampled_from([one for one in ascii_letters + digits + "-_=.é" if one != text[place]]))
    with pytest.raises(Fault) as raised:
        signer.read(text[:place] + other + text[place + 1 :])
    assert raised.value.status == 401


@given(TOKENS, st.data())
def test_a_token_cut_or_lengthened_is_refused(token: Token, data: st.DataObject) -> None:
    signer = TokenSigner(KEY)
    text = signer.sign(token)
    cut = text[: data.draw(st.integers(min_value=0, max_value=len(text) - 1))]
    longer = text + data.draw(st.text(alphabet=ascii_letters + "=", min_size=1, max_size=8))
    for forged in (cut, longer):
        with pytest.raises(Fault):
            signer.read(forged)


@given(st.text(max_size=200))
def test_no_other_text_is_a_token(text: str) -> None:
    with pytest.raises(Fault):
        TokenSigner(KEY).read(text)


@given(TOKENS)
def test_a_token_of_another_cloud_is_refused(token: Token) -> None:
    with pytest.raises(Fault):
        TokenSigner(KEY).read(TokenSigner("a5" * 32).sign(token))


@pytest.mark.parametrize("key", ["", "00", "not hexadecimal"])
def test_a_key_that_is_none_is_an_error_for_people(key: str) -> None:
    with pytest.raises(InputError):
        TokenSigner(key)


PASSWORDS = st.text(min_size=1, max_size=40)


@given(PASSWORDS, PASSWORDS)
def test_only_the_right_password_fits_also_the_second_time(right: str, wrong: str) -> None:
    kept = hash_password(right, "salt")
    checker = PasswordChecker()
    for _ in range(2):
        assert checker.check(right, kept)
        assert checker.check(wrong, kept) == (wrong == right)


def test_no_password_fits_what_keeps_none() -> None:
    checker = PasswordChecker()
    assert not checker.check("", "")
    assert not checker.check("anything", "")


def test_equal_passwords_are_kept_differently() -> None:
    assert hash_password("secret", "one") != hash_password("secret", "two")
