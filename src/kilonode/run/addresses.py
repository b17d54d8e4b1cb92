"""Addresses for the networks of a run: as many IPv4 subnets as are asked for, no two of which overlap.

All come out of 10.0.0.0/8. The fewer there are, the bigger each is, from 65,534 addresses down to 254, so that a few
networks can hold many servers.
"""

import math
from ipaddress import IPv4Network
from typing import Final

from kilonode.base.errors import InputError

SPACE: Final = IPv4Network("10.0.0.0/8")
_LONGEST_PREFIX: Final = 24
_SHORTEST_PREFIX: Final = 16
MOST_SUBNETS: Final = 2 ** (_LONGEST_PREFIX - SPACE.prefixlen)


def prefix_length(subnets: int) -> int:
    """How long the prefix of each of that many subnets is. Raises InputError when there are too many."""
    if subnets > MOST_SUBNETS:
        raise InputError("too many subnets", expected=f"at most {MOST_SUBNETS} in all", got=str(subnets))
    return max(_SHORTEST_PREFIX, SPACE.prefixlen + math.ceil(math.log2(max(1, subnets))))


def subnet_range(number: int, subnets: int) -> IPv4Network:
    """The address range of the subnet `number`, counted from 0, of `subnets` in all."""
    length = prefix_length(subnets)
    return IPv4Network((int(SPACE.network_address) + (number << (32 - length)), length))
