"""How the image service says what is wrong: as JSON to clients that accept it, else as a small page of HTML.

Glance leaves it to its framework, so the form follows the header `Accept`, and the words carry the page's line breaks.
"""

from typing import Final

from kilonode.cloud.openstack.web.faults import Fault, title
from kilonode.cloud.openstack.web.response import Response, reply

_HTML: Final = b"text/html; charset=UTF-8"
_NOT_VERIFIED: Final = (
    "This server could not verify that you are authorized to access the document you requested. Either you supplied "
    "the wrong credentials (e.g., bad password), or your browser does not understand how to supply the credentials "
    "required."
)


def image_fault_format(fault: Fault, request_id: str) -> Response:
    """A small page of HTML."""
    heading = f"{fault.status} {title(fault.status)}"
    page = (
        f"<html>\n <head>\n  <title>{heading}</title>\n </head>\n <body>\n  <h1>{heading}</h1>\n"
        f"  {_escaped(fault)}<br /><br />\n\n\n </body>\n</html>"
    )
    return Response(fault.status, page.encode(), content_type=_HTML)


def image_fault_as_json(fault: Fault, request_id: str) -> Response:
    """For clients that accept JSON."""
    heading = f"{fault.status} {title(fault.status)}"
    body = {"message": f"{_escaped(fault)}<br /><br />\n\n\n", "code": heading, "title": title(fault.status)}
    return reply(body, fault.status)


def image_refusal(fault: Fault, request_id: str) -> Response:
    """The answer to a token that does not hold."""
    return image_fault_as_json(Fault(401, _NOT_VERIFIED), request_id)


def _escaped(fault: Fault) -> str:
    return fault.message.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
