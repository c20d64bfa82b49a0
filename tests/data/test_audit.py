"""Each kind of planted fault is found and named, and nothing else is."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from lowlight.cli._audit_text import describe
from lowlight.cli.data import app
from lowlight.data.audit import audit, published_lol
from lowlight.data.registration import shift

FAULTS = (
    "unmatched", "unreadable", "unequal", "swapped", "exchanged", "misregistered", "leaking_scenes",
    "leaking_files", "identical", "near_duplicates",
)  # fmt: skip


def scenery(seed: int, height: int = 120, width: int = 160, margin: int = 0) -> np.ndarray:
    """Return a detailed 8-bit picture with edges, of shape (height, width, 3) and a margin on each side."""
    generator = np.random.default_rng(seed)
    picture = np.zeros((height + 2 * margin, width + 2 * margin, 3)) + generator.integers(60, 120, 3)
    for _ in range(40):
        top, left = (int(generator.integers(side)) for side in picture.shape[:2])
        down, across = generator.integers(8, 60, 2)
        picture[top : top + down, left : left + across] = generator.integers(20, 250, 3)
    return picture.astype(np.uint8)


def darken(high: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return a dark, noisy 8-bit version of a picture."""
    noise = np.random.default_rng(seed).normal(0, 1.5, high.shape)
    return (high * 0.1 + noise).clip(0, 255).round().astype(np.uint8)


def save(root: Path, split: str, stem: object, low: np.ndarray, high: np.ndarray) -> None:
    for role, pixels in {"low": low, "high": high}.items():
        path = root / split / role / f"{stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


@pytest.fixture
def root(tmp_path: Path, clean: Path) -> Path:
    return Path(shutil.copytree(clean, tmp_path / "set"))


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clean")
    for stem in range(1, 9):
        high = scenery(stem)
        save(root, "our485" if stem < 7 else "eval15", stem, darken(high, stem), high)
    return root


def found(root: Path) -> dict[str, Any]:
    """Return the kinds of faults found, with what was named."""
    report = audit(root)
    return {kind: report[kind] for kind in FAULTS if report[kind]}


def test_a_clean_set_is_clean_and_described(clean: Path) -> None:
    report = audit(clean)
    assert report["verdict"] == "clean"
    assert found(clean) == {}
    about = report["splits"]["train"]
    assert (about["pairs"], about["scene_groups"], about["images_with_a_sibling"]) == (6, 6, 0)
    assert report["splits"]["test"]["scenes"] == [["eval15/high/7.png"], ["eval15/high/8.png"]]
    levels = [np.asarray(Image.open(clean / f"our485/high/{stem}.png")).mean() for stem in range(1, 7)]
    assert about["high_level"]["mean"] == pytest.approx(np.mean(levels), abs=0.06)
    assert about["high_level"]["p50"] == pytest.approx(np.median(levels), abs=0.06)
    assert about["low_level"]["p95"] < about["high_level"]["p5"]


def missing(root: Path) -> None:
    (root / "our485/low/3.png").unlink()


def truncated(root: Path) -> None:
    path = root / "our485/low/3.png"
    path.write_bytes(path.read_bytes()[:300])


def resized(root: Path) -> None:
    path = root / "our485/low/3.png"
    Image.open(path).resize((80, 60)).save(path)


def swapped(root: Path) -> None:
    low, high = root / "our485/low/3.png", root / "our485/high/3.png"
    content = low.read_bytes()
    low.write_bytes(high.read_bytes())
    high.write_bytes(content)


def exchanged(root: Path) -> None:
    one, other = root / "our485/high/3.png", root / "our485/high/4.png"
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def shifted(root: Path) -> None:
    wide = scenery(3, margin=24)
    save(root, "our485", 3, darken(wide[:120, 48:208]), wide[24:144, 24:184])


