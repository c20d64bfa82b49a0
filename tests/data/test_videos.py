"""Videos as folders of frames: found, ordered, matched, and never divided between splits."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lowlight.data import PairDataModule, VideoFolders
from lowlight.data.videos import by_numbers

Write = Callable[..., Path]


@pytest.fixture
def unpaired(tmp_path: Path, write: Write) -> Path:
    """Five videos of four frames without references, in LLIV-Phone's layout."""
    for video in range(5):
        for frame in (1, 2, 9, 10):
            write(tmp_path / "phone" / f"v{video}" / f"frame{frame}.png", 10 * video + frame)
    return tmp_path / "phone"


@pytest.fixture
def paired(tmp_path: Path, write: Write) -> Path:
    """Three videos of three frames with references, in SDSD's layout."""
    for side, folder in enumerate(("input", "GT")):
        for video in range(3):
            for frame in range(3):
                write(
                    tmp_path / "SDSD" / folder / f"pair{video}" / f"{frame:04d}.png",
                    20 * video + 2 * frame + side,
                )
    return tmp_path / "SDSD"


def names(videos: VideoFolders, split: str) -> list[str]:
    return [item.name for item in videos.items(split, "set")]  # type: ignore[arg-type]


def test_every_folder_of_images_is_a_video_whose_frames_are_in_order(unpaired: Path) -> None:
    videos = VideoFolders(unpaired, test_fraction=1)
    assert names(videos, "test")[:4] == [f"set/v0/frame{number}" for number in (1, 2, 9, 10)]
    assert len(names(videos, "test")) == 20
    assert names(videos, "train") == []
    item = videos.items("test", "set")[0]
    assert item.video is not None
    assert (item.video.name, item.scene, item.has_reference) == ("set/v0", "set/v0", False)


def test_numbers_order_names() -> None:
    assert sorted(["f10", "f2", "f2b", "a"], key=by_numbers) == ["a", "f2", "f2b", "f10"]


def test_a_video_is_never_divided(unpaired: Path) -> None:
    videos = VideoFolders(unpaired, test_fraction=0.4)
    sides = [{name.split("/")[1] for name in names(videos, split)} for split in ("train", "test")]
    assert [len(side) for side in sides] == [3, 2]
    assert not sides[0] & sides[1]


def test_validation_holds_out_whole_videos(paired: Path) -> None:
    videos = VideoFolders(paired, test_fraction=0.3)
    data = PairDataModule(sets={"set": videos}, patch_size=None, val_fraction=0.3, cache=False)
    data.setup()
    held_out = {item.video.name for item in data.datasets["val"].items if item.video}
    assert held_out
    assert not held_out & {item.video.name for item in data.datasets["train"].items if item.video}


def test_a_frame_says_whether_it_has_a_reference(unpaired: Path, paired: Path) -> None:
    for root, expected in ((unpaired, False), (paired, True)):
        data = PairDataModule(root, layout=VideoFolders, cache=False)
        data.setup("test")
        pair = data.datasets["test"][0]
        assert pair["has_reference"] is expected
        assert bool((pair["high"] != pair["low"]).any()) is expected


def test_paired_videos_are_matched_by_name_and_stem(paired: Path) -> None:
    items = VideoFolders(paired, test_fraction=1).items("test", "set")
    assert [item.name for item in items][:3] == [f"set/pair0/000{frame}" for frame in range(3)]
    assert all(item.low.parent.name == item.high.parent.name for item in items)  # type: ignore[attr-defined]
    assert all(item.high.parent.parent.name == "GT" for item in items)  # type: ignore[attr-defined]


def test_the_first_frames_can_be_enough(paired: Path) -> None:
    assert len(names(VideoFolders(paired, test_fraction=1, frames=2), "test")) == 6


