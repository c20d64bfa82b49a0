"""The page's server under requests that its page would not send."""

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from lowlight.demo.sliders import SLIDERS
from lowlight.demo.store import MOST_UPLOADS

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]


def png(seed: int, size: tuple[int, int] = (32, 24)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 40, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer := BytesIO(), "PNG")
    return buffer.getvalue()


class Client:
    """A client of the page's server that uses its interface without a browser."""

    def __init__(self, address: str, temporary: Path) -> None:
        self.http = httpx.Client(base_url=address, timeout=60)
        self.temporary = temporary
        functions = self.http.get("/config").json()["dependencies"]
        self.events = {target[1]: one["id"] for one in functions[::-1] for target in one["targets"]}

    def upload(self, content: bytes, name: str = "dusk.png") -> str:
        path = self.http.post("/gradio_api/upload", files={"files": (name, content)}).json()[0]
        assert isinstance(path, str)
        return path

    def enhance(self, path: str | list[str], methods: list[str], session: str) -> str:
        """Return the page's last message, without its tags; ``self.messages`` are all of them."""
        paths = [path] if isinstance(path, str) else path
        files = [{"path": one, "meta": {"_type": "gradio.FileData"}} for one in paths]
        values = [one.value for one in SLIDERS]
        job = {
            "data": [files, methods, True, *values],
            "fn_index": self.events["click"],
            "session_hash": session,
        }
        joined = self.http.post("/gradio_api/queue/join", json=job)
        assert joined.status_code == 200, joined.text
        told, self.messages = None, []
        with self.http.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as events:
            for line in events.iter_lines():
                event: dict[str, Any] = json.loads(line.removeprefix("data:")) if line else {}
                if event.get("msg") == "process_generating":
                    self.messages.append(json.dumps(event["output"]["data"][1]))
                if event.get("msg") == "process_completed":
                    told = event["output"]
                    break
        assert told is not None
        assert "data" in told, told
        return re.sub("<[^>]+>", "", told["data"][1])

    def kept(self) -> int:
        places = os.walk(self.temporary)  # which passes over folders that vanish
        return sum(len(files) for place, _, files in places if "lowlight-demo-" in Path(place).parent.name)


@pytest.fixture(scope="module")
def client(served: tuple[str, Path]) -> Client:
    address, temporary = served
    return Client(address.rstrip("/"), temporary)


def test_other_sites_are_refused(client: Client) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        assert client.http.get("/config", headers=headers).status_code == 403
        assert client.http.post("/gradio_api/queue/join", json={}, headers=headers).status_code == 403
    assert client.http.get("/config", headers={"Origin": str(client.http.base_url)}).status_code == 200


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=B"])
def test_endless_bodies_are_cut(client: Client, kind: str) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        if kind[0] == "m":
            yield b'--B\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        for _ in range(300):
            sent += 1
            yield bytes(2**20)

    path = "/gradio_api/upload" if kind[0] == "m" else "/gradio_api/queue/join"
    try:
        answer = client.http.post(path, content=chunks(), headers={"Content-Type": kind})
        assert answer.status_code == 413
    except (httpx.WriteError, httpx.ReadError):
        pass  # the server has closed the connection
    assert sent < 100
    assert client.http.get("/config").status_code == 200


def test_uploads_that_nobody_enhances_are_bounded(client: Client) -> None:
    for seed in range(MOST_UPLOADS + 20):
        client.upload(png(seed))
    deadline = time.time() + 5
    while client.kept() > MOST_UPLOADS and time.time() < deadline:
        time.sleep(0.1)
    assert client.kept() <= MOST_UPLOADS


def test_an_upload_goes_with_its_session(client: Client) -> None:
    path = Path(client.upload(png(2000)))
    held = {"data": [[{"path": str(path), "meta": {"_type": "gradio.FileData"}}]]}
    job = {**held, "fn_index": client.events["upload"], "session_hash": "short"}
    assert client.http.post("/gradio_api/run/predict", json=job).status_code == 200
    with client.http.stream("GET", "/gradio_api/heartbeat/short") as beats:
        next(beats.iter_lines())
        assert path.exists()
    deadline = time.time() + 10
    while path.exists() and time.time() < deadline:
        time.sleep(0.1)
    assert not path.exists()
    assert client.enhance(str(path), ["gamma"], "late") == "The photograph has been deleted; choose it again."


def test_each_method_is_used_once_and_their_number_is_limited(client: Client) -> None:
    path = client.upload(png(3000))
    began = time.time()
    assert client.enhance(path, ["gamma"] * 200, "many") == "Done."
    assert time.time() - began < 20
    seven = ["gamma", "clahe", "lime", "msrcr", "identity", "histogram", "bilateral"]
    assert client.enhance(path, seven, "many") == "Choose up to 6 methods."


def test_a_broken_checkpoint_is_the_pages_own_refusal(client: Client) -> None:
    told = client.enhance(client.upload(png(4000)), ["wrecked"], "curious")
    assert told == "wrecked failed: refused, its state_dict is a int, not a mapping."


def test_several_photographs_are_enhanced_in_turn_and_a_bad_one_spoils_none(client: Client) -> None:
    paths = [
        client.upload(content, name)
        for content, name in ((png(1), "a.png"), (b"no", "b.txt"), (png(2), "c.png"))
    ]
    told = client.enhance(paths, ["gamma"], "several")
    assert told == "b.txt cannot be enhanced: not an image, or of an unknown format."
    assert any("2 of 3" in message for message in client.messages)


def test_the_examples_are_enhanced_without_an_upload(client: Client) -> None:
    components = client.http.get("/config").json()["components"]
    shown = next(one["props"]["value"] for one in components if one["props"].get("elem_id") == "examples")
    assert client.enhance([one["image"]["path"] for one in shown], ["gamma"], "curious") == "Done."


def test_photographs_and_results_at_once_are_limited(client: Client) -> None:
    paths = [client.upload(png(6000 + seed)) for seed in range(11)]
    assert client.enhance(paths, ["gamma"], "greedy") == "Choose up to 10 photographs, not 11."
    methods = ["gamma", "clahe", "lime"]
    told = "10 photographs by 3 methods are 30 results; up to 24 are made at once: choose fewer."
    assert client.enhance(paths[:10], methods, "greedy") == told
    heavy = [client.upload(bytes([seed]) * 900_000, f"{seed}.png") for seed in range(5)]
    assert client.enhance(heavy, ["gamma"], "greedy") == "Choose photographs of up to 4 MB together."


def test_bodies_of_uploads_are_cut_at_the_limit_of_all_together(client: Client) -> None:
    def post(number: int) -> int:
        files = [("files", (f"{one}.png", bytes(1_000_000))) for one in range(number)]
        return client.http.post("/gradio_api/upload", files=files).status_code

    assert post(4) == 200
    assert post(5) == 413
    assert (
        client.http.post("/gradio_api/upload", files={"files": ("a.png", bytes(2**20 + 1))}).status_code
        == 413
    )


def test_fifty_at_once_wait_their_turn(client: Client) -> None:
    told: list[str] = []

    def one(number: int) -> None:
        told.append(client.enhance(client.upload(png(5000 + number, (8, 8))), ["identity"], f"crowd{number}"))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == ["Done."] * 50
