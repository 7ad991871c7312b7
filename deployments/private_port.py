"""Keeps the ports on which a replica takes calls and HAProxy's requests off all addresses but its node's own."""

import socket
from types import SimpleNamespace
from typing import Any

import ray
from ray._common.tls_utils import add_port_to_grpc_server

from facegroup.errors import SetupError

_EVERYWHERE = "[::]:"


def close() -> None:
    """Let this replica listen at its node's address only. Call it in the constructor, before Serve opens the port.

    Serve opens it at all addresses, without a token, and has no setting for that; the others call the node's address.
    """
    from ray.serve._private import replica

    setattr(replica, "add_port_to_grpc_server", _at_node)  # noqa: B010


def close_http() -> None:
    """Let this process listen for HTTP at its node's address only. Call it before Serve opens the port.

    Serve opens it at the address that HAProxy listens at, on a cluster at all. HAProxy calls the node's address.
    """
    from ray.serve._private import http_util

    setattr(http_util, "socket", SimpleNamespace(**{**vars(socket), "socket": _NodeSocket}))  # noqa: B010


class _NodeSocket(socket.socket):
    def bind(self, address: Any) -> None:
        super().bind((_node(), address[1]))


def _at_node(server: Any, address: str) -> int:
    if _EVERYWHERE not in address:
        raise SetupError(f"Ray opens a port at {address}, which this version of facegroup does not know; use Ray 2.60")
    host = f"[{_node()}]" if ":" in _node() else _node()
    port: int = add_port_to_grpc_server(server, address.replace(_EVERYWHERE, f"{host}:", 1))  # type: ignore[no-untyped-call]
    return port


def _node() -> str:
    return str(ray.util.get_node_ip_address())  # type: ignore[no-untyped-call]
