"""Which network an address counts as. Pure.

IPv4                                      -> itself
IPv6                                      -> its /64: whoever has one address of it can use all (RFC 4291 section 2.5.4)
IPv4 in IPv6: mapped, or 64:ff9b::/96     -> the IPv4 address (RFC 4291 section 2.5.5.2, RFC 6052 section 2.1)
anything else                             -> one for all of it, so that inventing texts gains nothing
"""

from ipaddress import IPv6Address, IPv6Network, ip_address

_TRANSLATED = IPv6Network("64:ff9b::/96")


def network_of(host: str) -> bytes:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return b"?"
    if not isinstance(address, IPv6Address):
        return address.packed
    if address.ipv4_mapped is not None or address in _TRANSLATED:
        return address.packed[12:]
    return address.packed[:8]
