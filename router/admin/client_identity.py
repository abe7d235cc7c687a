"""Identifies the client at the other end of a connection to the operator's door."""

import asyncio
import pwd
import socket
import struct

from aiohttp import web

_CREDENTIALS = struct.Struct("3i")
NOBODY_KNOWN = "an unknown user"


async def asker(request: web.Request) -> str:
    """The local user of a unix socket (SO_PEERCRED), or the address that sent the credential."""
    transport = request.transport
    connection = None if transport is None else transport.get_extra_info("socket")
    if connection is None:
        return NOBODY_KNOWN
    if connection.family != socket.AF_UNIX:
        peer = request.remote or "an unknown address"
        return f"the admin credential, from {peer}"
    try:
        packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except OSError:
        return NOBODY_KNOWN
    _, uid, _ = _CREDENTIALS.unpack(packed)
    return await asyncio.to_thread(user, uid)  # Names may come from another host.


def user(uid: int) -> str:
    """``alice (uid 1000)``."""
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
