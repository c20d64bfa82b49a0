"""Requests that the web page's server refuses: those of other sites, and bodies that are too large."""

import ipaddress
import socket
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import SplitResult, urlsplit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

MAX_BODY = 2**20
"""Largest body of a request that uploads nothing, in bytes."""
ENVELOPE = 2**16
"""Bytes of an upload's body beyond its file."""
UPLOADS_AT_ONCE = 64
"""Greatest number of uploads received at a time."""
_CLOSE = (b"connection", b"close")
_PORTS = {"http": 80, "https": 443}


class Guard:
    """ASGI middleware that refuses requests.

    The ``Host`` of a request must name this server, because a site may point its own name at a visitor's
    machine (DNS rebinding), and its ``Origin``, if given, must be the page itself. Bodies are counted as they
    arrive, whatever length they declare.

    Args:
        app: Application behind it.
        host: Address that the server listens on.
        allowed: Further names of the server, such as a proxy's.
        max_upload: Largest upload in bytes.
        uploaded: Called after each upload.
    """

    def __init__(
        self,
        app: App,
        host: str,
        allowed: Sequence[str],
        max_upload: int,
        uploaded: Callable[[], Awaitable[None]],
    ) -> None:
        self.app = app
        self.allowed = {name.lower() for name in allowed}
        self.names = {"localhost", host.lower(), *self.allowed}
        self.any_address = host in ("0.0.0.0", "::")
        if self.any_address:
            self.names |= {socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"}
        self.max_upload = max_upload
        self.uploaded = uploaded
        self.uploads = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with a refusal."""
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        headers = [(name.lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        if not self._is_ours(headers):
            return await _refuse(scope, send, 403, "This page answers only requests to its own address.")
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        is_upload = scope["method"] == "POST" and scope["path"].rstrip("/").endswith("/upload")
        limit = self.max_upload + ENVELOPE if is_upload else MAX_BODY
        if any(name == b"content-length" and int(value) > limit for name, value in headers):
            return await _refuse(scope, send, 413, f"More than {limit / 2**20:.3g} MB at once.")
        if not is_upload:
            return await self._limited(scope, receive, send, limit)
        if self.uploads >= UPLOADS_AT_ONCE:
            return await _refuse(scope, send, 503, "Too many uploads at once; try again.")
        self.uploads += 1
        try:
            await self._limited(scope, receive, send, limit)
        finally:
            self.uploads -= 1
            await self.uploaded()

    async def _limited(self, scope: Message, receive: Receive, send: Send, limit: int) -> None:
        """Pass a request on; once its body exceeds the limit, the application sees a client that has left.

        An answer before the end of the body closes the connection, as the server would read the rest.
        """
        size, is_answered = 0, False
        names = {name.lower() for name, _ in scope["headers"]}
        is_read = not names & {b"content-length", b"transfer-encoding"}

        async def counted() -> Message:
            nonlocal size, is_read
            if size > limit:
                return {"type": "http.disconnect"}
            message = await receive()
            size += len(message.get("body", b""))
            is_read = is_read or not message.get("more_body", False)
            return message if size <= limit else {"type": "http.disconnect"}

        async def answer(message: Message) -> None:
            nonlocal is_answered
            if message["type"] == "http.response.start" and not is_read:
                message["headers"] = [*message.get("headers", []), _CLOSE]
            if size <= limit or is_answered:
                is_answered = True
                await send(message)

        try:
            await self.app(scope, counted, answer)
        except Exception:
            if size <= limit:
                raise
        if size > limit and not is_answered:
            await _refuse(scope, send, 413, f"More than {limit / 2**20:.3g} MB at once.")

    def _is_ours(self, headers: Sequence[tuple[bytes, str]]) -> bool:
        """Return whether a request names this server and comes from its page, or from no page."""
        hosts = [value for name, value in headers if name == b"host"]
        host = _parsed(f"//{hosts[0]}") if len(hosts) == 1 else None
        if host is None or not self._names_us(host.hostname or ""):
            return False
        for value in (value for name, value in headers if name == b"origin"):
            origin = _parsed(value)
            if origin is None or origin.scheme not in _PORTS:
                return False
            port = _PORTS[origin.scheme]
            same = (origin.hostname, origin.port or port) == (host.hostname, host.port or port)
            if not same and origin.hostname not in self.allowed:
                return False
        return True

    def _names_us(self, name: str) -> bool:
        if name in self.names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.any_address or address.is_loopback


def _parsed(address: str) -> SplitResult | None:
    """Split an address of host and port only; None if it is anything else."""
    try:
        parts = urlsplit(address)
        is_plain = parts.hostname and not (parts.username or parts.path or parts.query or parts.fragment)
        return parts if is_plain and (parts.port is None or parts.port) else None
    except ValueError:
        return None


async def _refuse(scope: Message, send: Send, status: int, text: str) -> None:
    if scope["type"] == "websocket":
        return await send({"type": "websocket.close", "code": 1008})
    headers = [(b"content-type", b"text/plain; charset=utf-8"), _CLOSE]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})
