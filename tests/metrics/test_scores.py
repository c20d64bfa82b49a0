import math

import pytest
import torch
import torch.multiprocessing as mp
from torch import Tensor

from lowlight.images import Batch
from lowlight.metrics import ImageScores, exposure, psnr


def mean_level(enhanced: Tensor, high: Tensor) -> Tensor:
    return enhanced.flatten(1).mean(1)


def levels(*values: float) -> Tensor:
    return torch.tensor(values).reshape(-1, 1, 1, 1).expand(-1, 3, 4, 4)


def pair(high: Tensor, names: list[str]) -> Batch:
    return {"low": high / 2, "high": high, "name": names}


def test_scores_are_means_over_images_not_batches() -> None:
    scores = ImageScores({"level": mean_level}, prefix="val/")
    scores.update(levels(0.1, 0.2, 0.3), pair(levels(0, 0, 0), ["a", "b", "c"]))
    scores.update(levels(1.0), pair(levels(0), ["d"]))
    assert scores.compute()["val/level"].item() == pytest.approx(0.4)
    assert {name: row["level"] for name, row in scores.per_image().items()} == pytest.approx(
        {"a": 0.1, "b": 0.2, "c": 0.3, "d": 1.0}
    )


def test_an_image_seen_twice_counts_once() -> None:
    scores = ImageScores({"level": mean_level})
    scores.update(levels(0.2, 0.4), pair(levels(0, 0), ["b", "a"]))
    scores.update(levels(0.2), pair(levels(0), ["b"]))
    assert scores.compute()["level"].item() == pytest.approx(0.3)
    assert list(scores.per_image()) == ["a", "b"]


def test_joined_sets_are_also_averaged_apart() -> None:
    scores = ImageScores({"level": mean_level}, prefix="val/")
    names = ["lol/1", "lol/2", "sice/1/a", "sice/2/a"]  # a set's own names may hold slashes
    scores.update(levels(0.1, 0.2, 0.5, 0.8), pair(levels(0, 0, 0, 0), names))
    means = {key: value.item() for key, value in scores.compute().items()}
    assert means == pytest.approx({"val/level": 0.4, "val/lol/level": 0.15, "val/sice/level": 0.65})


def test_mappings_become_keys_and_names_may_be_any_text() -> None:
    scores = ImageScores({"psnr": psnr, "exposure": exposure})
    scores.update(levels(0.6), pair(levels(0.6), ["Größe/夜 1"]))
    assert list(scores.compute()) == [
        "psnr",
        *(f"exposure/{key}" for key in ("accuracy", "precision", "recall", "f1")),
    ]
    assert math.isinf(scores.per_image()["Größe/夜 1"]["psnr"])


def test_a_measure_may_compare_with_the_dark_image_or_with_nothing() -> None:
    def difference(enhanced: Tensor, other: Tensor) -> Tensor:
        return (enhanced - other).flatten(1).mean(1)

    def alone(enhanced: Tensor) -> Tensor:
        return enhanced.flatten(1).mean(1)

    measures = {"high": difference, "low": difference, "alone": alone}
    scores = ImageScores(measures, against={"low": "low", "alone": None})
    scores.update(levels(0.9), pair(levels(0.6), ["a"]))
    assert scores.per_image()["a"] == pytest.approx({"high": 0.3, "low": 0.6, "alone": 0.9})


def test_reset_forgets() -> None:
    scores = ImageScores({"level": mean_level})
    scores.update(levels(0.2), pair(levels(0), ["a"]))
    scores.reset()
    scores.update(levels(0.4), pair(levels(0), ["b"]))
    assert list(scores.per_image()) == ["b"]


def _process(rank: int, store: str, queue: mp.Queue) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    scores = ImageScores({"level": mean_level})
    share = {0: (["a", "b"], (0.1, 0.2)), 1: (["c", "a"], (0.6, 0.1))}[rank]
    scores.update(levels(*share[1]), pair(levels(0, 0), share[0]))
    queue.put((rank, scores.compute()["level"].item(), list(scores.per_image())))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_processes_are_gathered_and_padding_counts_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    context = mp.get_context("spawn")
    queue = context.Queue()
    store = str(tmp_path_factory.mktemp("store") / "file")
    mp.start_processes(_process, args=(store, queue), nprocs=2, start_method="spawn")
    for _, mean, names in (queue.get(timeout=60) for _ in range(2)):
        assert mean == pytest.approx(0.3)
        assert names == ["a", "b", "c"]