def copied(root: Path) -> None:
    shutil.copy(root / "our485/high/3.png", root / "our485/high/33.png")
    Image.fromarray(darken(scenery(3) // 2)).save(root / "our485/low/33.png")


def saved_again(root: Path) -> None:
    high = scenery(3)
    high[:2, :2] += 1
    save(root, "our485", 33, darken(high // 2), high)


def leaked_scene(root: Path) -> None:
    high = (scenery(3) * 0.8).astype(np.uint8)
    save(root, "eval15", 33, darken(high // 2), high)


def leaked_file(root: Path) -> None:
    shutil.copy(root / "our485/high/3.png", root / "eval15/high/33.png")
    Image.fromarray(darken(scenery(3) // 2)).save(root / "eval15/low/33.png")


@pytest.mark.parametrize(
    ("plant", "verdict", "kinds", "name"),
    [
        (missing, "damaged", {"unmatched"}, "our485/high/3.png has no counterpart"),
        (truncated, "damaged", {"unreadable"}, "our485/low/3.png: broken"),
        (resized, "damaged", {"unequal"}, "our485/low/3.png is 80x60 but our485/high/3.png 160x120"),
        (swapped, "suspicious", {"swapped"}, "our485/low/3.png is brighter than our485/high/3.png"),
        (exchanged, "suspicious", {"exchanged"}, "our485/low/3.png fits our485/high/4.png better than"),
        (shifted, "suspicious", {"misregistered"}, "our485/low/3.png"),
        (copied, "clean", {"identical"}, "our485/high/33.png"),
        (saved_again, "clean", {"near_duplicates"}, "our485/high/33.png"),
        (leaked_scene, "leaking", {"leaking_scenes"}, "eval15/high/33.png"),
        (leaked_file, "leaking", {"leaking_scenes", "leaking_files", "identical"}, "eval15/high/33.png"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_named_and_nothing_else(
    root: Path, plant: Callable[[Path], None], verdict: str, kinds: set[str], name: str
) -> None:
    plant(root)
    assert audit(root)["verdict"] == verdict
    culprits = found(root)
    assert set(culprits) == kinds
    assert all(name in json.dumps(named) for named in culprits.values())


def test_the_shift_is_told_in_pixels(root: Path) -> None:
    shifted(root)
    (culprit,) = audit(root)["misregistered"]
    assert culprit["image"] == "our485/low/3.png"
    assert abs(culprit["down"] - 24) <= 2
    assert abs(culprit["right"] + 24) <= 2


def test_a_shift_is_found_under_noise_and_none_where_there_is_none() -> None:
    for seed in range(12):
        wide = scenery(seed, margin=20)
        high = wide[20:140, 20:180]
        assert shift(darken(high, seed), high) is None
        found = shift(darken(wide[10:130, 30:190], seed), high)
        assert found is not None
        assert abs(found[0] - 10) <= 2
        assert abs(found[1] + 10) <= 2


def test_flat_and_tiny_images_are_not_called_shifted() -> None:
    flat = np.full((60, 80, 3), 9, np.uint8)
    assert shift(flat, flat) is None
    noise = np.random.default_rng(0).integers(0, 255, (2, 60, 80, 3)).astype(np.uint8)
    assert shift(noise[0], noise[1]) is None
    assert shift(scenery(1, 20, 30), scenery(2, 20, 30)) is None


def test_several_faults_are_all_reported(root: Path) -> None:
    (root / "our485/low/5.png").unlink()
    leaked_scene(root)
    save(root, "our485", 4, scenery(4), darken(scenery(4)))
    assert {"unmatched", "swapped", "leaking_scenes"} <= set(found(root))
    assert audit(root)["verdict"] == "leaking"


def test_published_files_are_known_by_their_bytes(root: Path) -> None:
    files = sorted(path for path in root.rglob("*.png"))
    published = {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }
    assert audit(root, published)["lol"] == {"published_files": 16, "equal": 16, "files": 16, "changed": []}
    Image.fromarray(scenery(50)).save(root / "our485/high/3.png")
    again = audit(root, published)["lol"]
    assert (again["equal"], again["changed"]) == (15, ["our485/high/3.png"])
    assert audit(root)["lol"]["equal"] == 0


def test_lols_list_is_that_of_a_thousand_files() -> None:
    names = published_lol()
    assert len(names) == 1000
    assert {name.rsplit("/", 1)[0] for name in names} == {
        f"{split}/{role}" for split in ("our485", "eval15") for role in ("low", "high")
    }
    assert all(len(digest) == 64 for digest in names.values())


def test_the_command_tells_people_and_machines_and_its_status_tells_scripts(root: Path, clean: Path) -> None:
    def check(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["check", *arguments])

    assert check(str(clean)).exit_code == 0
    leaked_scene(root)
    done = check(str(root))
    assert done.exit_code == 3
    assert done.stdout.startswith(f"{root}: leaking, ")
    assert "train: our485/high/3.png; test: eval15/high/33.png" in done.stdout
    report = json.loads(check(str(root), "--json").stdout)
    assert report["leaking_scenes"] == [{"train": ["our485/high/3.png"], "test": ["eval15/high/33.png"]}]
    nowhere = check(str(root / "nowhere"))
    assert nowhere.exit_code == 1
    assert nowhere.stderr.count("\n") == 1
    assert "no such folder" in nowhere.stderr


def test_names_with_control_characters_do_not_steer_the_terminal(tmp_path: Path) -> None:
    root = tmp_path / "s\x1b[2J"
    for stem in ("a\x1b[31m\n", "b"):
        save(root, "our485", stem, darken(scenery(1, 24, 32)), scenery(1, 24, 32))
    text = describe(audit(root), None)
    assert "\x1b" not in text
    assert "a\\x1b[31m\\n" in text
