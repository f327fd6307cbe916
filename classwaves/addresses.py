"""Whose an address is, for limits: one house has a whole network of IPv6, and could show another address each time.

Imports nothing of the package.
"""

from __future__ import annotations

import functools
import ipaddress

#: What one customer of a provider has at the least (RFC 6177; a single network of RFC 4291).
PREFIX_BITS = 64


@functools.lru_cache(maxsize=4096)
def source(address: str) -> str:
    """The address as limits count it: IPv6 by its /64, IPv4 written as IPv6 as what it is, never with a port.

    What is no address, such as that of a unix socket, stays as it is, cut off at 64 characters.
    """
    text = address.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:  # some proxies write the port too, which differs with every connection
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, PREFIX_BITS), strict=False))
