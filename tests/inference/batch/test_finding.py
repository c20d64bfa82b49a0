"""Finding inputs, naming outputs, and never overwriting a source."""

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
