"""HTTP proxies: whom they are asked for, and how."""

import asyncio
import base64

import pytest

from kilonode.base.errors import InputError, OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.proxies import Proxy, ProxySettings, read_proxy
from kilonode.clients.tls import TlsSettings
from tests.clients.loops import on_both_loops
from tests.clients.scripted import Client, answer, echo, serving, transport
from tests.clients.test_tls import Authority

AUTHORIZATION = "Basic " + base64.b64encode(b"me:se:same").decode()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


async def tunnel(client: Client) -> None:
    """A proxy that does what CONNECT asks, if it is asked with the right password."""
    request = await client.read()
    assert request is not None
    if request.headers.get("proxy-authorization") != AUTHORIZATION:
        await client.write(answer(b"who are you?", status="407 Proxy Authentication Required"))
        return
    host, _, port = request.target.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    await client.write(b"HTTP/1.1 200 Connection established\r\nVia: us\r\n\r\n")

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            target.write(data)
        target.close()

    await asyncio.gather(copy(client.reader, writer), copy(reader, client.writer))


def settings_for(port: int, authorization: str = AUTHORIZATION) -> ProxySettings:
    proxy = Proxy("127.0.0.1", port, authorization)
    return ProxySettings(http=proxy, https=proxy)


@on_both_loops
async def test_a_plain_request_names_its_whole_address_to_the_proxy() -> None:
    async with serving(echo) as proxy, transport(proxies=settings_for(proxy.port)) as http:
        response = await http.request("GET", "http://cloud.invalid:8774/v2.1?limit=1")
        assert response.body == b"GET http://cloud.invalid:8774/v2.1?limit=1 0"
        headers = proxy.requests[0].headers
        assert (headers["host"], headers["proxy-authorization"]) == ("cloud.invalid:8774", AUTHORIZATION)


@on_both_loops
async def test_tls_goes_through_a_tunnel_with_the_origin_itself(authority: Authority) -> None:
    async with (
        serving(tunnel) as proxy,
        serving(echo, authority.server("localhost")) as server,
        transport(proxies=settings_for(proxy.port), tls=TlsSettings(ca_file=authority.file)) as http,
    ):
        for reused in (False, True):
            response = await http.request("PUT", f"https://localhost:{server.port}/x", body=b"abc")
            assert (response.body, response.connection_reused) == (b"PUT /x 3", reused)
        assert "proxy-authorization" not in server.requests[0].headers
        assert proxy.requests[0].headers["host"] == f"localhost:{server.port}"


@on_both_loops
async def test_a_proxy_that_refuses_is_no_answer_of_the_cloud() -> None:
    async with serving(tunnel) as proxy, transport(proxies=settings_for(proxy.port, "Basic wrong")) as http:
        with pytest.raises(OperationError) as caught:
            await http.request("GET", "https://cloud.invalid/")
        assert (caught.value.outcome, caught.value.status) == (Outcome.REFUSED, 407)
        assert "Basic wrong" not in str(caught.value)


@on_both_loops
async def test_a_proxy_that_breaks_off_or_speaks_nonsense_is_classified() -> None:
    async def silent(client: Client) -> None:
        await client.read()

    async def nonsense(client: Client) -> None:
        await client.read()
        await client.write(b"SSH-2.0-OpenSSH\r\n\r\n")

    async def endless(client: Client) -> None:
        await client.read()
        await client.write(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000)

    for handler, outcome in [
        (silent, Outcome.RESET),
        (nonsense, Outcome.PROTOCOL),
        (endless, Outcome.PROTOCOL),
        (echo, Outcome.TLS),  # says 200, and then does not speak TLS
    ]:
        async with serving(handler) as proxy, transport(proxies=settings_for(proxy.port)) as http:
            with pytest.raises(OperationError) as caught:
                await http.request("GET", "https://cloud.invalid/", timeout_s=0.5 if handler is echo else 10)
            assert caught.value.outcome in (outcome, Outcome.TIMEOUT if handler is echo else outcome)


@on_both_loops
async def test_a_host_that_is_excepted_is_reached_directly() -> None:
    settings = ProxySettings(http=Proxy("127.0.0.1", 9), except_for=("127.0.0.0/8",))
    async with serving(echo) as server, transport(proxies=settings) as http:
        assert (await http.request("GET", f"{server.url}/x")).body == b"GET /x 0"


@pytest.mark.parametrize(
    ("entries", "host", "port", "direct"),
    [
        ("*", "anything", 80, True),
        ("example.org", "example.org", 80, True),
        ("example.org", "api.example.org", 80, True),
        (".example.org", "api.example.org", 80, True),
        (".example.org", "example.org", 80, True),
        ("*.example.org", "api.example.org", 80, True),
        ("example.org", "badexample.org", 80, False),
        ("EXAMPLE.org", "Api.Example.Org", 80, True),
        ("example.org:8080", "example.org", 8080, True),
        ("example.org:8080", "example.org", 80, False),
        ("10.0.0.0/8", "10.1.2.3", 80, True),
        ("10.0.0.0/8", "11.1.2.3", 80, False),
        ("10.1.2.3", "10.1.2.3", 80, True),
        ("10.1.2.3:5000", "10.1.2.3", 5000, True),
        ("10.1.2.3:5000", "10.1.2.3", 80, False),
        ("::1", "::1", 80, True),
        ("[::1]:5000", "::1", 5000, True),
        ("[::1]:5000", "::1", 80, False),
        ("example.org", "10.1.2.3", 80, False),
        (" a.org , localhost ", "localhost", 80, True),
        ("", "example.org", 80, False),
        (",", "example.org", 80, False),
    ],
)
def test_the_exceptions_are_those_of_curl(entries: str, host: str, port: int, direct: bool) -> None:
    settings = ProxySettings.from_environment({"http_proxy": "http://proxy:3128", "no_proxy": entries})
    assert (settings.proxy_for("http", host, port) is None) is direct


def test_the_environment_names_a_proxy_for_each_scheme() -> None:
    assert ProxySettings.from_environment({}) == ProxySettings()
    settings = ProxySettings.from_environment(
        {"HTTP_PROXY": "http://upper:1", "http_proxy": "http://lower:2", "ALL_PROXY": "proxy:3", "NO_PROXY": "a,b"}
    )
    assert settings.http == Proxy("lower", 2)
    assert settings.https == Proxy("proxy", 3)
    assert settings.except_for == ("a", "b")
    in_cgi = {"REQUEST_METHOD": "GET", "HTTP_PROXY": "http://evil:1"}
    assert ProxySettings.from_environment(in_cgi).http is None


def test_a_proxys_password_is_unescaped_and_not_shown() -> None:
    proxy = read_proxy("http://me:se%3Asame@proxy", "http_proxy")
    assert proxy == Proxy("proxy", 80, AUTHORIZATION)
    assert "Basic" not in repr(proxy) + repr(ProxySettings(http=proxy))


@pytest.mark.parametrize("url", ["socks5://proxy:1080", "https://me:sesame@proxy", "http://", "http://proxy:port", ""])
def test_what_is_no_http_proxy_is_a_clear_error_without_the_password(url: str) -> None:
    with pytest.raises(InputError, match="not an HTTP proxy") as caught:
        read_proxy(url, "https_proxy")
    assert "sesame" not in str(caught.value)
