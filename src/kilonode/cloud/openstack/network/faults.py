"""Neutron's error format and the faults that several of its resources share.

`{"NeutronError": {"type": "NetworkNotFound", "message": …, "detail": ""}}`; clients decide by the type.
"""

from typing import Final

from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.response import Response, reply

_TYPES: Final = {
    400: "HTTPBadRequest",
    403: "PolicyNotAuthorized",
    404: "HTTPNotFound",
    405: "HTTPMethodNotAllowed",
    409: "HTTPConflict",
    413: "HTTPRequestEntityTooLarge",
    429: "HTTPTooManyRequests",
    500: "HTTPInternalServerError",
    501: "HTTPNotImplemented",
}
_NOT_FOUND: Final = {
    "Router": "could not be found",
    "Floating IP": "could not be found",
    "Security group": "does not exist",
    "Security group rule": "does not exist",
}
"""How the errors of some resources end; those of the others end alike."""


def network_fault_format(fault: Fault, request_id: str) -> Response:
    """Neutron's form of an error."""
    name = fault.type or _TYPES.get(fault.status, "HTTPError")
    return reply({"NeutronError": {"type": name, "message": fault.message, "detail": ""}}, fault.status)


def invalid(message: str) -> Fault:
    """400 for a request that makes no sense."""
    return Fault(400, message, type="InvalidInput")


def missing(type_noun: str, noun: str, key: str) -> Fault:
    """404 for a resource that is not there, or not for the caller."""
    return Fault(404, f"{noun} {key} {_NOT_FOUND.get(noun, 'could not be found.')}", type=f"{type_noun}NotFound")


def disallowed(rule: str) -> Fault:
    """403 for something that only administrators may ask."""
    action, _, attribute = rule.partition(":")
    words = f"(rule:{action} and rule:{rule})" if attribute else f"rule:{rule}"
    return Fault(403, f"{words} is disallowed by policy", type="PolicyNotAuthorized")


def addresses_exhausted(network_id: str) -> Fault:
    """409 when no subnet of a network has a free address."""
    return Fault(409, f"No more IP addresses available on network {network_id}.", type="IpAddressGenerationFailure")


def address_in_use(ip_address: str, subnet_id: str) -> Fault:
    """409 for an address that somebody has."""
    return Fault(
        409, f"IP address {ip_address} already allocated in subnet {subnet_id}", type="IpAddressAlreadyAllocated"
    )
