"""Requests of other sites and bodies beyond the limit are refused before the page sees them."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from lowlight.serving import guard
from lowlight.serving.guard import ENVELOPE, MAX_BODY, Guard, Message, Receive, Send

MAX_UPLOAD = 50_000


class Server:
    """A guarded application that reads every body whole and notes its size."""

    def __init__(self, host: str = "127.0.0.1", allowed: Sequence[str] = ()) -> None:
        self.seen: list[int] = []
        self.sent: list[Message] = []
        self.left: list[bytes | None] = []
        self.swept = 0
        self.guard = Guard(self.application, host, allowed, MAX_UPLOAD, self.sweep)

    async def sweep(self) -> None:
        self.swept += 1

    async def application(self, scope: Message, receive: Receive, send: Send) -> None:
        size = 0
        while scope["type"] == "http":
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError
            if message["body"] == b"bad":
                return await send({"type": "http.response.start", "status": 400})
            size += len(message["body"])
            if not message["more_body"]:
                break
        self.seen.append(size)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def ask(
        self,
        *headers: tuple[str, str],
        path: str = "/gradio_api/queue/join",
        chunks: Sequence[bytes | None] = (b"",),
        kind: str = "http",
        pause: float = 0,
    ) -> int | str:
        """Return the status of the answer, or the type of the first message to a websocket.

        A chunk that is None never arrives; ``pause`` is the time in seconds before each chunk.
        """
        left = self.left = [*chunks]
        self.sent = []

        async def receive() -> Message:
            await asyncio.sleep(pause)
            if left[0] is None:
                await asyncio.sleep(9)
            return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

        async def send(message: Message) -> None:
            self.sent.append(message)

        raw = [(name.encode(), value.encode()) for name, value in headers]
        scope: dict[str, Any] = {"type": kind, "method": "POST", "path": path, "headers": raw}
        asyncio.run(self.guard(scope, receive, send))
        assert not left or self.sent[0].get("status") != 200
        return self.sent[0].get("status", self.sent[0]["type"])


LOCAL = ("host", "127.0.0.1:7860")


@pytest.mark.parametrize(
    "headers",
    [
        [LOCAL],
        [("host", "localhost:7860")],
        [("host", "[::1]:7860")],
        [LOCAL, ("origin", "http://127.0.0.1:7860")],
        [("Host", "LocalHost"), ("Origin", "http://localhost")],
        [("host", "localhost"), ("origin", "https://localhost")],
    ],
)
def test_the_page_itself_is_answered(headers: list[tuple[str, str]]) -> None:
    assert Server().ask(*headers) == 200


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("host", "evil.example:7860")],
        [("host", "127.0.0.1.evil.example")],
        [("host", "localhost.evil.example:7860")],
        [("host", "evil.example@127.0.0.1")],
        [("host", "192.0.2.7:7860")],
        [("host", "127.0.0.1:port")],
        [LOCAL, ("host", "evil.example")],
        [LOCAL, ("origin", "http://evil.example")],
        [LOCAL, ("origin", "http://127.0.0.1:8888")],
        [LOCAL, ("origin", "http://localhost:7860")],
        [LOCAL, ("origin", "null")],
        [LOCAL, ("origin", "")],
        [LOCAL, ("origin", "file://127.0.0.1:7860")],
        [("host", "evil.example"), ("origin", "http://evil.example")],
    ],
)
def test_other_sites_are_refused(headers: list[tuple[str, str]]) -> None:
    server = Server()
    assert server.ask(*headers) == 403
    assert server.ask(*headers, path="/gradio_api/upload") == 403
    assert server.ask(*headers, kind="websocket") == "websocket.close"
    assert server.seen == []


def test_a_server_for_all_is_reached_by_address_and_by_allowed_names() -> None:
    server = Server("0.0.0.0", ["Demo.Example"])
    assert server.ask(("host", "192.0.2.7:7860"), ("origin", "http://192.0.2.7:7860")) == 200
    assert server.ask(("host", "demo.example"), ("origin", "https://demo.example")) == 200
    assert server.ask(("host", "192.0.2.7:7860"), ("origin", "https://demo.example")) == 200  # a proxy's page
    assert server.ask(("host", "evil.example")) == 403
    assert server.ask(("host", "192.0.2.7:7860"), ("origin", "http://192.0.2.8:7860")) == 403
    assert Server("box.lan").ask(("host", "box.lan:7860")) == 200


@pytest.mark.parametrize(
    ("path", "limit"),
    [("/gradio_api/queue/join", MAX_BODY), ("/gradio_api/upload", MAX_UPLOAD + ENVELOPE)],
)
def test_bodies_are_cut_at_the_limit(path: str, limit: int) -> None:
    server = Server()
    halves = [bytes(limit // 2), bytes(limit - limit // 2)]
    assert server.ask(LOCAL, path=path, chunks=halves) == 200
    assert server.seen == [limit]
    assert server.ask(LOCAL, path=path, chunks=[*halves, b"x", b"never read"]) == 413
    assert server.ask(LOCAL, ("content-length", "12"), path=path, chunks=[*halves, b"x"]) == 413
    assert server.ask(LOCAL, ("content-length", str(limit + 1)), path=path, chunks=[b"never read"]) == 413
    assert server.seen == [limit]


def test_an_answer_waits_for_the_end_of_the_body() -> None:
    """A client that sends the whole body before it reads still finds the answer."""
    server, chunked = Server(), ("transfer-encoding", "chunked")
    assert server.ask(LOCAL, chunked, chunks=[b"bad", b"more", b"end"]) == 400
    assert server.left == []
    half = bytes(MAX_BODY // 2)
    assert server.ask(LOCAL, chunked, chunks=[b"bad", half, half, half, b"end"]) == 413
    assert server.left == []
    assert server.ask(LOCAL, ("content-length", str(2 * MAX_BODY)), chunks=[half] * 4) == 413
    assert server.left == []
    waiting = [("content-length", str(2 * MAX_BODY)), ("expect", "100-continue")]
    assert server.ask(LOCAL, *waiting, chunks=[half] * 4) == 413
    assert len(server.left) == 4


def test_a_stalled_client_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "STALLED", 0.01)
    monkeypatch.setattr(guard, "LINGERING", 0.01)
    server = Server()
    assert (
        server.ask(LOCAL, ("content-length", "9"), path="/gradio_api/upload", chunks=[b"1234", None]) == 408
    )
    assert server.guard.uploads == 0
    assert server.ask(LOCAL, ("content-length", str(2 * MAX_BODY)), chunks=[None, None]) == 413


@pytest.mark.slow
def test_a_client_that_sends_a_byte_now_and_then_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "STALLED", 0.5)
    monkeypatch.setattr(guard, "SLOWEST", 10**9)
    server, body = Server(), [b"1"] * 100
    path, length = "/gradio_api/upload", ("content-length", "100")
    assert server.ask(LOCAL, length, path=path, chunks=body, pause=0.02) == 408
    assert b"did not arrive within" in server.sent[1]["body"]
    assert server.guard.uploads == 0
    monkeypatch.setattr(guard, "SLOWEST", 1000)  # as much time as its largest size needs
    assert server.ask(LOCAL, length, path=path, chunks=body[:20], pause=0.02) == 200


def test_uploads_are_swept_up_after_and_bounded_in_number() -> None:
    server = Server()
    server.ask(LOCAL)
    assert server.swept == 0
    server.ask(LOCAL, path="/gradio_api/upload")
    server.ask(LOCAL, path="/gradio_api/upload", chunks=[bytes(MAX_UPLOAD + ENVELOPE + 1)])
    assert server.swept == 2
    assert server.guard.uploads == 0
    server.guard.at_once = 0
    assert (
        server.ask(LOCAL, ("content-length", "8"), path="/gradio_api/upload", chunks=[b"more", b"data"])
        == 503
    )
    assert server.left == []
    assert (b"retry-after", b"10") in server.sent[0]["headers"]
    assert server.ask(LOCAL) == 200


def test_refusals_can_be_json() -> None:
    server = Server()
    server.guard.as_json = True
    assert server.ask(("host", "evil.example")) == 403
    told = json.loads(server.sent[1]["body"])["detail"]
    assert told == (
        "evil.example is no name of this server; if it is one, start it with --allow-host evil.example."
    )


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ([("host", "box.lan:7860")], "box.lan is no name of this server; if it is one, start it with "),
        ([("host", "\x1b" + "a" * 999)], "\\x1b" + "a" * 96 + " ... is no name of this server; "),
        ([], "The request must name one host, the server's address, not none."),
        ([LOCAL, LOCAL], "The request must name one host, the server's address, not 127.0.0.1:7860, 127."),
        ([LOCAL, ("origin", "http://evil.example")], "A page of http://evil.example may not use this server"),
        ([LOCAL, ("origin", "null")], "A page of null may not use this server; open the server's own page."),
    ],
)
def test_a_refusal_names_the_host_or_the_page(headers: list[tuple[str, str]], told: str) -> None:
    server = Server()
    server.ask(*headers)
    assert server.sent[1]["body"].decode().startswith(told)
    assert server.sent[1]["body"].count(b"\n") == 1
