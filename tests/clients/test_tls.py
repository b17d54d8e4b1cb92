"""TLS: who is trusted, who we are, and that trusting anybody has to be asked for."""

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from kilonode.base.errors import InputError, OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.tls import TlsSettings
from tests.clients.loops import on_both_loops
from tests.clients.scripted import Client, answer, echo, serving, transport


class Authority:
    """A certificate authority, its file, and contexts of servers that it vouches for."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.file = str(folder / "authority.pem")
        self.authority.cert_pem.write_to_path(self.file)

    def server(self, name: str = "127.0.0.1") -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(name).configure_cert(context)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


async def failure(url: str, settings: TlsSettings) -> OperationError:
    async with transport(tls=settings) as http:
        with pytest.raises(OperationError) as caught:
            await http.request("GET", url, timeout_s=10)
        return caught.value


@on_both_loops
async def test_a_server_is_trusted_through_the_authority_that_was_named(authority: Authority) -> None:
    async with serving(echo, authority.server()) as server, transport(tls=TlsSettings(ca_file=authority.file)) as http:
        url = server.url.replace("http:", "https:")
        for reused in (False, True):
            response = await http.request("GET", f"{url}/x")
            assert (response.body, response.connection_reused) == (b"GET /x 0", reused)


@on_both_loops
async def test_a_server_that_nobody_vouches_for_is_not_trusted(authority: Authority) -> None:
    async with serving(echo, authority.server()) as server:
        failed = await failure(server.url.replace("http:", "https:"), TlsSettings())
    assert (failed.outcome, "not trusted" in failed.message) == (Outcome.TLS, True)


@on_both_loops
async def test_a_certificate_of_another_host_is_not_trusted(authority: Authority) -> None:
    async with serving(echo, authority.server("another.invalid")) as server:
        failed = await failure(server.url.replace("http:", "https:"), TlsSettings(ca_file=authority.file))
    assert (failed.outcome, "not trusted" in failed.message) == (Outcome.TLS, True)


@on_both_loops
async def test_anybody_is_trusted_only_when_that_is_asked_for(authority: Authority) -> None:
    async with (
        serving(echo, authority.server("another.invalid")) as server,
        transport(tls=TlsSettings(verify=False)) as http,
    ):
        assert (await http.request("GET", server.url.replace("http:", "https:"))).status == 200


@on_both_loops
async def test_a_client_shows_its_certificate(authority: Authority, tmp_path: Path) -> None:
    context = authority.server()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    identity = authority.authority.issue_cert("client@cloud.invalid")
    certificate, key = tmp_path / "client.pem", tmp_path / "key.pem"
    identity.cert_chain_pems[0].write_to_path(certificate)
    identity.private_key_pem.write_to_path(key)

    async def handler(client: Client) -> None:
        while await client.read() is not None:
            shown = client.writer.get_extra_info("peercert")["subjectAltName"]
            await client.write(answer(str(shown).encode()))

    settings = TlsSettings(ca_file=authority.file, certificate_file=str(certificate), key_file=str(key))
    async with serving(handler, context) as server, transport(tls=settings) as http:
        response = await http.request("GET", server.url.replace("http:", "https:"))
        assert b"client@cloud.invalid" in response.body


@on_both_loops
async def test_a_client_without_the_certificate_that_is_wanted_is_a_tls_failure(authority: Authority) -> None:
    context = authority.server()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)

    def refuse(listening: socket.socket) -> None:
        accepted, _ = listening.accept()
        connection = context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        with contextlib.suppress(ssl.SSLError):
            connection.do_handshake()
        with socket.socket(fileno=connection.detach()) as raw:  # closing with bytes unread would reset the connection
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(4096):
                pass

    # A blocking server, since asyncio's own does not send the alert that says why.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        refusing = asyncio.get_running_loop().run_in_executor(None, refuse, listening)
        port = listening.getsockname()[1]
        failed = await failure(f"https://127.0.0.1:{port}/", TlsSettings(ca_file=authority.file))
        await refusing
    assert failed.outcome == Outcome.TLS


@on_both_loops
async def test_a_server_that_speaks_no_tls_is_a_tls_failure(authority: Authority) -> None:
    async def handler(client: Client) -> None:
        await client.reader.read(10)
        await client.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serving(handler) as server:
        failed = await failure(server.url.replace("http:", "https:"), TlsSettings())
    assert failed.outcome == Outcome.TLS


@on_both_loops
async def test_a_server_that_breaks_off_the_handshake_is_a_failure_of_the_connection() -> None:
    async def handler(client: Client) -> None:
        await client.reader.read(10)
        client.reset()

    async with serving(handler) as server:
        failed = await failure(server.url.replace("http:", "https:"), TlsSettings())
    assert failed.outcome in (Outcome.RESET, Outcome.TLS)


@on_both_loops
async def test_speaking_plainly_to_a_server_that_speaks_tls_is_no_success(authority: Authority) -> None:
    async with serving(echo, authority.server()) as server:
        failed = await failure(server.url, TlsSettings())
    assert failed.outcome in (Outcome.RESET, Outcome.PROTOCOL)


@pytest.mark.parametrize("content", ["", "not a certificate", None])
def test_an_authority_that_cannot_be_read_is_a_clear_error(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "authority.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match="cannot be read") as caught:
        TlsSettings(ca_file=str(file)).context()
    assert str(file) in str(caught.value)


def test_a_client_certificate_that_cannot_be_used_is_a_clear_error(tmp_path: Path) -> None:
    for content in ("", "not a certificate"):
        file = tmp_path / "client.pem"
        file.write_text(content)
        with pytest.raises(InputError, match="client certificate cannot be used"):
            TlsSettings(certificate_file=str(file)).context()
    with pytest.raises(InputError, match="client certificate cannot be used"):
        TlsSettings(certificate_file=str(tmp_path / "absent.pem")).context()


def test_a_key_with_a_password_is_refused_instead_of_asked_for(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    identity = trustme.CA().issue_cert("client.invalid")
    key = serialization.load_pem_private_key(identity.private_key_pem.bytes(), None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"sesame"),
    )
    file = tmp_path / "client.pem"
    file.write_bytes(identity.cert_chain_pems[0].bytes() + encrypted)
    with pytest.raises(InputError, match="client certificate cannot be used"):
        TlsSettings(certificate_file=str(file)).context()


@on_both_loops
async def test_many_requests_at_once_over_tls_all_arrive(authority: Authority) -> None:
    settings = TlsSettings(ca_file=authority.file)
    async with serving(echo, authority.server()) as server, transport(tls=settings, max_connections_per_host=4) as http:
        url = server.url.replace("http:", "https:")
        answers = await asyncio.gather(*(http.request("POST", f"{url}/{n}", body=b"x" * 9000) for n in range(40)))
        assert {response.body for response in answers} == {b"POST /%d 9000" % number for number in range(40)}