def test_folders_of_splits_divide(paired: Path, tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / "all" / split).mkdir(parents=True)
    paired.rename(tmp_path / "all" / "test" / "SDSD")
    for folder in (tmp_path / "all" / "test" / "SDSD").iterdir():
        folder.rename(tmp_path / "all" / "test" / folder.name)
    (tmp_path / "all" / "train" / "low" / "a").mkdir(parents=True)
    (tmp_path / "all" / "train" / "high" / "a").mkdir(parents=True)
    for side in ("low", "high"):
        source = tmp_path / "all" / "test" / "GT" / "pair0" / "0000.png"
        (tmp_path / "all" / "train" / side / "a" / "0.png").write_bytes(source.read_bytes())
    videos = VideoFolders(tmp_path / "all")
    assert names(videos, "train") == ["set/a/0"]
    assert len(names(videos, "test")) == 9


@pytest.mark.parametrize(
    "layout",
    [
        "{split}/{side}/{video}",
        "{side}/{split}/{video}",
        "{side}/phone/{split}/{video}",
        "{split}/{video}/{side}",
        "phone/{split}/{side}/{video}",
        "phone/{side}/{Split}/{video}",
    ],
)
def test_splits_and_sides_are_known_wherever_they_lie(layout: str, tmp_path: Path, write: Write) -> None:
    for number, split in enumerate(("train", "train", "train", "test")):
        for seed, side in enumerate(("low", "high")):
            parts = {"split": split, "Split": split.title(), "side": side, "video": f"v{number}"}
            write(tmp_path / layout.format(**parts) / "0.png", 2 * number + seed)
    (tmp_path / "metadata.csv").write_text("video,phone\nv3,A\nphone/v3,A\n")
    videos = VideoFolders(tmp_path)
    phone = "phone/" if "phone" in layout else ""
    assert names(videos, "train") == [f"set/{phone}v{number}/0" for number in range(3)]
    (item,) = videos.items("test", "set")
    assert item.video is not None
    assert (item.name, item.has_reference, item.scene) == (f"set/{phone}v3/0", True, f"set/test/{phone}v3")
    assert item.video.facts == {"phone": "A"}


def test_each_video_may_hold_its_references(paired: Path) -> None:
    for video in range(3):
        for folder in ("input", "GT"):
            (paired / f"v{video}").mkdir(exist_ok=True)
            (paired / folder / f"pair{video}").rename(paired / f"v{video}" / folder)
    for folder in ("input", "GT"):
        (paired / folder).rmdir()
    (paired / "v0" / "mask").mkdir()
    items = VideoFolders(paired, test_fraction=1).items("test", "set")
    assert [item.name for item in items] == [
        f"set/v{video}/000{frame}" for video in range(3) for frame in range(3)
    ]
    assert all(item.has_reference for item in items)
    (paired / "v1" / "GT" / "0001.png").unlink()
    with pytest.raises(ValueError, match=r"v1: input/0001\.png has no counterpart"):
        names(VideoFolders(paired, test_fraction=1), "test")


def test_videos_of_which_only_some_are_in_folders_of_splits_are_refused(unpaired: Path, write: Write) -> None:
    write(unpaired / "phone" / "train" / "v9" / "0.png", 0)
    with pytest.raises(ValueError, match=r"phone/v9 is in a folder of the split train, v0 in none; put all"):
        names(VideoFolders(unpaired), "test")


def test_a_video_may_be_called_as_a_split_is(unpaired: Path, write: Write) -> None:
    write(unpaired / "test" / "0.png", 0)
    assert "set/test/0" in names(VideoFolders(unpaired, test_fraction=1), "test")


