"""Average precision against cases computed by hand, and the bootstrap over images."""

import doctest
import math

import numpy as np
import pytest

import lowlight.detection.precision
from lowlight.detection.boxes import assign, objects, overlaps
from lowlight.detection.precision import Matches, average_precision, draw, interval
from lowlight.report.precision_recall import steps

HERE, THERE, AWAY = [0, 0, 10, 10], [20, 0, 30, 10], [70, 70, 80, 80]


def found(*rows: tuple[list[int], float] | tuple[list[int], float, int]) -> np.ndarray:
    return np.array([[*box, score, *(kind or [0])] for box, score, *kind in rows], float).reshape(-1, 6)


def matches(*images: tuple[np.ndarray, object]) -> Matches:
    made = Matches()
    for detections, known in images:
        made.add(detections, known if hasattr(known, "boxes") else objects(known))  # type: ignore[arg-type]
    return made


def test_overlap_is_intersection_over_union() -> None:
    ones, others = np.array([HERE], float), np.array([HERE, [0, 0, 10, 5], [5, 5, 15, 15], THERE], float)
    assert overlaps(ones, others)[0].tolist() == pytest.approx([1, 0.5, 25 / 175, 0])


@pytest.mark.parametrize(
    ("detections", "known", "expected"),
    [
        # right, wrong, right: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1
        (found((HERE, 0.9), (AWAY, 0.8), (THERE, 0.7)), [HERE, THERE], 1 / 2 * 1 + 1 / 2 * 2 / 3),
        # wrong, right, of three objects: precision 1/2 at recall 1/3
        (found((AWAY, 0.9), (HERE, 0.8)), [HERE, THERE, [40, 0, 50, 10]], 1 / 3 * 1 / 2),
        # precision rises with recall: its envelope counts, 2/3 up to recall 1
        (found((AWAY, 0.9), (HERE, 0.8), (THERE, 0.7)), [HERE, THERE], 2 / 3),
        # equal scores share a threshold, in whatever order they come
        (found((HERE, 0.9), (AWAY, 0.9)), [HERE], 1 / 2),
        (found((AWAY, 0.9), (HERE, 0.9)), [HERE], 1 / 2),
        # the second detection of an object is wrong
        (found((HERE, 0.9), (HERE, 0.8), (THERE, 0.7)), [HERE, THERE], 1 / 2 * 1 + 1 / 2 * 2 / 3),
        # an overlap of exactly one half is enough, a lower one is not
        (found(([0, 0, 10, 5], 0.9)), [HERE], 1),
        (found(([0, 0, 10, 4], 0.9)), [HERE], 0),
        (found(), [HERE], 0),
    ],
)
def test_average_precision_of_one_image(detections: np.ndarray, known: object, expected: float) -> None:
    assert average_precision(matches((detections, known))) == pytest.approx(expected)


def test_detections_of_all_images_are_ranked_together() -> None:
    made = matches((found((HERE, 0.6)), [HERE]), (found((AWAY, 0.9)), []), (found((HERE, 0.3)), [HERE]))
    assert average_precision(made) == pytest.approx(2 / 3)  # 0, 1/2, 2/3 at recall 0, 1/2, 1
    curve = made.curve(0)
    assert curve.precision.tolist() == pytest.approx([0, 1 / 2, 2 / 3])
    assert curve.recall.tolist() == [0, 0.5, 1]
    assert curve.scores.tolist() == [0.9, 0.6, 0.3]
    assert (made.detections, made.objects, made.images) == (3, 2, 3)


def test_ignored_objects_are_neither_missed_nor_found() -> None:
    known = objects([HERE, THERE], ignored=[False, True])
    assert assign(found((THERE, 0.9), (HERE, 0.8), (AWAY, 0.7)), known).tolist() == [-1, 1, 0]
    assert average_precision(matches((found((THERE, 0.9), (HERE, 0.8)), known))) == 1


def test_a_detection_takes_the_object_it_overlaps_most() -> None:
    near = [1, 0, 11, 10]
    assert assign(found((near, 0.9), (HERE, 0.8)), objects([HERE, near])).tolist() == [1, 1]
    assert assign(found((HERE, 0.8), (near, 0.9)), objects([HERE, near])).tolist() == [1, 1]


def test_classes_are_matched_apart_and_averaged() -> None:
    known = objects([HERE, THERE], classes=[0, 1])
    assert average_precision(matches((found((HERE, 0.9, 0), (THERE, 0.8, 0)), known))) == 0.5
    assert average_precision(matches((found((HERE, 0.9, 0), (THERE, 0.8, 1)), known))) == 1


def test_without_objects_there_is_none() -> None:
    assert math.isnan(average_precision(matches((found((HERE, 0.9)), []))))


def random_images(count: int) -> list[tuple[np.ndarray, list[list[float]]]]:
    generator = np.random.default_rng(3)
    images = []
    for _ in range(count):
        corners = generator.integers(0, 60, (generator.integers(0, 5), 2))
        boxes = np.concatenate([corners, corners + 10], 1)
        moved = boxes + generator.integers(-4, 5, boxes.shape)
        scores = generator.integers(1, 6, (len(moved), 1)) / 5
        images.append((np.concatenate([moved, scores, 0 * scores], 1), boxes.tolist()))
    return images


def test_a_draw_counts_an_image_as_often_as_it_is_drawn() -> None:
    images = random_images(6)
    weights = np.array([2, 0, 1, 1, 0, 3])
    repeated = [image for image, times in zip(images, weights, strict=True) for _ in range(times)]
    drawn = matches(*images).resampled(weights[None])
    assert drawn[0] == pytest.approx(average_precision(matches(*repeated)))
    assert 0 < drawn[0] < 1


def test_the_interval_holds_the_value_and_narrows_with_more_images() -> None:
    widths = []
    for count in (10, 160):
        made = matches(*random_images(count))
        low, high = interval(made.resampled(draw(count)), count)
        assert low < average_precision(made) < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_draws_are_of_as_many_images_and_repeatable() -> None:
    assert (draw(7, 50).sum(1) == 7).all()
    assert (draw(7, 50) == draw(7, 50)).all()
    assert all(map(math.isnan, interval(np.array([np.nan, 0.5]), 9)))
    assert all(map(math.isnan, interval(np.array([0.2, 0.5, 0.5]), 1)))


def test_the_example_gives_what_it_says() -> None:
    assert doctest.testmod(lowlight.detection.precision).failed == 0


def test_the_area_under_the_drawn_line_is_the_average_precision_where_precision_falls() -> None:
    one_right_of_five = matches((found((HERE, 0.9), *[(AWAY, 0.9)] * 4), [HERE, THERE]))
    falling = matches((found((HERE, 0.9), (AWAY, 0.8), (THERE, 0.7)), [HERE, THERE]))
    for made in (one_right_of_five, falling):
        curve = made.curve(0)
        recall, precision = steps({"recall": curve.recall.tolist(), "precision": curve.precision.tolist()})
        area = float(np.dot(np.diff(recall), precision[1:]))  # as drawn with where="pre"
        assert area == pytest.approx(average_precision(made))
    assert steps({"recall": [], "precision": []}) == ([0.0], [0.0])
