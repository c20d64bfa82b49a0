"""Experiments are laid out alike, their pages' links work, and no result is left unexplained."""

import csv
import re
import runpy
import sys
from pathlib import Path

import pytest

from lowlight.files import write_table
from tests.docs.test_links import anchors

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "experiments").glob("**/README.md"))
FOLDERS = [page.parent for page in PAGES if not any(page.parent.glob("*/README.md"))]
SCRIPTS = sorted((ROOT / "experiments").glob("**/*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)", page.read_text()):
        file, _, anchor = link.partition("#")
        if "://" not in link:
            target = page.parent / file if file else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def test_the_fields_tables_are_those_of_its_results() -> None:
    field = runpy.run_path(str(ROOT / "experiments/field/tables.py"))
    methods = field["read_json"](field["RESULTS"] / "field.json")["methods"]
    images = field["read_images"]()
    page = (ROOT / "experiments/field/README.md").read_text()
    entries = [images[method["name"]] for method in methods if method["name"] in images]
    assert field["with_tables"](page, methods, entries) == page
    assert "<!-- generated: scores -->" in page


def test_paired_differences_are_by_image_and_refuse_other_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def paired(*folders: str) -> str:
        arguments = [str(tmp_path / "a"), "--minus", *(str(tmp_path / name) for name in folders)]
        monkeypatch.setattr(sys, "argv", ["paired.py", *arguments, "--scores", "psnr"])
        runpy.run_path(str(ROOT / "experiments/paired.py"), run_name="__main__")
        return capsys.readouterr().out.splitlines()[-1]

    rows = {"a": [("1", 21.0), ("2", 18.0)], "b": [("2", 17.0), ("1", 19.0)], "c": [("1", 20.0), ("3", 18.0)]}
    for name, scores in rows.items():
        (tmp_path / name).mkdir()
        write_table(
            tmp_path / name / "per_image.csv",
            [{"name": image, "scene": image, "psnr": psnr} for image, psnr in scores],
            ("name", "scene", "psnr"),
        )
    assert paired("b") == "| b | +1.500 [+1.000, +2.000], p = 0.500 |"
    with pytest.raises(SystemExit, match="c: scored on other images or scenes than"):
        paired("b", "c")


def test_every_folder_of_results_belongs_to_an_experiment() -> None:
    assert {path.parent for path in (ROOT / "experiments").glob("**/results")} <= set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_an_experiment_has_a_page_a_run_and_results(folder: Path) -> None:
    assert (folder / "README.md").is_file()
    assert len(list(folder.glob("run.*"))) == 1
    assert any(path.is_file() for path in (folder / "results").rglob("*"))


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_the_index_lists_an_experiment(folder: Path) -> None:
    place = folder.relative_to(ROOT / "experiments").as_posix()
    assert f"({place}/README.md)" in (ROOT / "experiments" / "README.md").read_text()


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_a_page_names_every_result(folder: Path) -> None:
    page = (folder / "README.md").read_text()
    files = {path.name for path in (folder / "results").rglob("*") if path.is_file()}
    named = set(re.findall(r"[\w.-]*\w", page))
    assert files <= named


@pytest.mark.parametrize("script", SCRIPTS, ids=name_of)
def test_a_script_explains_itself_without_starting(
    script: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [script.name, "--help"])
    with pytest.raises(SystemExit) as exit_of_help:
        runpy.run_path(str(script), run_name="__main__")
    assert exit_of_help.value.code == 0
    assert "usage" in capsys.readouterr().out


def test_the_named_test_pairs_are_those_that_were_scored() -> None:
    lists = {
        name: (ROOT / "experiments/lol-split" / f"{name}.txt").read_text().split()
        for name in ("train", "test")
    }
    with (ROOT / "experiments/field/results/per_image.csv").open(newline="") as file:
        scored = {row["name"].removeprefix("lol/") for row in csv.DictReader(file)}
    assert set(lists["test"]) == scored
    assert not scored & set(lists["train"])
