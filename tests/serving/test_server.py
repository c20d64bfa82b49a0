"""The server as a process: what it says before it starts, many clients at once, and its end."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import lowlight
from lowlight.cli.serve import app
from lowlight.serving.server import listen
from tests.chromium import Page
from tests.tiny import tiny

pytestmark = pytest.mark.xdist_group("server")
ROOT = Path(__file__).parents[2]
MAX_MEMORY = 1200 * 10**6
"""Most resident memory of the server under 50 clients, in bytes; measured: 600 MB."""


def picture(seed: int = 0, size: tuple[int, int] = (160, 120)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 40, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer := BytesIO(), "PNG")
    return buffer.getvalue()


def test_an_address_in_use_is_told() -> None:
    pytest.importorskip("uvicorn")
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ValueError, match=rf"cannot listen on 127\.0\.0\.1, port {port}; give another"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("name", ["fastapi", "python_multipart", "uvicorn"])
def test_a_missing_package_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("uvicorn")
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=rf"the server needs {name}: pip install 'lowlight\[serve\]'"):
        listen("127.0.0.1", 0)


def test_an_address_in_use_is_told_before_torch_is_imported(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was imported')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from lowlight.cli.serve import main; main()"
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        command = [sys.executable, "-c", code, "--port", str(port)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert (
        done.stderr
        == f"lowlight serve: cannot listen on 127.0.0.1, port {port}; give another --port or --host\n"
    )


class Server:
    """A running server."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.temporary = folder, folder / "temporary"
        self.temporary.mkdir()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lowlight.cli.serve", "--port", "0", *options],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(self.temporary), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"on http://127\.0\.0\.1:(\d+), described", line)
        assert found, line
        self.port = int(found[1])

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Send a picture whole, then read the answer, as simple clients do."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        connection.request("POST", path, body, {"Content-Type": "image/png"})
        answer = connection.getresponse()
        return answer.status, answer.read()

    def queue(self) -> int:
        """Return the number of pictures in the server."""
        with urlopen(f"http://127.0.0.1:{self.port}/health") as answer:
            return int(json.load(answer)["queue"])

    def peak(self) -> int:
        """Return the most resident memory so far in bytes; 0 on systems other than Linux."""
        status = Path(f"/proc/{self.process.pid}/status")
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
        return 1024 * int(found[1]) if found else 0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for tests that leave it running, with a run; in the end nothing is left of what was sent."""
    folder = tmp_path_factory.mktemp("server")
    method = tiny("autoencoder")
    (folder / "runs" / "mine").mkdir(parents=True)
    trained = {"state_dict": method.state_dict(), "recipe": method.recipe}
    torch.save(trained, folder / "runs" / "mine" / "best.ckpt")
    running = Server(folder, "--runs", "runs")
    try:
        yield running
        running.process.terminate()
        assert running.process.wait(30) == 0
    finally:
        running.process.kill()
        running.process.wait()
    assert list(running.temporary.iterdir()) == []
    assert running.process.stderr is not None
    assert "Traceback" not in running.process.stderr.read()


@pytest.fixture
def ending(tmp_path: Path) -> Iterator[Server]:
    """A server for a test that ends it."""
    running = Server(tmp_path)
    yield running
    running.process.kill()
    running.process.wait()


@pytest.mark.slow
def test_a_crowd_loses_nothing(server: Server) -> None:
    told: list[tuple[int, bytes]] = []

    def crowd(number: int, path: str) -> Counter[int]:
        told.clear()
        bodies = [picture(seed) for seed in range(number)]
        threads = [
            threading.Thread(target=lambda body=body: told.append(server.post(path, body))) for body in bodies
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(body[1:4] == b"PNG" for status, body in told if status == 200)
        assert all(body.startswith(b'{"detail": ') for status, body in told if status != 200)
        return Counter(status for status, _ in told)

    leaving = []
    for whole in (False, True) * 10:
        body = picture()
        leaving.append(socket.create_connection(("127.0.0.1", server.port)))
        head = f"POST /enhance HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        leaving[-1].sendall(head.encode() + (body if whole else body[:100]))
    for one in leaving:
        one.close()
    assert crowd(50, "/enhance") == {200: 50}
    many = crowd(160, "/enhance?model=msrcr")
    assert many.keys() <= {200, 503}
    assert sum(many.values()) == 160
    assert many[200] >= 100
    assert server.post("/enhance", bytes(25 * 2**20))[0] == 413
    assert server.peak() < MAX_MEMORY


@pytest.mark.slow
def test_a_run_is_offered_beside_what_comes_along(server: Server) -> None:
    with urlopen(f"http://127.0.0.1:{server.port}/models") as answer:
        offered = [one["name"] for one in json.load(answer)["models"]]
    assert {"mine", "coarse_to_fine", "lime"} <= set(offered)
    status, body = server.post("/enhance?model=mine&fail_safe=false", picture())
    assert status == 200, body
    sent, answered = (np.asarray(Image.open(BytesIO(data))) for data in (picture(), body))
    wanted = lowlight.enhance(sent, str(server.folder / "runs" / "mine"), fail_safe=False)
    assert abs(answered.astype(int) - wanted).max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_the_end_waits_for_no_long_pass(ending: Server, sign: signal.Signals) -> None:
    told: list[int] = []
    Image.new("RGB", (4000, 3000), (9, 8, 7)).save(large := BytesIO(), "PNG")
    threads = [
        threading.Thread(target=lambda body=body: told.append(ending.post("/enhance", body)[0]))
        for body in (large.getvalue(), *map(picture, range(4)))
    ]
    for thread in threads:
        thread.start()
        while ending.queue() == 0:
            time.sleep(0.01)
    while ending.queue() < 5:
        time.sleep(0.01)
    ending.process.send_signal(sign)
    assert ending.process.wait(20) == 0
    for thread in threads:
        thread.join()
    assert len(told) == 5
    assert told.count(503) >= 4  # the first one ends in time on a fast machine
    assert set(told) <= {200, 503}
    assert list(ending.temporary.iterdir()) == []


@pytest.mark.browser
def test_the_page_describes_and_tries_the_interface(server: Server, tmp_path: Path) -> None:
    for name in ("dark.png", "dark.gif"):
        (tmp_path / name).write_bytes(picture())
    address = f"http://127.0.0.1:{server.port}/"

    def assert_that_it_fits(page: Page) -> None:
        for width in (390, 1280):
            page.resize(width, 900)
            assert page.run("document.documentElement.scrollWidth") <= width

    with Page(address, tmp_path) as page:
        page.wait("document.querySelectorAll('option').length > 3")
        shown = page.run("document.body.innerText")
        for word in ("/enhance", "fail_safe", "X-Lowlight-Reason", "503", "queue_limit", "curl"):
            assert word in shown
        assert_that_it_fits(page)
        page.upload("input[type=file]", tmp_path / "dark.png")
        page.run("document.querySelector('form button').click()")
        page.wait("[...document.images].filter((one) => one.complete && one.naturalWidth == 160).length == 2")
        assert_that_it_fits(page)
        assert page.run("document.querySelector('figcaption').innerText").startswith("enhanced")
        assert page.run("document.querySelector('figcaption a').download") == "dark.png"
        page.run(
            "window.sent = []; window.real = fetch; window.fetch = (address, options) => {"
            "sent.push(options.body.get('image').name); return real(address, options); }; 0"
        )
        page.upload("input[type=file]", tmp_path / "dark.gif")  # by its name
        page.run("document.querySelector('form button').click()")
        page.wait("document.querySelector('figcaption a') !== null")
        assert page.run("document.querySelector('figcaption a').download") == "dark.png"
        assert page.run("sent") == ["dark.gif"]
        asked = {url for url in page.asked if not url.startswith((address, f"blob:{address}", "data:"))}
        assert asked == set()


def test_the_command_refuses_photographs_to_calibrate_on_without_integers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lowlight.serving.server.listen", lambda *_: pytest.fail("it listens"))
    result = CliRunner().invoke(app, ["--port", "0", "--calibrate", "dark"])
    told = "--calibrate is for 8-bit integers: give --precision int8, too"
    assert (result.exit_code, result.stderr) == (1, f"lowlight serve: {told}\n")
