"""Labels of the models to enhance with."""

import os
import sys
from pathlib import Path

import pytest

from lowlight.inference.models import labels_of


@pytest.mark.parametrize(
    ("methods", "told"),
    [
        (["gama"], "gama is no method: .* did you mean gamma"),
        (["mirnet"], "mirnet must be trained first"),
        (["nowhere/run"], "nowhere/run: no such file or folder"),
        (["gamma", "lime", "gamma"], "names gamma twice"),
    ],
)
def test_wrong_methods_are_refused(methods: list[str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        labels_of(methods)


def test_runs_are_labelled_by_their_folders_as_far_as_that_tells_them_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one/mirnet", "two/mirnet", "one/gan", "none"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "one")
    paths = [str(tmp_path / name) for name in ("one/mirnet", "two/mirnet", "one/gan", "none")]
    labels = labels_of([*paths, ".", "gamma"], reserved=["none"])
    assert list(labels) == [paths[0], paths[1], "gan", paths[3], "one", "gamma"]
    assert list(labels.values()) == [*paths, ".", "gamma"]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"none is what methods are compared with; give \./none$"):
        labels_of(["none"], reserved=["none"])
    assert list(labels_of(["./none"], reserved=["none"])) == ["./none"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_labels_of_runs_that_are_not_utf_8_are_escaped(tmp_path: Path) -> None:
    run = tmp_path / os.fsdecode(b"caf\xe9")
    run.mkdir()
    assert labels_of([str(run)]) == {r"caf\udce9": str(run)}
