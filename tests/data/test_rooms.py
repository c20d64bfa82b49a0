"""Rendered rooms follow the laws of light that they claim, and each is one of its own."""

import numpy as np
import pytest

from lowlight.colour import srgb_to_linear
from lowlight.data import rooms
from lowlight.data.rooms import SIZE, Room
from lowlight.data.scenes import thumbnail
from lowlight.data.shapes import box, column, sphere
from lowlight.data.textures import TEXTURES, pigment


def rays(*directions: tuple[float, float, float]) -> np.ndarray:
    return np.array(directions, np.float32).T


def test_a_sphere_is_hit_where_geometry_says() -> None:
    ball = sphere(column(0, 0, 5), 1)
    distance, local, normal = ball.hit(column(0, 0, 0), rays((0, 0, 1), (0, 1, 0), (0, 0.5, 5)))
    assert distance == pytest.approx([4, 1e4, 0.8], rel=0.03)
    assert normal[:, 0] == pytest.approx([0, 0, -1], abs=1e-6)
    assert np.linalg.norm(local[:, 2]) == pytest.approx(1, abs=1e-5)


def test_a_turned_box_shows_its_edge_and_a_room_its_walls() -> None:
    turned = box(column(0, 0, 5), (1, 1, 1), np.pi / 4)
    distance, _, normal = turned.hit(column(0.01, 0, 0), rays((0, 0, 1), (1, 0, 0)))
    assert distance == pytest.approx([5 - 2**0.5, 1e4], abs=0.02)
    assert np.abs(normal[:, 0]) == pytest.approx([0.5**0.5, 0, 0.5**0.5], abs=1e-5)
    room = box(column(0, 0, 0), (2, 1, 3), inside=True)
    distance, _, normal = room.hit(column(0, 0, 0), rays((1, 0, 0), (0, -1, 0)))
    assert distance == pytest.approx([2, 1])
    assert normal[:, 1] == pytest.approx([0, 1, 0])


def test_rays_that_pass_far_from_a_shape_are_left_out_and_no_hit_is() -> None:
    ball = sphere(column(1, 0, 4), 0.5)
    directions = np.random.default_rng(0).normal(size=(3, 20000)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=0)
    origin = column(0, 0, 0)
    hits = np.flatnonzero(ball.hit(origin, directions)[0] < 1e4)
    near = ball.near(origin, directions)
    assert len(hits) > 30
    assert set(hits) <= set(near)
    assert len(near) < 1000


def test_light_falls_with_distance_and_angle_and_stops_at_things() -> None:
    scene = rooms.Scene(0)
    scene.things = []
    spots, normal = rays((0, 0, 1), (0, 0, 2), (1, 0, 1)), rays((0, 0, -1), (0, 0, -1), (0, 0, -1))
    near, far, aside = scene.lit(spots, normal, spots, column(0, 0, 0))[0]
    assert (near, far) == pytest.approx((1, 1 / 4))  # the square of the distance
    assert aside == pytest.approx(0.5**0.5 / 2)  # and the cosine
    grey = (np.ones(3, np.float32),) * 2
    scene.things = [rooms.Thing(sphere(column(0, 0, 1.5), 0.2), TEXTURES["plaster"], grey)]
    lit = scene.lit(spots, normal, spots, column(0, 0, 0))[0]
    assert lit == pytest.approx([1, 0, aside])


def test_a_room_is_the_same_every_time_bright_and_like_no_other() -> None:
    pictures = [Room(number).read() for number in range(3)]
    again = rooms.render.__wrapped__(1)
    assert (again == pictures[1]).all()
    for picture in pictures:
        assert picture.shape == (SIZE[1], SIZE[0], 3)
        assert 0.03 < srgb_to_linear(picture / 255).mean() < 0.7
        assert np.abs(np.diff(picture.astype(int), axis=1)).mean() > 1  # it has texture
    flat = [thumbnail(picture).ravel() for picture in pictures]
    correlations = np.corrcoef(flat)[np.triu_indices(3, 1)]
    assert correlations.max() < 0.93  # above which two pictures count as one scene


def test_textures_are_shares_and_differ_over_the_surface() -> None:
    across, down = (axis.ravel() for axis in np.meshgrid(*[np.linspace(-2, 2, 90, dtype=np.float32)] * 2))
    for name, texture in TEXTURES.items():
        share = texture(across, down, 5)
        assert share.shape == across.shape, name
        assert share.min() >= 0, name
        assert share.max() <= 1.001, name
        assert share.std() > 0.03, name


def test_pigments_have_reflectances_of_real_surfaces() -> None:
    generator = np.random.default_rng(0)
    colours = np.stack([pigment(generator, value=0.6) for _ in range(200)])
    assert colours.min() >= 0.03
    assert colours.max() <= 0.9
    assert (colours.max(1) / colours.min(1)).max() > 3
