"""A training that was killed goes on with the same command, and ends as if it never had been."""

import io
import json
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.cli.commands import QUICK, lowlight, on, python
from tests.tiny import TINY

pytestmark = pytest.mark.xdist_group("resume")


def train(folder: Path, lol: Path, name: str, *overrides: str, kill: tuple[str, ...] = ()) -> Any:
    arguments = [f"method={name}", *TINY[name], *QUICK, "trainer.max_epochs=3", *on(lol), "resume=auto"]
    arguments += ["output_dir=run", *overrides]
    folder.mkdir(exist_ok=True)
    if kill:
        return python("-m", "tests.cli.killer", *kill, *arguments, folder=folder)
    return lowlight("train", *arguments, folder=folder)


def last(folder: Path) -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(folder / "run" / "last.ckpt", weights_only=True)
    return checkpoint


def assert_same_end(one: Path, two: Path) -> None:
    first, second = last(one), last(two)
    for key in ("state_dict", "optimizer_states", "lr_schedulers", "epoch", "current_model_state"):
        torch.testing.assert_close(first.get(key), second.get(key), rtol=0, atol=0)
    for file in ("metrics.csv", "metrics.json", "per_image.csv"):
        assert (one / "run" / file).read_text() == (two / "run" / file).read_text()


@pytest.fixture(scope="module")
def straight(lol: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an autoencoder's run that was never stopped."""
    folder = tmp_path_factory.mktemp("straight")
    done = train(folder, lol, "autoencoder")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kill", "status"),
    [
        (("batch", "SIGKILL", "1"), -9),
        (("batch", "SIGTERM", "1"), 143),
        (("writing", "SIGKILL", "1"), -9),
        (("renaming", "SIGKILL", "1"), -9),
        (("saved", "SIGKILL", "1"), -9),
        (("saved", "SIGKILL", "2"), -9),
        (("test", "SIGKILL", "2"), -9),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_a_killed_run_continues_to_the_same_end(
    kill: tuple[str, ...], status: int, lol: Path, straight: Path, tmp_path: Path
) -> None:
    assert train(tmp_path, lol, "autoencoder", kill=kill).returncode == status
    assert not (tmp_path / "run" / "manifest.json").exists()
    done = train(tmp_path, lol, "autoencoder", "data.num_workers=1")  # for workers change nothing
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["sittings"] == 2
    assert not list((tmp_path / "run").glob(".last.ckpt.*"))
    assert_same_end(straight, tmp_path)


@pytest.mark.slow
def test_a_killed_gan_continues_to_the_same_end(lol: Path, tmp_path: Path) -> None:
    assert train(tmp_path / "straight", lol, "gan").returncode == 0
    assert train(tmp_path / "killed", lol, "gan", kill=("batch", "SIGKILL", "1")).returncode == -9
    assert train(tmp_path / "killed", lol, "gan").returncode == 0
    assert_same_end(tmp_path / "straight", tmp_path / "killed")


def cut(content: bytes) -> bytes:
    return content[:5000]


def flipped(content: bytes) -> bytes:
    """Flip a bit of the largest tensor; a flip in the padding between tensors would do no harm."""
    largest = max(zipfile.ZipFile(io.BytesIO(content)).infolist(), key=lambda member: member.file_size)
    name, extra = struct.unpack("<HH", content[largest.header_offset + 26 : largest.header_offset + 30])
    middle = largest.header_offset + 30 + name + extra + largest.file_size // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [cut, flipped])
def test_a_spoilt_checkpoint_is_passed_over_for_the_one_before(
    spoil: Callable[[bytes], bytes], lol: Path, straight: Path, tmp_path: Path
) -> None:
    assert train(tmp_path, lol, "autoencoder", kill=("batch", "SIGKILL", "2")).returncode == -9
    spoilt = tmp_path / "run" / "last.ckpt"
    spoilt.write_bytes(spoil(spoilt.read_bytes()))
    done = train(tmp_path, lol, "autoencoder")
    assert done.returncode == 0, done.stderr
    assert "skipped: " in done.stdout
    assert "from previous.ckpt" in done.stdout
    assert_same_end(straight, tmp_path)


@pytest.mark.slow
def test_a_run_without_a_whole_checkpoint_is_not_begun_anew_unasked(
    lol: Path, straight: Path, tmp_path: Path
) -> None:
    shutil.copytree(straight / "run", tmp_path / "run")
    (tmp_path / "run" / "manifest.json").unlink()
    for name in ("last.ckpt", "previous.ckpt"):
        (tmp_path / "run" / name).write_bytes(b"nothing")
    done = train(tmp_path, lol, "autoencoder")
    assert done.returncode == 1
    assert "run: no readable checkpoint; set resume=restart to begin again" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("override", ["method.optimizer.lr=0", "data.val_fraction=0"])
def test_the_last_epoch_is_kept_whether_or_not_it_is_the_best(
    override: str, lol: Path, tmp_path: Path
) -> None:
    assert train(tmp_path, lol, "autoencoder", override, kill=("batch", "SIGKILL", "2")).returncode == -9
    assert last(tmp_path)["epoch"] == 1
    assert train(tmp_path, lol, "autoencoder", override).returncode == 0
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["best_epoch"] == (3 if "val" in override else 1)
