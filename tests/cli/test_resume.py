"""A training that was killed goes on with the same settings, and ends as if it never had been."""

import io
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.commands import python
from tests.tiny_runs import assert_same_training, checkpoint, manifest, overrides, run, run_in_two

pytestmark = pytest.mark.xdist_group("resume")

THREE = ["trainer.max_epochs=3", "resume=auto"]


@pytest.fixture(scope="module")
def straight(lol: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an autoencoder's run that was never stopped."""
    folder = tmp_path_factory.mktemp("straight") / "run"
    run("autoencoder", lol, folder, *THREE)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kill", "status"),
    [
        (("batch", "SIGKILL", "1"), -9),
        (("batch", "SIGTERM", "1"), 143),
        (("saved", "SIGKILL", "2"), -9),
        (("test", "SIGKILL", "2"), -9),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_a_killed_run_continues_to_the_same_end(
    kill: tuple[str, ...], status: int, lol: Path, straight: Path, tmp_path: Path
) -> None:
    command = overrides("autoencoder", lol, tmp_path / "run", *THREE)
    killed = python("-m", "tests.cli.killer", *kill, *command, folder=tmp_path)
    assert killed.returncode == status, killed.stderr
    assert not (tmp_path / "run" / "manifest.json").exists()
    run("autoencoder", lol, tmp_path / "run", *THREE)
    assert manifest(tmp_path / "run")["sittings"] == 2
    assert not list((tmp_path / "run").glob(".last.ckpt.*"))
    assert_same_training(straight, tmp_path / "run")


def cut(content: bytes) -> bytes:
    return content[:5000]


def flipped(content: bytes) -> bytes:
    """Flip a bit of the largest tensor; a flip in the padding between tensors would do no harm."""
    largest = max(zipfile.ZipFile(io.BytesIO(content)).infolist(), key=lambda member: member.file_size)
    name, extra = struct.unpack("<HH", content[largest.header_offset + 26 : largest.header_offset + 30])
    middle = largest.header_offset + 30 + name + extra + largest.file_size // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def ended_before_its_test(straight: Path, folder: Path) -> Path:
    """Return a copy of a run as a kill between its last epoch and its test would have left it."""
    copy = shutil.copytree(straight, folder / "run")
    for name in ("manifest.json", "metrics.json", "per_image.csv"):
        (copy / name).unlink()
    return copy


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [cut, flipped])
def test_a_spoilt_checkpoint_is_passed_over_for_the_one_before(
    spoil: Callable[[bytes], bytes],
    lol: Path,
    straight: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "lowlight")
    folder = ended_before_its_test(straight, tmp_path)
    (folder / "last.ckpt").write_bytes(spoil((folder / "last.ckpt").read_bytes()))
    run("autoencoder", lol, folder, *THREE)
    assert "skipped: " in caplog.text
    assert "from previous.ckpt" in caplog.text
    assert_same_training(straight, folder)


@pytest.mark.slow
def test_a_run_without_a_whole_checkpoint_is_not_begun_anew_unasked(
    lol: Path, straight: Path, tmp_path: Path
) -> None:
    folder = ended_before_its_test(straight, tmp_path)
    for name in ("last.ckpt", "previous.ckpt"):
        (folder / name).write_bytes(b"nothing")
    with pytest.raises(ValueError, match="run: no readable checkpoint; set resume=restart to begin again"):
        run("autoencoder", lol, folder, *THREE)


@pytest.mark.slow
@pytest.mark.parametrize("override", ["method.optimizer.lr=0", "data.val_fraction=0"])
def test_the_last_epoch_is_kept_whether_or_not_it_is_the_best(
    override: str, lol: Path, tmp_path: Path
) -> None:
    run_in_two("autoencoder", lol, tmp_path, override, "trainer.max_epochs=3")  # which looks at last.ckpt
    assert checkpoint(tmp_path)["epoch"] == 2
    assert manifest(tmp_path)["best_epoch"] == (3 if "val" in override else 1)
