"""All services under one port, as one ASGI 3 application: find the route, check the caller, run the handler, answer.

One place for what every request needs: request id, token, access rule, microversion, size limit, freshness (the mirror
catches up before the handler reads), service time (the profile's, before the handler and before the answer), conflicts
(the handler is called again), and errors in the service's own format. An unexpected exception is logged with the
request id and answered as the service's 500, without a traceback. It knows no service; those are given to it.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final

from kilonode.base.randomness import Randomness
from kilonode.cloud.context import Cloud
from kilonode.cloud.delays import Delay
from kilonode.cloud.openstack.web.access import ANONYMOUS, Access, AccessRule, Caller
from kilonode.cloud.openstack.web.faults import Fault, FaultFormat, identity_fault_format
from kilonode.cloud.openstack.web.microversions import NO_MICROVERSION, Microversion
from kilonode.cloud.openstack.web.rates import Rates
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response
from kilonode.cloud.openstack.web.router import Router
from kilonode.cloud.openstack.web.service import Route, ServiceApp
from kilonode.cloud.openstack.web.turns import Turns
from kilonode.cloud.stage_files import ServiceTime
from kilonode.store.protocol import ConflictError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
EncodedHeaders = list[tuple[bytes, bytes]]

Authenticate = Callable[[str], Caller]
"""The caller a token stands for. Raises Fault 401."""

CONFLICTS_TRIED_AGAIN: Final = 20
SERVER_ERROR: Final = "The server has either erred or is incapable of performing the requested operation."
_REQUEST_NUMBER_LIMIT: Final = 16**12
_BODILESS: Final = (204, 304)

_log = logging.getLogger(__name__)


class _DisconnectedError(Exception):
    """The client went away before its request was whole."""


class _Target:
    """A route with what is known of it beforehand."""

    __slots__ = ("operation", "route", "service", "service_time")

    def __init__(self, service: ServiceApp, route: Route, service_times: Mapping[str, ServiceTime]) -> None:
        self.service = service
        self.route = route
        self.operation = f"{service.name}.{route.operation}"
        self.service_time = service_times.get(self.operation)


class Application:
    """The ASGI callable."""

    def __init__(
        self,
        cloud: Cloud,
        services: Iterable[ServiceApp],
        authenticate: Authenticate,
        service_times: Mapping[str, ServiceTime] | None = None,
    ) -> None:
        """`service_times` None: those of the cloud's stage profile."""
        service_times = cloud.profile.services if service_times is None else service_times
        self._cloud = cloud
        self._authenticate = authenticate
        self._limits = cloud.settings.services.limits
        self._rates = Rates(self._limits.rates)
        self._router: Router[_Target] = Router()
        self._services: dict[str, ServiceApp] = {}
        self._own_headers: dict[str, EncodedHeaders] = {}
        self._version_headers: dict[tuple[str, Microversion], EncodedHeaders] = {}
        self._request_prefix = f"req-{cloud.new_id()[:24]}".encode()
        self._request_number = 0
        self._turns = Turns()
        self._thinking = Randomness(cloud.settings.seed, "service", cloud.role)
        for service in services:
            self._own_headers[service.name] = _encoded(service.headers)
            root = service.root or service.prefix
            self._services[root.split("/")[1]] = service
            for place, routes in ((service.prefix, service.routes), (root, service.discovery)):
                for route in routes:
                    target = _Target(service, route, service_times)
                    self._router.add(route.method, place + route.path, target)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection: a request, or the lifespan of the server."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _live(receive, send)
        else:
            raise NotImplementedError(f"ASGI scope {scope['type']}")

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._request_number = (self._request_number + 1) % _REQUEST_NUMBER_LIMIT
        request_id = self._request_prefix + b"%012x" % self._request_number
        raw_path = scope.get("raw_path")
        path = raw_path.decode("latin-1") if raw_path else scope["path"]
        found = None if path.endswith("/") and self._slash_matters(path) else self._router.find(path)
        entry = found.target(scope["method"]) if found is not None else None
        if found is None or entry is None:
            service = self._services.get(path.split("/", 2)[1] if path.startswith("/") else "")
            given = dict(scope["headers"])
            fault = self._nothing_there(
                service, scope["method"], path, tuple(found.methods()) if found is not None else ()
            )
            await self._cloud.mirror.catch_up()
            if service is not None and service.guarded and path.startswith(f"{service.prefix}/"):
                try:
                    self._known_caller(given)
                except Fault as refusal:
                    fault = refusal
            names = service.request_id_headers if service is not None else ("x-openstack-request-id",)
            headers = [(name.encode(), request_id) for name in names]
            await _send(send, _render(service, fault, request_id, given), headers)
            return
        target, params = entry
        headers = [(name.encode(), request_id) for name in target.service.request_id_headers]  # one or two
        try:
            response = await self._answer(scope, receive, target, path, params, request_id, headers)
            await _send(send, response, headers)
        except _DisconnectedError:
            return

    def _slash_matters(self, path: str) -> bool:
        """Whether the path with a slash at its end is another one than without, so that nothing is there."""
        service = self._services.get(path.split("/", 2)[1])
        return service is not None and service.exact_paths and len(path.rstrip("/")) > len(service.prefix)

    async def _answer(
        self,
        scope: Scope,
        receive: Receive,
        target: _Target,
        path: str,
        params: dict[str, str],
        request_id: bytes,
        headers: EncodedHeaders,
    ) -> Response:
        service, route = target.service, target.route
        given = dict(scope["headers"])
        headers += self._own_headers[service.name]
        if target.service_time is not None and target.service_time.before is not None:
            await self._cloud.clock.sleep(self._thinking_s(target.operation, target.service_time.before))
        try:
            await self._cloud.mirror.catch_up()
            caller = self._caller(route, given)
            if self._limits.rates:
                address = (scope.get("client") or ("",))[0]
                self._rates.check(caller, address, self._cloud.clock.now_ns() / 1e9)
            if caller.access_rules is not None:
                self._check_rules(service, caller.access_rules, scope["method"], path)
            version = NO_MICROVERSION
            if service.microversions is not None:
                version = service.microversions.asked(given)
                headers += self._headers_of(service, version)
            if caller.access < route.access:
                raise Fault(403, service.refusal.format(route.policy or route.operation))
            if (route.since and version < route.since) or (route.until and version > route.until):
                raise Fault(404, "The resource could not be found.")
            request = Request(
                self._cloud,
                scope["method"],
                path,
                scope["query_string"],
                given,
                request_id.decode(),
                params,
                caller,
                version,
            )
            self._fail_by_chance(target)
            if route.streams:
                request.stream = _parts(receive, self._limits.image_bytes)
                response = await route.handler(request)
            else:
                request.body = await _read(receive, given, self._limits.body_bytes)
                response = await _handle(route, request, self._turns)
        except Fault as fault:
            if fault.status == 401 and not fault.headers:
                fault.headers = self._unauthorized().headers
            response = _render(service, fault, request_id, given)
        except _DisconnectedError:
            raise
        except Exception:
            _log.exception("%s: %s %s failed", request_id.decode(), scope["method"], path)
            response = _render(service, Fault(500, SERVER_ERROR), request_id, given)
        if target.service_time is not None:
            await self._cloud.clock.sleep(target.service_time.total_s(response.items))
        return response

    def _thinking_s(self, operation: str, before: Delay) -> float:
        return before.quantile_s(self._fraction(operation))

    def _fail_by_chance(self, target: _Target) -> None:
        """Raises the Fault with which the profile has some requests fail."""
        failure = target.service_time.failure if target.service_time is not None else None
        if failure is not None and self._fraction(f"{target.operation} failure") < failure.odds:
            raise Fault(failure.status, failure.message)

    def _fraction(self, purpose: str) -> float:
        """Drawn by seed, role and number of the request, as all randomness of the cloud is drawn by name."""
        return (self._thinking.child(purpose, self._request_number).integer() >> 11) / 2**53

    def _caller(self, route: Route, headers: dict[bytes, bytes]) -> Caller:
        return ANONYMOUS if route.access == Access.PUBLIC else self._known_caller(headers)

    def _known_caller(self, headers: dict[bytes, bytes]) -> Caller:
        """Whose token it is. Raises Fault 401."""
        token = headers.get(b"x-auth-token")
        if not token:
            raise self._unauthorized()
        try:
            return self._authenticate(token.decode("latin-1"))
        except Fault as fault:
            if fault.status == 401:
                raise self._unauthorized() from fault
            raise

    def _nothing_there(self, service: ServiceApp | None, method: str, path: str, allowed: tuple[str, ...]) -> Fault:
        if service is None:
            return Fault(404, f"The resource {path} could not be found.")
        return service.no_such_operation(method, allowed)

    def _check_rules(self, service: ServiceApp, rules: tuple[AccessRule, ...], method: str, path: str) -> None:
        """Raises Fault 401 when none of the access rules of the token is about this request."""
        types = service.types or (service.name,)
        below = path.removeprefix(service.root or service.prefix)
        if not any(rule.allows(types, method, below) for rule in rules):
            raise self._unauthorized()

    def _unauthorized(self) -> Fault:
        place = f'Keystone uri="{self._cloud.settings.public_url}/identity/v3"'
        return Fault(401, "The request you have made requires authentication.", headers=(("www-authenticate", place),))

    def _headers_of(self, service: ServiceApp, version: Microversion) -> EncodedHeaders:
        known = self._version_headers.get((service.name, version))
        if known is None:
            assert service.microversions is not None  # noqa: S101
            known = _encoded(service.microversions.headers(version))
            self._version_headers[service.name, version] = known
        return known


