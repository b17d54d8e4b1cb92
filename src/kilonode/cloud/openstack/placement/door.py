"""What every Placement handler has in common: media types, errors with codes, freshness headers, bodies that are read.

`handler(reads=True)` wraps a handler: it is called when the request's media types are Placement's, its faults get the
error codes of microversion 1.23, and its answers the headers of 1.15.
"""

import functools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final

import msgspec

from kilonode.cloud.openstack.placement.book import Book, Provider
from kilonode.cloud.openstack.placement.validation import Form, Refused
from kilonode.cloud.openstack.web.faults import Fault, title
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply

PREFIX: Final = "/placement"
CONCURRENT_UPDATE: Final = "placement.concurrent_update"
INVENTORY_IN_USE: Final = "placement.inventory.inuse"
DUPLICATE_NAME: Final = "placement.duplicate_name"
PROVIDER_IN_USE: Final = "placement.resource_provider.inuse"
PROVIDER_IS_PARENT: Final = "placement.resource_provider.cannot_delete_parent"
PROVIDER_NOT_FOUND: Final = "placement.resource_provider.not_found"
DUPLICATE_KEY: Final = "placement.query.duplicate_key"
BAD_VALUE: Final = "placement.query.bad_value"
MISSING_VALUE: Final = "placement.query.missing_value"
_ANY_CODE: Final = "placement.undefined_code"
_EXPLANATIONS: Final = {
    400: "The server could not comply with the request since it is either malformed or otherwise incorrect.",
    403: "Access was denied to this resource.",
    404: "The resource could not be found.",
    405: "The method is not allowed for this resource.",
    406: "The resource could not be generated that was acceptable to your browser.",
    409: "There was a conflict when trying to complete your request.",
    415: "The request media type is not supported by this server.",
}
_CODES_SINCE: Final = (1, 23)
_FRESHNESS_SINCE: Final = (1, 15)

Handler = Callable[[Request], Awaitable[Response]]


def handler(*, reads: bool = False) -> Callable[[Handler], Handler]:
    """Decorate a handler; `reads`: it has a body, which must be JSON."""

    def decorate(inner: Handler) -> Handler:
        @functools.wraps(inner)
        async def outer(request: Request) -> Response:
            try:
                _check_media_types(request, reads)
                response = await inner(request)
            except Fault as fault:
                if request.microversion >= _CODES_SINCE:
                    fault.type = fault.type or _ANY_CODE
                else:
                    fault.type = ""
                raise
            return response

        return outer

    return decorate


def fault_format(fault: Fault, request_id: str) -> Response:
    """Placement's errors: a list of one, its detail below a sentence that stands for the status."""
    explanation = _EXPLANATIONS.get(fault.status, "")
    detail = f"{explanation}\n\n {fault.message}  " if explanation not in ("", fault.message) else fault.message
    error: dict[str, Any] = {"status": fault.status, "title": title(fault.status), "detail": detail}
    if fault.type:
        error["code"] = fault.type
    return reply({"errors": [error | {"request_id": request_id} | fault.extra]}, fault.status)


def answer(
    request: Request,
    body: Any = None,
    status: int = 200,
    *,
    updated_us: int | None = None,
    location: str = "",
    items: int = 0,
    fresh: bool = True,
) -> Response:
    """An answer, with its freshness from 1.15 on. `updated_us`: when what it shows was changed last; None: now."""
    headers = [("location", f"{request.cloud.settings.public_url}{location}")] if location else []
    if fresh and request.microversion >= _FRESHNESS_SINCE:
        instant_us = request.cloud.now_us() if updated_us is None else updated_us
        moment = datetime.fromtimestamp(instant_us // 1_000_000, UTC)
        headers += [("last-modified", format_datetime(moment, usegmt=True)), ("cache-control", "no-cache")]
    if isinstance(body, bytes):
        return Response(status, body, headers, items=items)
    return reply(body, status, headers, items=items)


def read(request: Request, form: Form) -> Any:
    """The body, if it has the form. Raises Fault 400."""
    try:
        value = msgspec.json.decode(request.body)
    except msgspec.DecodeError as error:
        raise Fault(400, f"Malformed JSON: {error}") from error
    try:
        form(value)
    except Refused as refusal:
        raise Fault(400, f"JSON does not validate: {refusal}") from refusal
    return value


def check_query(request: Request, form: Form) -> None:
    """Refuse a query that has not the form. Raises Fault 400."""
    try:
        form(dict(request.query))
    except Refused as refusal:
        raise Fault(400, f"Invalid query string parameters: {refusal}") from refusal


def book(request: Request) -> Book:
    """All providers as they are now."""
    found = request.cloud.part(Book)
    found.refresh()
    return found


def provider_of(request: Request, missing: str = "No resource provider with uuid {0} found") -> Provider:
    """The provider that the path names. Raises Fault 404."""
    uuid = request.params["uuid"]
    provider = book(request).providers.get(uuid)
    if provider is None:
        raise Fault(404, missing.format(uuid))
    return provider


def check_generation(provider: Provider, generation: int, words: str) -> None:
    """Refuse a change by somebody who has not seen the last one. Raises Fault 409."""
    if generation != provider.generation:
        raise Fault(409, words, type=CONCURRENT_UPDATE)


def _check_media_types(request: Request, reads: bool) -> None:
    given = request.header("content-type")
    media_type = (given or "").partition(";")[0].strip().lower()
    if request.body and not media_type:
        raise Fault(400, "content-type header required when content-length > 0")
    if reads and media_type != "application/json":
        raise Fault(415, f"The media type {media_type or 'None'} is not supported, use application/json")
    if request.method == "GET" and not _accepts_json(request.header("accept") or ""):
        raise Fault(406, "Only application/json is provided")


def _accepts_json(accept: str) -> bool:
    if not accept:
        return True
    for part in accept.split(","):
        media_type, *parameters = (word.strip().lower() for word in part.split(";"))
        refused = any(one.replace(" ", "") in ("q=0", "q=0.0") for one in parameters)
        if media_type in ("application/json", "application/*", "*/*") and not refused:
            return True
    return False