@pytest.mark.parametrize("table", [False, True])
def test_videos_of_one_name_in_two_splits_are_one_scene_only_by_the_table(
    table: bool, tmp_path: Path, write: Write
) -> None:
    for number, split in enumerate(("train", "test")):
        for side, folder in enumerate(("low", "high")):
            for video in range(3):
                seed = 100 * number + 10 * video + side
                write(tmp_path / "SDSD" / split / folder / f"pair{video}" / "0.png", seed)
    if table:
        (tmp_path / "SDSD" / "metadata.csv").write_text("video,scene\npair0,street\n")
    data = PairDataModule(tmp_path / "SDSD", layout=VideoFolders, split="scene_disjoint", val_fraction=0)
    data.setup("fit")
    assert data.describe()["leak"]["left_out"] == table
    assert {item.scene for item in data.datasets["test"].items} == {
        "SDSD/street" if table else "SDSD/test/pair0",
        "SDSD/test/pair1",
        "SDSD/test/pair2",
    }


def test_a_table_names_splits_scenes_and_facts(unpaired: Path) -> None:
    rows = ["v0,train,street,A", "v1,test,park,B", "v2,test,park,B", "v3,valid,room,A", "v4,train,street,A"]
    (unpaired / "metadata.csv").write_text("\ufeffvideo,split,scene,phone\n" + "\n".join(rows) + "\n")
    videos = VideoFolders(unpaired)
    assert {name.split("/")[1] for name in names(videos, "test")} == {"v1", "v2"}
    assert {name.split("/")[1] for name in names(videos, "val")} == {"v3"}
    video = videos.items("test", "set")[0].video
    assert video is not None
    assert video.scene == "set/park"
    assert video.facts["phone"] == "B"


def test_scenes_of_the_table_are_never_divided(unpaired: Path) -> None:
    (unpaired / "metadata.csv").write_text(
        "video,scene\n" + "".join(f"v{video},{'ab'[video % 2]}\n" for video in range(5))
    )
    videos = VideoFolders(unpaired)
    scenes = [{item.scene for item in videos.items(split, "s")} for split in ("train", "test")]  # type: ignore[arg-type]
    assert sorted(map(len, scenes)) == [1, 1]
    assert scenes[0] != scenes[1]


def break_frame(root: Path) -> None:
    (root / "GT" / "pair1" / "0001.png").unlink()


def break_video(root: Path) -> None:
    (root / "GT" / "pair1").rename(root / "GT" / "other")


def break_table(root: Path) -> None:
    (root / "metadata.csv").write_text("name,split\npair0,test\n")


def break_split(root: Path) -> None:
    (root / "metadata.csv").write_text("video,split\npair0,test\npair1,exam\npair2,train\n")


def flatten(root: Path) -> None:
    for folder in ("input", "GT"):
        for path in sorted((root / folder).rglob("*.png")):
            path.rename(root / folder / f"{path.parent.name}-{path.name}")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_frame, "pair1: pair1/0001.png has no counterpart"),
        (break_video, "video other is in one of input and GT only"),
        (break_table, "metadata.csv: has no column video"),
        (break_split, "gives video pair1 the split 'exam', which is none of"),
        (flatten, "holds images, not a folder per video; photographs are read by data=lol"),
    ],
)
def test_mistakes_are_named(paired: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(paired)
    with pytest.raises(ValueError, match=message):
        VideoFolders(paired, test_fraction=1).items("test", "set")


def test_a_folder_without_videos_is_refused(tmp_path: Path, write: Write) -> None:
    with pytest.raises(ValueError, match="no such folder"):
        VideoFolders(tmp_path / "none").items("test", "set")
    write(tmp_path / "one" / "1.png", 0)
    with pytest.raises(ValueError, match="it holds frames itself: give its parent folder"):
        VideoFolders(tmp_path / "one").items("test", "set")
    assert len(names(VideoFolders(tmp_path), "test")) == 1  # a single video is for testing


def test_two_frames_of_one_stem_are_refused(unpaired: Path, write: Write) -> None:
    write(unpaired / "v1" / "frame2.jpg", 0)
    with pytest.raises(ValueError, match=r"v1: frame2.jpg and frame2.png have the same stem"):
        VideoFolders(unpaired, test_fraction=1).items("test", "set")
