"""Finding inputs, naming outputs, and never overwriting a source."""

import os
from pathlib import Path

import pytest

from lowlight.inference.batch.jobs import Job, check_targets, find_jobs, run_jobs
from lowlight.inference.settings import Outcome


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(path.name.encode())


def test_a_folder_is_searched_to_the_ground_but_for_hidden_files_and_the_output(tmp_path: Path) -> None:
    root, out = tmp_path / "in", tmp_path / "in" / "out"
    names = ["a.png", "b c.JPG", "deep/er/ü.webp", "clip.mp4", "old.wmv", "raw.heic"]
    touch(*(root / name for name in names), root / "notes.txt", root / ".hidden/x.png", out / "a.png")
    jobs, refused = find_jobs([root], out)
    assert refused == []
    targets = {job.target.relative_to(out).as_posix() for job in jobs}
    assert targets == {"a.png", "b c.JPG", "deep/er/ü.webp", "clip.mp4", "old.wmv.mkv", "raw.heic.png"}


def test_the_output_is_known_by_any_of_its_names_and_may_lie_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "dark/a.png", tmp_path / "bright/a.png")
    monkeypatch.chdir(tmp_path)
    for folder, out in [(tmp_path, Path("bright")), (Path(), tmp_path / "bright"), (Path("dark"), tmp_path)]:
        (job,), refused = find_jobs([folder], out)
        assert refused == []
        assert job.source.samefile(tmp_path / "dark/a.png")


def test_equal_stems_do_not_meet_but_equal_names_are_refused(tmp_path: Path) -> None:
    files = [tmp_path / "x/a.png", tmp_path / "x/a.jpg", tmp_path / "y/a.png"]
    touch(*files)
    jobs, refused = find_jobs([*files, files[0]], tmp_path / "out")
    assert [job.source for job in jobs] == files[:2]
    assert [outcome.source for outcome in refused] == [files[2]]
    assert "would be written to" in str(refused[0].reason)


def test_an_empty_folder_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    jobs, refused = find_jobs([tmp_path / "empty"], tmp_path / "out")
    assert jobs == []
    assert "no images or videos" in str(refused[0].reason)


def test_what_exists_is_not_overwritten_unless_asked_and_a_source_never(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "out/a.png")
    jobs = [Job(tmp_path / "a.png", tmp_path / "out/a.png")]
    with pytest.raises(ValueError, match=r"out/a.png exists; --skip-existing does the rest, --overwrite"):
        check_targets(jobs, skip_existing=False, overwrite=False)
    check_targets(jobs, skip_existing=True, overwrite=False)
    check_targets(jobs, skip_existing=False, overwrite=True)
    with pytest.raises(ValueError, match="over itself"):
        check_targets([Job(tmp_path / "a.png", tmp_path / "a.png")], skip_existing=False, overwrite=True)


@pytest.mark.parametrize("error", [OSError("disk\n on fire"), RuntimeError("disk on fire")])
def test_a_bad_file_is_named_and_the_rest_is_done(error: Exception, tmp_path: Path) -> None:
    jobs = [Job(tmp_path / name, tmp_path / "out" / name) for name in ("a.png", "bad.png", "c.png", "d.png")]
    touch(jobs[3].target)

    def work(job: Job) -> Outcome:
        if job.source.stem == "bad":
            raise error
        return Outcome(job.source, job.target, "enhanced")

    outcomes = list(run_jobs(jobs, work, skip_existing=True))
    assert [outcome.status for outcome in outcomes] == ["enhanced", "failed", "enhanced", "skipped"]
    assert outcomes[1].reason == f"{jobs[1].source}: disk on fire"


@pytest.mark.parametrize(
    "error", [AttributeError("name"), TypeError("name"), KeyError("name"), RecursionError()]
)
def test_whatever_a_reader_raises_is_the_failure_of_that_file(error: Exception, tmp_path: Path) -> None:
    def work(_: Job) -> Outcome:
        raise error

    [outcome] = run_jobs([Job(tmp_path / "a.png", tmp_path / "out/a.png")], work, skip_existing=False)
    assert outcome.status == "failed"
    assert str(outcome.reason).startswith(f"{tmp_path / 'a.png'}: {type(error).__name__}")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_stop_is_no_failure_of_a_file(error: type[BaseException], tmp_path: Path) -> None:
    def work(_: Job) -> Outcome:
        raise error

    with pytest.raises(error):
        list(run_jobs([Job(tmp_path / "a.png", tmp_path / "out/a.png")], work, skip_existing=False))


def test_pipes_and_links_are_told_and_never_waited_for(tmp_path: Path) -> None:
    root = tmp_path / "in"
    touch(root / "a.png", tmp_path / "other/b.png", tmp_path / "c.png")
    os.mkfifo(root / "pipe.mp4")
    (root / "missing.png").symlink_to("nowhere.png")
    (root / "folder").symlink_to(tmp_path / "other")
    (root / "loop").symlink_to(root)
    (root / "c.png").symlink_to(tmp_path / "c.png")
    jobs, refused = find_jobs([root, root / "pipe.mp4"], tmp_path / "out")
    assert [job.source.name for job in jobs] == ["a.png", "c.png"]
    told = [
        (outcome.status, outcome.source.name, str(outcome.reason).rpartition(": ")[2]) for outcome in refused
    ]
    linked = "a link to a folder, which is not followed; give it by itself"
    assert sorted(told) == [
        ("failed", "missing.png", "a link to a file that is missing"),
        ("failed", "pipe.mp4", "a named pipe, not a file"),
        ("failed", "pipe.mp4", "a named pipe, not a file"),
        ("skipped", "folder", linked),
        ("skipped", "loop", linked),
    ]
    assert [job.source.name for job in find_jobs([root / "folder"], tmp_path / "out")[0]] == ["b.png"]


def test_a_file_that_vanished_or_has_a_long_name_does_not_stop_the_others(tmp_path: Path) -> None:
    touch(tmp_path / "out/gone.png", tmp_path / "a.png")
    paths = [tmp_path / "gone.png", tmp_path / ("n" * 300), tmp_path / "a.png"]
    jobs, refused = find_jobs(paths, tmp_path / "out")
    check_targets(jobs, skip_existing=False, overwrite=True)
    outcomes = run_jobs(jobs, lambda job: Outcome(job.source, job.target, "enhanced"), skip_existing=True)
    assert refused == []
    assert [outcome.status for outcome in outcomes] == ["skipped", "enhanced", "enhanced"]