async def _handle(route: Route, request: Request, turns: Turns) -> Response:
    """Call the handler, again when someone else wrote first what it had read."""
    try:
        return await route.handler(request)
    except ConflictError as error:
        document = error.problem.path
    for _ in range(CONFLICTS_TRIED_AGAIN - 1):
        try:
            async with turns.of(document):
                return await route.handler(request)
        except ConflictError as error:
            document = error.problem.path
    raise Fault(409, "The resource is being changed by too many requests at once. Try again.")


def _render(service: ServiceApp | None, fault: Fault, request_id: bytes, headers: Mapping[bytes, bytes]) -> Response:
    render: FaultFormat = identity_fault_format
    if service is not None and fault.status == 401:
        render = service.unauthorized
    elif service is not None:
        accepted = headers.get(b"accept", b"").decode("latin-1") if service.by_accepted_type else ""
        render = next((one for kind, one in service.by_accepted_type.items() if kind in accepted), service.fault_format)
    response = render(fault, request_id.decode())
    if fault.headers:
        response.headers = (*response.headers, *fault.headers)
    return response


def _encoded(headers: Iterable[tuple[str, str]]) -> EncodedHeaders:
    return [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]


def _too_large() -> Fault:
    # The rest of the body is not waited for.
    return Fault(413, "Request is too large.", headers=(("connection", "close"),))


