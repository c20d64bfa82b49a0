"""The server's interface, without a network and with a stand-in for a model."""

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from torch import Tensor

from lowlight import __version__
from lowlight.decoding.formats import RAW_SUFFIXES
from lowlight.inference.settings import Settings
from lowlight.runtimes.enhancer import Enhancer
from lowlight.serving import pictures
from lowlight.serving.pictures import Answer, RefusedError
from tests.decoding.test_encodings import digital_negative

pytest.importorskip("fastapi")
from starlette.testclient import TestClient

from lowlight.serving.app import build
from lowlight.serving.service import Service

DARK = np.random.default_rng(0).integers(0, 40, (24, 32, 3), dtype=np.uint8)


def encoded(form: str = "PNG", pixels: np.ndarray = DARK, **options: Any) -> bytes:
    Image.fromarray(pixels).save(buffer := BytesIO(), form, **options)
    return buffer.getvalue()


def deep_tiff() -> bytes:
    tifffile.imwrite(buffer := BytesIO(), DARK.astype(np.uint16) * 257, photometric="rgb")
    return buffer.getvalue()


class Threefold(Enhancer):
    """A stand-in for a model, three times as bright."""

    stride, name, halo = 1, "threefold", 0
    at_work = most_at_work = 0

    def enhance(self, low: Tensor) -> Tensor:
        Threefold.at_work += 1
        Threefold.most_at_work = max(Threefold.at_work, Threefold.most_at_work)
        time.sleep(0.02)  # long enough that a second one at the same time is seen
        Threefold.at_work -= 1
        return (3 * low).clamp(0, 1)


def load(name: str) -> Enhancer:
    if name == "broken":
        raise ArithmeticError("odd\nweights")
    return Threefold()


def many_channels() -> bytes:
    values = np.zeros((32, 32, 64), np.uint8)
    tifffile.imwrite(buffer := BytesIO(), values, photometric="minisblack", planarconfig="contig")
    return buffer.getvalue()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """Return a function that starts a server for small pictures; nothing may be left of them."""
    (tmp_path / "temporary").mkdir()
    services = []

    def start(queued: int = 100) -> TestClient:
        models = {"threefold": None, "runs/broken": None, "broken": None}
        settings = Settings(max_pixels=5000)
        service = Service(models, load, "threefold", settings, tmp_path / "temporary")
        services.append(service)
        guarded = build(service, "127.0.0.1", [], 100_000, queued)
        return TestClient(guarded, base_url="http://localhost", follow_redirects=False)

    yield start
    for service in services:
        service.end()
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.fixture
def client(serve: Callable[..., TestClient]) -> TestClient:
    return serve()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
