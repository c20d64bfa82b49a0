"""Several photographs at once: one bad one spoils none, and an archive carries them all under their names."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from lowlight.demo import batch as module
from lowlight.demo import uploads
from lowlight.demo.batch import Batch, adjust_batch, enhance_batch
from lowlight.demo.examples import EXAMPLES, write_examples
from lowlight.images import read_rgb
from lowlight.inference.settings import Settings
from lowlight.serving.models import loader
from tests.demo.test_uploads import CLASSICAL, dark


def made_of(folder: Path, sources: list[Path], names: list[str]) -> list[Batch]:
    place = folder / "results"
    place.mkdir()
    return [*enhance_batch(sources, names, loader({**CLASSICAL, "a/b": None}), Settings(), place)]


def upload(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    return dark(folder / name)


def test_photographs_are_done_in_turn_and_a_bad_one_is_a_remark(tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"none")
    gone = tmp_path / "gone.png"
    *steps, last = made_of(
        tmp_path, [dark(tmp_path / "a.png"), bad, gone, dark(tmp_path / "b.png")], ["gamma"]
    )
    names = ("a.png", "bad.png", "gone.png", "b.png")
    assert [one.doing for one in steps] == [
        f"Photograph {number} of 4: {name}" for number, name in enumerate(names, 1)
    ]
    assert last.doing is None
    assert list(last.results) == ["a.png", "b.png"]
    assert last.remarks[0] == "bad.png cannot be enhanced: not an image, or of an unknown format."
    assert last.remarks[1].startswith("gone.png cannot be enhanced: ")
    assert str(tmp_path) not in "".join(last.remarks)


def test_remarks_on_one_of_several_name_it(tmp_path: Path) -> None:
    sources = [dark(tmp_path / "a.png"), dark(tmp_path / "b.png")]
    last = made_of(tmp_path, sources, ["gamma", "unknown"])[-1]
    assert last.remarks == ("a.png: unknown failed: 'unknown'.", "b.png: unknown failed: 'unknown'.")


def test_the_archive_keeps_names_and_bytes(tmp_path: Path) -> None:
    sources = [
        upload(tmp_path / "1", "dusk.png"),
        upload(tmp_path / "2", "Dusk.PNG"),
        dark(tmp_path / "été.jpg"),
    ]
    last = made_of(tmp_path, sources, ["gamma"])[-1]
    assert list(last.results) == ["dusk.png", "Dusk (2).PNG", "été.jpg"]
    assert last.archive is not None
    with zipfile.ZipFile(last.archive) as archive:
        assert archive.namelist() == ["dusk.png", "Dusk (2).png", "été.jpg"]
        assert {one.compress_type for one in archive.infolist()} == {zipfile.ZIP_STORED}
        download = last.results["dusk.png"].results[0].download
        assert download is not None
        assert archive.read("dusk.png") == download.read_bytes()


def test_several_methods_are_folders_of_the_archive(tmp_path: Path) -> None:
    last = made_of(tmp_path, [dark(tmp_path / "dusk.png")], ["gamma", "lime"])[-1]
    assert last.archive is not None
    assert zipfile.ZipFile(last.archive).namelist() == ["gamma/dusk.png", "lime/dusk.png"]


@pytest.mark.slow
def test_nothing_in_the_archive_leads_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    sources = [dark(tmp_path / r"..\evil.png"), dark(tmp_path / "C:b.png")]
    gamma = loader({"gamma": None})("gamma")
    steps = enhance_batch(sources, ["../run", "..", "/"], lambda _: gamma, Settings(), tmp_path / "results")
    archive = [*steps][-1].archive
    assert archive is not None
    names = zipfile.ZipFile(archive).namelist()
    assert len(set(names)) == 6
    for name in names:
        folder, file = name.split("/")
        assert not folder.startswith(".")
        assert not file.startswith(".")
        assert not set(name) & set("\\:")


def test_one_result_needs_no_archive(tmp_path: Path) -> None:
    assert made_of(tmp_path, [dark(tmp_path / "dusk.png")], ["gamma"])[-1].archive is None


def test_results_are_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    last = made_of(tmp_path, [dark(tmp_path / "a.png"), dark(tmp_path / "b.png")], ["gamma"])[-1]
    assert list(last.results) == ["a.png"]
    assert last.remarks == ("b.png was left out: the results take 1e-06 GB already; enhance it alone.",)


def test_the_examples_are_three_small_dark_photographs(tmp_path: Path) -> None:
    paths = write_examples(tmp_path)
    assert [path.stem for path in paths] == list(EXAMPLES)
    assert len(paths) == 3
    assert sum(path.stat().st_size for path in paths) < 300_000
    assert not {file for file, _ in EXAMPLES.values()} & {"motorcycle_left.png", "motorcycle_right.png"}
    for path in paths:
        assert 0.02 < np.mean(read_rgb(path)) / 255 < 0.12


def test_all_results_are_written_anew_with_other_settings(tmp_path: Path) -> None:
    sources = [dark(tmp_path / "a.png"), dark(tmp_path / "b.png")]
    made = made_of(tmp_path, sources, ["gamma"])[-1]
    *steps, last = adjust_batch(made, Settings(exposure=1.0))
    assert [one.doing for one in steps] == ["Photograph 1 of 2: a.png", "Photograph 2 of 2: b.png"]
    assert last.settings.exposure == 1
    assert made.archive is not None
    assert last.archive is not None
    assert not made.archive.exists()
    olds = [one.download for each in made.results.values() for one in each.results]
    assert not [old for old in olds if old is None or old.exists()]
    assert last.archive.name == made.archive.name
    download = last.results["a.png"].results[0].download
    assert download is not None
    with zipfile.ZipFile(last.archive) as archive:
        assert archive.read("a.png") == download.read_bytes()
    for one in last.results.values():
        one.source.unlink()
    with pytest.raises(FileNotFoundError):
        list(adjust_batch(last, Settings()))


@pytest.mark.parametrize("written", [1, 2])
def test_a_failure_to_write_anew_leaves_the_files_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    made = made_of(tmp_path, [dark(tmp_path / "a.png"), dark(tmp_path / "b.png")], ["gamma"])[-1]
    before = sorted((tmp_path / "results").rglob("*"))
    calls = []

    def fail(*arguments: object) -> tuple[str, ...]:
        calls.append(arguments)
        if len(calls) == written:
            raise OSError(28, "No space left on device")
        return real(*arguments)

    real = uploads.write_photo
    monkeypatch.setattr(uploads, "write_photo", fail)
    with pytest.raises(OSError, match="No space left"):
        list(adjust_batch(made, Settings(exposure=1.0)))
    assert sorted((tmp_path / "results").rglob("*")) == before
    steps = adjust_batch(made, Settings(exposure=1.0))
    next(steps)
    steps.close()
    assert sorted((tmp_path / "results").rglob("*")) == before
