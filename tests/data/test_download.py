"""Fetching and unpacking LOL, from a server and archives that misbehave in every way."""

import hashlib
import io
import stat
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lowlight.cli.data import app
from lowlight.data import download
from lowlight.data.download import download_lol

CONTENT = {
    f"{split}/{role}/{stem}.png": f"{split} {role} {stem} ".encode() * 500
    for split in ("our485", "eval15")
    for role in ("low", "high")
    for stem in (1, 2)
}
PUBLISHED = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}


def archive_of(content: dict[str, bytes], prefix: str = "LOLdataset/") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in content.items():
            archive.writestr(prefix + name, data)
    return file.getvalue()


ARCHIVE = archive_of(CONTENT)


class Handler(BaseHTTPRequestHandler):
    """Serve the archive well or, by the path, badly; the first request of a path may differ from the next."""

    requests: list[str]

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.requests.append(self.path)
        first = self.requests.count(self.path) == 1
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        body = ARCHIVE
        if self.path == "/missing":
            self.send_error(404)
            return
        if self.path == "/busy" and first:
            self.send_error(503)
            return
        if self.path == "/page":
            body = b"<html>Too many users have viewed or downloaded this file</html>"
        if self.path == "/wrong":
            body = archive_of(CONTENT | {"our485/low/2.png": b"other"})
        if self.path == "/noranges":
            start = 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        if self.path in ("/cut", "/noranges") and first:
            self.wfile.write(body[: len(body) // 2])
        elif self.path == "/stalls" or (self.path == "/stall" and first):
            self.wfile.write(body[start : start + 100])
            self.wfile.flush()
            time.sleep(1.0)
        else:
            self.wfile.write(body[start:])

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    handler = type("Own", (Handler,), {"requests": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "WAIT", 0.0)


def get(root: Path, url: str = "", **arguments: object) -> Path:
    given = {"url": url, "published": PUBLISHED, "timeout": 0.3} | arguments
    return download_lol(root, **given)  # type: ignore[arg-type]


def assert_whole(root: Path) -> None:
    files = {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }
    assert files == CONTENT


@pytest.mark.parametrize("path", ["/good", "/cut", "/noranges", "/stall", "/busy"])
def test_a_download_ends_whole_though_the_server_falters(server: str, tmp_path: Path, path: str) -> None:
    seen: list[tuple[int, int | None]] = []
    get(tmp_path / "LOL", server + path, progress=lambda done, total: seen.append((done, total)))
    assert_whole(tmp_path / "LOL")
    assert seen[-1] == (len(ARCHIVE), len(ARCHIVE))


def test_a_next_call_goes_on_where_a_stall_ended_the_last(server: str, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"/stalls: no data arrived in time; .* or fetch LOLdataset\.zip by hand"
    ):
        get(tmp_path, server + "/stalls")
    partial = tmp_path / ".lol.zip.partial"
    assert list(tmp_path.iterdir()) == [partial]
    there = partial.stat().st_size
    assert 0 < there < len(ARCHIVE)
    seen: list[int] = []
    get(tmp_path, server + "/good", progress=lambda done, total: seen.append(done))
    assert seen[0] > there
    assert_whole(tmp_path)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/missing", r"404 Not Found; .*--archive FILE"),
        ("/page", "no zip archive"),
        ("/wrong", r"is not LOL as published: our485/low/2\.png has other bytes\. Choose"),
    ],
)
def test_what_is_not_lol_is_refused_and_nothing_is_left(
    server: str, tmp_path: Path, path: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        get(tmp_path, server + path)
    assert list(tmp_path.iterdir()) == []


def test_nobody_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"fetch LOLdataset\.zip by hand"):
        get(tmp_path, "http://127.0.0.1:9/lol.zip")


def test_a_server_that_offers_too_much_is_refused(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MOST_BYTES", 100)
    with pytest.raises(ValueError, match="far more than LOL"):
        get(tmp_path, server + "/good")


def unpack(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / "lol.zip").write_bytes(content)
    return get(tmp_path / "LOL", archive=tmp_path / "lol.zip")


@pytest.mark.parametrize("prefix", ["", "LOLdataset/", "a/b/"])
def test_an_archive_by_hand_is_found_in_any_folder_and_kept(tmp_path: Path, prefix: str) -> None:
    unpack(tmp_path, archive_of(CONTENT | {"__MACOSX/our485/low/1.png": b"x", "read.me": b"x"}, prefix))
    assert_whole(tmp_path / "LOL")
    assert (tmp_path / "lol.zip").exists()


def test_backslashes_of_windows_are_folders(tmp_path: Path) -> None:
    unpack(tmp_path, archive_of({name.replace("/", "\\"): data for name, data in CONTENT.items()}, ""))
    assert_whole(tmp_path / "LOL")


def evil(name: str, data: bytes = b"x", **attributes: int) -> bytes:
    """Return the archive with one member more."""
    file = io.BytesIO(ARCHIVE)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        member = zipfile.ZipInfo(name)
        for key, value in attributes.items():
            setattr(member, key, value)
        archive.writestr(member, data)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (evil("../evil.png"), r"'\.\./evil\.png' leaves the folder"),
        (evil("/evil.png"), "leaves the folder"),
        (evil("a/..\\..\\evil.png"), "leaves the folder"),
        (evil("C:/evil.png"), "leaves the folder"),
        (evil("link", b"/etc", external_attr=(stat.S_IFLNK | 0o777) << 16), "is a link or a device"),
        (evil("pipe", b"", external_attr=(stat.S_IFIFO | 0o777) << 16), "is a link or a device"),
        (evil("again/our485/low/1.png"), "holds our485/low/1.png twice"),
        (b"no archive", "no zip archive"),
        (ARCHIVE[: len(ARCHIVE) // 2], "no zip archive"),
        (archive_of(dict(list(CONTENT.items())[:-3])), r"eval15/low/2\.png is missing; .* is missing"),
        (archive_of({}), "is missing; .*; and 3 more"),
    ],
)
def test_an_archive_of_no_use_is_refused_and_nothing_is_left(
    tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        unpack(tmp_path, content)
    assert list((tmp_path / "LOL").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"LOL", "lol.zip"}


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    content = bytearray(ARCHIVE)
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(ValueError, match="is encrypted"):
        unpack(tmp_path, bytes(content))


def test_bombs_are_refused_by_their_list_and_while_they_unpack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(download, "MOST_BYTES", 100_000)
        with pytest.raises(ValueError, match="far more bytes"):
            unpack(tmp_path, evil("zeros", bytes(200_000)))
        patch.setattr(download, "_check_members", lambda archive, members: None)  # a list that lies
        patch.setattr(download, "MOST_BYTES", 10_000)
        with pytest.raises(ValueError, match="unpacks to more bytes than stated"):
            unpack(tmp_path, ARCHIVE)
    monkeypatch.setattr(download, "MOST_MEMBERS", 5)
    with pytest.raises(ValueError, match="8 members, at most 5"):
        unpack(tmp_path, ARCHIVE)
    assert list((tmp_path / "LOL").iterdir()) == []


def test_a_whole_copy_is_left_alone_and_another_is_refused(tmp_path: Path) -> None:
    root = unpack(tmp_path, ARCHIVE)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    get(root, "http://127.0.0.1:9/not-asked")
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    (root / "our485/low/2.png").write_bytes(b"mine")
    with pytest.raises(ValueError, match="holds eval15 and our485, which is not the whole of LOL"):
        get(root, archive=tmp_path / "lol.zip")
    assert (root / "our485/low/2.png").read_bytes() == b"mine"


def test_a_missing_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere\.zip: no such file"):
        get(tmp_path / "new", archive="nowhere.zip")
    assert not (tmp_path / "new").exists()


def test_the_command_shows_the_licence_and_tells_errors_in_one_line(server: str, tmp_path: Path) -> None:
    arguments = ["download", "lol", "--root", str(tmp_path), "--url", f"{server}/missing"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert "research-only" in done.stdout
    assert done.stderr.count("\n") == 1
    assert CliRunner().invoke(app, ["download", "sid", "--root", str(tmp_path)]).exit_code == 1
