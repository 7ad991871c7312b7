"""Tells which IP addresses belong to the public internet, and which IPv4 address an IPv6 address stands for."""

import ipaddress
from typing import TypeAlias

IP: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_UNICAST = ipaddress.ip_network("2000::/3")  # all that IANA assigns of IPv6; the rest is for special use
_SPECIAL = tuple(  # IANA's special ranges that some supported Python takes for public
    map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001:db8::/32", "3fff::/20"))
)


def meant(ip: IP) -> IP:
    """Return the IPv4 address that an IPv6 address stands for (mapped, 6to4, Teredo, NAT64), or the address itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
    if inner is None and ip in _NAT64:
        inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return inner or ipaddress.IPv6Address(int(ip))  # without its scope


def is_public(ip: IP) -> bool:
    """Return whether an address, or the one that it stands for, belongs to the public internet."""
    ip = meant(ip)
    special = any(ip in network for network in _SPECIAL) or (ip.version == 6 and ip not in _UNICAST)
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or special)


def around(ip: IP) -> str:
    """Return the network to suggest for an address: its /24 or /64, or the address alone if it is a local one."""
    ip = meant(ip)
    alone = ip.is_loopback or ip.is_link_local or ip.is_multicast
    size = ip.max_prefixlen if alone else (24 if ip.version == 4 else 64)
    return str(ipaddress.ip_network((ip, size), strict=False))