async def _read(receive: Receive, headers: dict[bytes, bytes], limit_bytes: int) -> bytes:
    """The whole body, if it is not too long. Raises Fault 413."""
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > limit_bytes:
        raise _too_large()
    message = await receive()
    if not message.get("more_body", False):
        if message["type"] == "http.disconnect":
            raise _DisconnectedError
        whole: bytes = message.get("body", b"")
        if len(whole) > limit_bytes:
            raise _too_large()
        return whole
    first = message.get("body", b"")
    return b"".join([first, *[part async for part in _parts(receive, limit_bytes - len(first))]])


async def _parts(receive: Receive, limit_bytes: int) -> AsyncIterator[bytes]:
    """The body as it comes. Raises _DisconnectedError when it ends too early, and Fault 413 when it is too long."""
    more = True
    length = 0
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _DisconnectedError
        more = message.get("more_body", False)
        part = message.get("body", b"")
        length += len(part)
        if length > limit_bytes:
            raise _too_large()
        if part:
            yield part


async def _send(send: Send, response: Response, headers: EncodedHeaders) -> None:
    if response.headers:
        headers += _encoded(response.headers)
    if response.stream is not None:
        headers.append((b"content-type", response.content_type))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        async for part in response.stream:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    body = response.body
    if response.status not in _BODILESS:
        headers.append((b"content-length", b"%d" % len(body)))
        if body:
            headers.append((b"content-type", response.content_type))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _live(receive: Receive, send: Send) -> None:
    """The server's start and end: nothing to do in either."""
    for _ in range(2):
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
