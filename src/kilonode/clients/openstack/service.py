"""One service of one cloud as one user: requests with token and microversion, errors in the service's own words.

Paths begin at the root of the API (`/servers`) and are already escaped. One call is one request, except where it says
otherwise: `list_all` follows pages, and an answer 401 is followed by a new token and one repetition, marked
`reauthenticated`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.clients.failures import classify
from kilonode.clients.openstack.login import Token
from kilonode.clients.openstack.microversions import Version, VersionRange, negotiate, show, version_headers
from kilonode.clients.openstack.observing import HARMLESS, ChangeObserver
from kilonode.clients.openstack.session import Session
from kilonode.clients.transport import BodyStream, HeaderPairs, Response

SUCCESS: Final = (200, 201, 202, 203, 204)
Query = Mapping[str, object] | Sequence[tuple[str, object]]

_MOST_PAGES: Final = 10_000
_encode = msgspec.json.Encoder().encode


class ServiceClient:
    """Requests to one service."""

    def __init__(self, session: Session, name: str, root_url: str, wanted: Version | None) -> None:
        self.name = name
        self.root_url = root_url
        """Where paths are appended, without a slash at the end."""
        self._session = session
        self._wanted = wanted
        self._served: VersionRange | None = None
        self._microversion = show(wanted) if wanted else ""
        self._headers: dict[tuple[str, bool], tuple[tuple[str, str], ...]] = {}
        self._headers_for: Token | None = None

    @property
    def served(self) -> VersionRange | None:
        """The microversions that the service serves; None: not asked yet."""
        return self._served

    @served.setter
    def served(self, served: VersionRange) -> None:
        self._served = served
        chosen = negotiate(self._wanted, served)
        self._microversion = show(chosen) if chosen else ""

    @property
    def microversion(self) -> str:
        """What requests that name none ask for; empty: nothing, so the service's oldest."""
        return self._microversion

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        body: bytes | BodyStream | None = None,
        query: Query = (),
        headers: HeaderPairs = (),
        microversion: str | None = None,
        expect: tuple[int, ...] = SUCCESS,
        timeout_s: float | None = None,
        receive: Callable[[bytes], object] | None = None,
        authenticated: bool = True,
    ) -> Response:
        """One request. Raises OperationError, classified, when the status is not in `expect`.

        `json` is anything msgspec can encode. `microversion` None asks for the negotiated one, an empty string for
        none.
        """
        url = self.root_url + path
        if query:
            url += ("&" if "?" in path else "?") + urlencode(query)
        return await self.request_url(
            method,
            url,
            json=json,
            body=body,
            headers=headers,
            microversion=microversion,
            expect=expect,
            timeout_s=timeout_s,
            receive=receive,
            authenticated=authenticated,
        )

    async def request_url(
        self,
        method: str,
        url: str,
        *,
        json: object = None,
        body: bytes | BodyStream | None = None,
        headers: HeaderPairs = (),
        microversion: str | None = None,
        expect: tuple[int, ...] = SUCCESS,
        timeout_s: float | None = None,
        receive: Callable[[bytes], object] | None = None,
        authenticated: bool = True,
    ) -> Response:
        """The same for an absolute address; it must be one of this service, for it is sent the token."""
        session = self._session
        content: bytes | BodyStream = (body or b"") if json is None else _encode(json)
        version = self._microversion if microversion is None else microversion
        seconds = session.access.timeout_s if timeout_s is None else timeout_s
        send = session.transport.request
        if session.observer is not None and method not in HARMLESS:
            send = partial(self._observed, session.observer, json)
        token = await session.token() if authenticated else None
        all_headers = self._head(token, version, json is not None)
        if headers:
            all_headers = (*all_headers, *headers)
        response = await send(method, url, headers=all_headers, body=content, timeout_s=seconds, receive=receive)
        if response.status == 401 and token is not None and 401 not in expect:
            token = await session.replace(token)
            all_headers = (*self._head(token, version, json is not None), *headers)
            response = await send(method, url, headers=all_headers, body=content, timeout_s=seconds, receive=receive)
            response.reauthenticated = True
        if response.status not in expect:
            raise self._failure(response, expect, token)
        return response

    async def get(self, path: str, **arguments: Any) -> Any:
        """The decoded JSON of a GET; arguments as in `request`."""
        return decoded(await self.request("GET", path, **arguments))

    async def post(self, path: str, **arguments: Any) -> Any:
        """The decoded JSON of a POST, None when it answers nothing."""
        return decoded(await self.request("POST", path, **arguments))

    async def put(self, path: str, **arguments: Any) -> Any:
        """The decoded JSON of a PUT, None when it answers nothing."""
        return decoded(await self.request("PUT", path, **arguments))

    async def patch(self, path: str, **arguments: Any) -> Any:
        """The decoded JSON of a PATCH, None when it answers nothing."""
        return decoded(await self.request("PATCH", path, **arguments))

    async def delete(self, path: str, **arguments: Any) -> Any:
        """The decoded JSON of a DELETE, None when it answers nothing."""
        return decoded(await self.request("DELETE", path, **arguments))

    async def list_all(
        self, path: str, collection: str, query: Query = (), *, microversion: str | None = None
    ) -> list[dict[str, Any]]:
        """Every item of a collection, page by page, as long as the service names a next page."""
        found: list[dict[str, Any]] = []
        pages: set[str] = set()
        for _ in range(_MOST_PAGES):
            document = await self.get(path, query=query, microversion=microversion)
            items = document.get(collection) if isinstance(document, dict) else None
            if not isinstance(items, list):
                raise OperationError(Outcome.PROTOCOL, f"{self.name}: the answer has no list {collection!r}")
            found += items
            following = next_page(document, collection)
            if not following or not items:
                return found
            if following in pages:
                break
            pages.add(following)
            query = parse_qsl(following, keep_blank_values=True)
        raise OperationError(Outcome.PROTOCOL, f"{self.name}: the pages of {collection!r} have no end")

    async def authenticated_headers(self) -> HeaderPairs:
        """What a request without a body carries, for who sends it in another way: a token that is good now."""
        return self._head(await self._session.token(), self._microversion, has_json=False)

    async def _observed(
        self, observer: ChangeObserver, content: object, method: str, url: str, **arguments: Any
    ) -> Response:
        """The transport's `request`, and the observer is told of it, whatever becomes of it."""
        now_ns = self._session.clock.now_ns
        sent_ns = now_ns()
        response: Response | None = None
        outcome, resent = Outcome.CANCELLED, False
        try:
            response = await self._session.transport.request(method, url, **arguments)
            outcome, resent = Outcome.OK, response.resent
        except OperationError as error:
            outcome, resent = error.outcome, error.resent
            raise
        finally:
            path = url.removeprefix(self.root_url)
            observer(self.name, method, path, content, response, outcome, resent, sent_ns, now_ns())
        return response

    def _head(self, token: Token | None, version: str, has_json: bool) -> tuple[tuple[str, str], ...]:
        """The headers of a request. The same tuple for the same request, which the transport has already encoded."""
        if token is not self._headers_for and token is not None:
            self._headers.clear()
            self._headers_for = token
        key = (version, has_json)
        head = self._headers.get(key) if token is not None else None
        if head is None:
            pairs = [*(token.headers if token else ()), ("Accept", "application/json")]
            if version:
                pairs += version_headers(self.name, version)
            if has_json:
                pairs.append(("Content-Type", "application/json"))
            head = tuple(pairs)
            if token is not None:
                self._headers[key] = head
        return head

    def _failure(self, response: Response, expect: tuple[int, ...], token: Token | None) -> OperationError:
        secrets = (token.text, *self._session.secrets) if token else self._session.secrets
        failure = classify(response, self.name, secrets)
        if failure is not None:
            return failure
        wanted = " or ".join(str(status) for status in expect)
        return OperationError(
            Outcome.PROTOCOL, f"{self.name} answered {response.status} instead of {wanted}", status=response.status
        )


def decoded(response: Response) -> Any:
    """The body's JSON, None when it is empty."""
    return response.json() if response.body else None


def next_page(document: dict[str, Any], collection: str) -> str:
    """The query of the next page, from any of the ways services name it; empty: this was the last."""
    link = document.get("next")  # Glance
    links = document.get(f"{collection}_links") or document.get("links")
    if isinstance(links, dict):  # Keystone
        link = links.get("next")
    elif isinstance(links, list):  # Nova, Neutron, Cinder
        link = next((entry.get("href") for entry in links if entry.get("rel") == "next"), None)
    return urlsplit(link).query if isinstance(link, str) else ""
