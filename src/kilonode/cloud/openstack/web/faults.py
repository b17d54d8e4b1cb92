"""Faults: what a handler raises to answer with an error, and the error bodies that several services share.

A `Fault` says status, message and a machine-readable type; how it looks on the wire is the service's `FaultFormat`.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import msgspec

from kilonode.cloud.openstack.web.response import JSON, Header, Response, reply


class Fault(Exception):  # noqa: N818  the word of the APIs
    """The answer to a request is this error."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "",  # noqa: A002  the word of the APIs
        headers: tuple[Header, ...] = (),
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        """The service's own name of the error, such as `IpAddressInUse`; empty where it has none."""
        self.headers = headers
        self.extra: dict[str, Any] = extra or {}
        """Further fields of the body, for the formats that have them."""


FaultFormat = Callable[[Fault, str], Response]
"""Renders a fault; the second argument is the request id."""


def not_found(what: str, key: str) -> Fault:
    """404 for a resource that does not exist, or that the caller may not know of."""
    return Fault(404, f"{what} {key} could not be found.")


def no_such_operation(method: str, allowed: tuple[str, ...]) -> Fault:
    """404 for a path where nothing is, 405 for one that knows other methods."""
    if not allowed:
        return Fault(404, "The resource could not be found.")
    words = f"The method {method} is not allowed for this resource."
    return Fault(405, words, headers=(("allow", ", ".join(allowed)),))


def title(status: int) -> str:
    """The standard phrase of an HTTP status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


_FAULT_NAMES: Final = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}


def named_fault_format(default_name: str, content_type: bytes = JSON) -> FaultFormat:
    """The format of Nova and Cinder: `{"itemNotFound": {"code": 404, "message": …}}`.

    `default_name` stands for statuses without a name: `computeFault` in Nova, `computeFault` in Cinder too.
    """

    def render(fault: Fault, request_id: str) -> Response:
        name = fault.type or _FAULT_NAMES.get(fault.status, default_name)
        wait_s = dict(fault.headers).get("retry-after")
        again = {} if wait_s is None else {"retryAfter": wait_s}
        body = {"code": fault.status, "message": fault.message, **fault.extra, **again}
        return msgspec.structs.replace(reply({name: body}, fault.status), content_type=content_type)

    return render


def identity_fault_format(fault: Fault, request_id: str) -> Response:
    """The format of Keystone, and of the token check in front of every other service: `{"error": {…}}`."""
    body = {"code": fault.status, "message": fault.message, "title": title(fault.status), **fault.extra}
    return reply({"error": body}, fault.status)
