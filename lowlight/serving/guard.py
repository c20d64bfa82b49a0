"""Requests that the servers refuse: those of other sites, too many at once, and bodies that are too large."""

import asyncio
import ipaddress
import json
import socket
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import SplitResult, urlsplit

from lowlight.files import printable, shortened

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
LINGERING = 5
"""Seconds for which the rest of a body that is too large is read, and thrown away, before the answer."""
STALLED = 60
"""Seconds without a byte after which a client counts as gone."""
SLOWEST = 2**15
"""Bytes per second in which a body of the largest size must arrive, beside the first :data:`STALLED` seconds;
a client that sends a byte now and then would else keep its place for ever."""
RETRY_AFTER = 10
"""Seconds after which a client that found all places taken should try again."""
_CLOSE = (b"connection", b"close")
_PORTS = {"http": 80, "https": 443}


class Guard:
    """ASGI middleware that refuses requests.

    The ``Host`` of a request must name this server, because a site may point its own name at a visitor's
    machine (DNS rebinding), and its ``Origin``, if given, must be the server itself. Bodies are counted as
    they arrive, whatever length they declare.

    An answer waits for the end of the request's body, since a client may send it whole before it reads. Of
    a body beyond the limit, as much again is waited for.

    Args:
        app: Application behind it.
        host: Address that the server listens on.
        allowed: Further names of the server, such as a proxy's.
        max_upload: Largest upload in bytes.
        uploaded: Called after each upload.
        path: End of the path that uploads are posted to.
        at_once: Greatest number of uploads at a time, from the first byte to the end of the answer.
        as_json: Whether refusals are JSON objects with the key ``detail``, not plain text.

    Attributes:
        uploads: Number of uploads now.
    """

    def __init__(
        self,
        app: App,
        host: str,
        allowed: Sequence[str],
        max_upload: int,
        uploaded: Callable[[], Awaitable[None]] | None = None,
        *,
        path: str = "/upload",
        at_once: int = UPLOADS_AT_ONCE,
        as_json: bool = False,
    ) -> None:
        self.app = app
        self.allowed = {name.lower() for name in allowed}
        self.names = {"localhost", host.lower(), *self.allowed}
        self.any_address = host in ("0.0.0.0", "::")
        if self.any_address:
            self.names |= {socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"}
        self.max_upload = max_upload
        self.uploaded = uploaded
        self.path = path
        self.at_once = at_once
        self.as_json = as_json
        self.uploads = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with a refusal."""
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        headers = [(name.lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        if foreign := self._foreign(headers):
            return await self._refuse(scope, send, 403, foreign)
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        is_upload = scope["method"] == "POST" and scope["path"].rstrip("/").endswith(self.path)
        limit = self.max_upload + ENVELOPE if is_upload else MAX_BODY
        too_large = (
            413,
            f"More than {(self.max_upload if is_upload else MAX_BODY) / 2**20:.3g} MB in one request.",
        )
        if any(name == b"content-length" and int(value) > limit for name, value in headers):
            if not any(name == b"expect" for name, _ in headers):  # such a client waits with its body
                await _discard(receive, 2 * limit)
            return await self._refuse(scope, send, *too_large)
        if not is_upload:
            return await self._limited(self.app, scope, receive, send, limit, too_large)
        if self.uploads >= self.at_once:
            return await self._limited(self._busy, scope, receive, send, limit, too_large)
        self.uploads += 1
        try:
            await self._limited(self.app, scope, receive, send, limit, too_large)
        finally:
            self.uploads -= 1
            if self.uploaded:
                await self.uploaded()

    async def _limited(
        self, app: App, scope: Message, receive: Receive, send: Send, limit: int, too_large: tuple[int, str]
    ) -> None:
        """Pass a request on; once its body is refused, the application sees a client that has left."""
        size, is_answered = 0, False
        refusal: tuple[int, str] | None = None
        names = {name.lower() for name, _ in scope["headers"]}
        is_read = not names & {b"content-length", b"transfer-encoding"}
        clock, longest = asyncio.get_running_loop().time, STALLED + limit / SLOWEST
        end = clock() + longest

        async def counted() -> Message:
            nonlocal size, is_read, refusal
            if refusal:
                return {"type": "http.disconnect"}
            try:
                async with asyncio.timeout_at(None if is_read else min(clock() + STALLED, end)):
                    message = await receive()
            except TimeoutError:
                is_late = clock() >= end
                slow = f"The whole did not arrive within {longest:.0f} seconds."
                refusal = 408, slow if is_late else f"Nothing arrived for {STALLED} seconds."
                return {"type": "http.disconnect"}
            size += len(message.get("body", b""))
            is_read = is_read or not message.get("more_body", False)
            if size > limit:
                refusal = too_large
            return {"type": "http.disconnect"} if refusal else message

        async def answer(message: Message) -> None:
            nonlocal is_answered
            while message["type"] == "http.response.start" and not is_read and not refusal:
                await counted()
            if not refusal or is_answered:
                is_answered = True
                async with asyncio.timeout(STALLED):
                    await send(message)

        try:
            await app(scope, counted, answer)
        except Exception:
            if not refusal:
                raise
        if refusal and not is_answered:
            await _discard(receive, 0 if is_read else limit)
            await self._refuse(scope, send, *refusal)

    async def _busy(self, scope: Message, receive: Receive, send: Send) -> None:  # noqa: ARG002
        await self._refuse(scope, send, 503, "Too many uploads at once; try again.")

    async def _refuse(self, scope: Message, send: Send, status: int, text: str) -> None:
        """Answer with a refusal and close the connection, as the server would read the rest of the body."""
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        kind = b"application/json" if self.as_json else b"text/plain; charset=utf-8"
        headers = [(b"content-type", kind), _CLOSE]
        headers += [(b"retry-after", str(RETRY_AFTER).encode())] if status == 503 else []
        body = json.dumps({"detail": text}) if self.as_json else f"{text}\n"
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body.encode()})

    def _foreign(self, headers: Sequence[tuple[bytes, str]]) -> str | None:
        """Return why a request is another site's: it names another host, or is from another's page."""
        hosts = [value for name, value in headers if name == b"host"]
        host = _parsed(f"//{hosts[0]}") if len(hosts) == 1 else None
        if host is None:
            return f"The request must name one host, the server's address, not {_told(', '.join(hosts))}."
        if not self._names_us(host.hostname or ""):
            name = _told(host.hostname or "")
            return f"{name} is no name of this server; if it is one, start it with --allow-host {name}."
        for value in (value for name, value in headers if name == b"origin"):
            if not self._is_own(value, host):
                return f"A page of {_told(value)} may not use this server; open the server's own page."
        return None

    def _is_own(self, value: str, host: SplitResult) -> bool:
        """Return whether an origin is the server itself, or an allowed name of it."""
        origin = _parsed(value)
        if origin is None or origin.scheme not in _PORTS:
            return False
        port = _PORTS[origin.scheme]
        same = (origin.hostname, origin.port or port) == (host.hostname, host.port or port)
        return same or origin.hostname in self.allowed

    def _names_us(self, name: str) -> bool:
        if name in self.names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.any_address or address.is_loopback


def _told(text: str) -> str:
    """Return a stranger's text for a message."""
    return shortened(printable(text), 100) or "none"


def _parsed(address: str) -> SplitResult | None:
    """Split an address of host and port only; None if it is anything else."""
    try:
        parts = urlsplit(address)
        is_plain = parts.hostname and not (parts.username or parts.path or parts.query or parts.fragment)
        return parts if is_plain and (parts.port is None or parts.port) else None
    except ValueError:
        return None


async def _discard(receive: Receive, most: int) -> None:
    """Read and throw away what a client still sends, up to ``most`` bytes."""
    try:
        async with asyncio.timeout(LINGERING):
            while most > 0:
                message = await receive()
                most = most - len(message.get("body", b"")) if message.get("more_body") else 0
    except TimeoutError:
        pass