def test_the_answer_has_the_pictures_format(client: TestClient, form: str) -> None:
    picture = encoded(form)
    raw = client.post(
        "/enhance", content=picture, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    sent = client.post("/enhance", files={"image": ("any name.eps", picture)})
    assert raw.content == sent.content
    assert raw.headers["content-type"] == f"image/{form.lower()}"
    assert (raw.status_code, raw.headers["x-lowlight-status"]) == (200, "enhanced")
    assert raw.headers["x-lowlight-model"] == "threefold"
    image = Image.open(BytesIO(raw.content))
    assert (image.format, image.size) == (form, (32, 24))
    assert np.asarray(image).mean() > 2 * DARK.mean()


def test_depth_and_metadata_are_kept(client: TestClient) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "ACME", 6
    turned = client.post("/enhance", content=encoded("JPEG", exif=exif))
    image = Image.open(BytesIO(turned.content))
    assert image.size == (24, 32)
    assert image.getexif()[0x010F] == "ACME"
    deep = client.post("/enhance", content=deep_tiff())
    assert tifffile.imread(BytesIO(deep.content)).dtype == np.uint16


def test_a_raw_photograph_that_looks_like_tiff_becomes_png(client: TestClient, tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    answer = client.post("/enhance", content=digital_negative(tmp_path / "a.dng").read_bytes())
    assert answer.headers["content-type"] == "image/png"
    image = Image.open(BytesIO(answer.content))
    assert (image.format, image.size) == ("PNG", (64, 48))


def test_what_is_not_written_becomes_png_and_another_format_can_be_asked_for(client: TestClient) -> None:
    assert client.post("/enhance", content=encoded("GIF")).headers["content-type"] == "image/png"
    answer = client.post("/enhance?format=jpg", content=deep_tiff())
    assert Image.open(BytesIO(answer.content)).format == "JPEG"
    assert answer.headers["x-lowlight-notes"] == "JPEG holds 8 bits, not 16"


def test_what_is_not_dark_comes_back_as_it_was(client: TestClient) -> None:
    bright = encoded(pixels=255 - DARK)
    answer = client.post("/enhance", content=bright)
    assert answer.content == bright
    assert (answer.headers["x-lowlight-status"], answer.headers["x-lowlight-reason"]) == (
        "unchanged",
        "not_dark",
    )
    answer = client.post("/enhance?fail_safe=false", content=bright)
    assert answer.headers["x-lowlight-status"] == "enhanced"
    answer = client.post("/enhance?format=jpeg", content=bright)
    assert Image.open(BytesIO(answer.content)).format == "JPEG"


def test_strength_zero_changes_nothing(client: TestClient) -> None:
    answer = client.post("/enhance?strength=0", content=encoded())
    assert np.array_equal(np.asarray(Image.open(BytesIO(answer.content))), DARK)


@pytest.mark.parametrize(
    ("query", "body", "status", "told"),
    [
        ("", b"", 400, "empty, 0 bytes"),
        ("", encoded("JPEG")[:-300], 400, "broken ("),
        ("", b"a text\n" * 99, 415, "not an image, or of an unknown format"),
        ("", b"%!PS-Adobe-3.0 EPSF-3.0\n", 415, "not an image, or of an unknown format"),
        ("", encoded(pixels=np.zeros((71, 71, 3), np.uint8)), 413, "more than 0.005 megapixels"),
        ("", many_channels(), 413, "64 channels of 8 bits take more than 0.005 megapixels of RGBA"),
        ("", bytes(200_000), 413, "More than 0.0954 MB in one request."),
        ("?model=threfold", encoded(), 404, "no model 'threfold'; did you mean threefold?"),
        ("?model=xyzzy", encoded(), 404, "no model 'xyzzy'; see /models"),
        ("?strenght=1", encoded(), 400, "no parameter 'strenght'; did you mean strength?"),
        ("?xyzzy=1", encoded(), 400, "no parameter 'xyzzy'; there are model, strength, "),
        ("?strength=3", encoded(), 400, "strength='3': "),
        ("?strength=nan", encoded(), 400, "strength='nan': "),
        ("?fail_safe=maybe", encoded(), 400, "fail_safe='maybe': "),
        ("?format=gif", encoded(), 400, "format='gif' is none of png, jpg"),
        ("?model=broken", encoded(), 500, "broken failed: odd weights"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_refusal_is_one_line_of_json(
    client: TestClient, query: str, body: bytes, status: int, told: str
) -> None:
    answer = client.post(f"/enhance{query}", content=body)
    assert answer.status_code == status
    assert answer.json()["detail"].startswith(told)
    assert "\n" not in answer.json()["detail"]
    assert "received" not in answer.json()["detail"]


def test_a_wanted_format_that_cannot_hold_the_picture_is_the_clients_error(tmp_path: Path) -> None:
    source = tmp_path / "received"
    source.write_bytes(encoded(pixels=np.zeros((1, 16_384, 3), np.uint8)))
    with pytest.raises(RefusedError, match=r"^WEBP holds 16383 pixels per side") as refused:
        pictures.answer(source, "threefold", load, Settings(), "webp")
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"files": {"photo": encoded()}}, "unknown field 'photo'"),
        ({"files": {"image": encoded()}, "data": {"strength": "1"}}, "unknown field 'strength'"),
        ({"files": [("image", encoded()), ("image", encoded())]}, "Too many files"),
        ({"data": {"image": "a"}, "headers": {"Content-Type": "multipart/form-data"}}, "Missing boundary"),
    ],
)
def test_a_form_holds_one_picture(client: TestClient, form: dict[str, Any], told: str) -> None:
    answer = client.post("/enhance", **form)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(told)


def test_other_sites_are_refused(client: TestClient) -> None:
    refused = ({"Host": "evil.example"}, "evil.example is no name of this server")
    foreign = ({"Origin": "http://evil.example"}, "A page of http://evil.example may not use this server")
    for headers, told in (refused, foreign):
        for answer in (
            client.get("/models", headers=headers),
            client.post("/enhance", content=encoded(), headers=headers),
        ):
            assert answer.status_code == 403
            assert answer.json()["detail"].startswith(told)
    assert (
        client.post("/enhance", content=encoded(), headers={"Origin": "http://localhost"}).status_code == 200
    )


def test_a_full_queue_says_when_to_try_again(serve: Callable[..., TestClient]) -> None:
    client = serve(queued=0)
    full = client.post("/enhance", content=encoded())
    assert (full.status_code, full.headers["retry-after"]) == (503, "10")
    assert full.json()["detail"]
    assert client.get("/health").json()["queue_limit"] == 0


def test_one_picture_is_enhanced_at_a_time(client: TestClient) -> None:
    statuses, together = [], threading.Barrier(8)
    Threefold.most_at_work = 0

    def post() -> None:
        together.wait(60)
        statuses.append(client.post("/enhance", content=encoded()).status_code)

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 8
    assert Threefold.most_at_work == 1
    assert client.get("/health").json()["queue"] == 0


def test_the_server_tells_of_itself(client: TestClient) -> None:
    assert client.get("/health").json() == {
        "status": "ready",
        "version": __version__,
        "model": "threefold",
        "queue": 0,
        "queue_limit": 100,
    }
    offered = client.get("/models").json()
    assert offered["default"] == "threefold"
    assert [one["name"] for one in offered["models"]] == ["threefold", "runs/broken", "broken"]


def test_the_page_needs_no_other_host(client: TestClient) -> None:
    assert client.get("/").headers["location"] == "docs"
    page = client.get("/docs")
    assert re.findall(r"(?:https?:)?//\w[\w.]*\w", page.text) == []
    assert ",".join(["image/*", *sorted(RAW_SUFFIXES)]) in page.text
    assert 'body.append("image", picture)' in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    described = client.get("/openapi.json").json()["paths"]
    assert list(described) == ["/enhance", "/models", "/health"]
    assert set(described["/enhance"]["post"]["responses"]) >= {
        "200",
        "400",
        "404",
        "413",
        "415",
        "500",
        "503",
    }
    assert "422" not in described["/enhance"]["post"]["responses"]


class Client:
    """A client that has left, or not."""

    def __init__(self, has_left: bool) -> None:
        self.has_left = has_left

    async def is_disconnected(self) -> bool:
        return self.has_left


async def queue(service: Service, *clients: Client, work: Callable[[], Answer]) -> list[Any]:
    requests: Any = clients
    waiting = [asyncio.create_task(service.enhance(one, work)) for one in requests]
    await asyncio.sleep(0.05)
    service.end()
    return await asyncio.gather(*waiting, return_exceptions=True)


def test_who_has_left_is_passed_over_and_who_waits_at_the_end_is_told() -> None:
    service = Service({}, load, "", Settings(), Path())
    made = Answer(Path(), "image/png", None, ())
    done = threading.Event()

    def work() -> Answer:
        done.wait(0.2)
        return made

    clients = [Client(True), Client(False), Client(False)]
    gone, served, refused = asyncio.run(queue(service, *clients, work=work))
    assert (gone, served) == (None, made)
    assert isinstance(refused, RefusedError)
    assert (refused.status, service.is_busy) == (503, False)
    late: Any = Client(False)
    with pytest.raises(RefusedError, match="ending"):
        asyncio.run(service.enhance(late, work))
