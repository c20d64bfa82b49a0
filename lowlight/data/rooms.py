"""Bright pictures of furnished rooms, ray-traced: scenes that no photograph is needed for.

A room is a box with textured walls, floor and ceiling, furniture, balls, pictures and one to three sources of
light, of which one may be a window. Light falls off with the square of the distance and with the cosine of
the angle to the surface, lamps have a size and hence soft shadows, glossy surfaces show them, and light that
the walls reflect reaches everything, less so near edges. Colours, textures, sizes, places and the camera are
drawn from the room's number.
"""

import threading
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lowlight.colour import linear_to_srgb
from lowlight.data.shapes import Floats, Outline, Points, box, column, dot, on_surface, sphere
from lowlight.data.textures import TEXTURES, Texture, mixed, pigment

SIZE = (512, 384)
"""Width and height of a picture in pixels."""

_LAMP_SAMPLES = 5
"""Points per lamp from which light is traced; more of them give smoother shadows."""

_locks = [threading.Lock() for _ in range(16)]


@dataclass(frozen=True)
class Room:
    """A room by its number, which determines everything in it."""

    number: int

    @property
    def stem(self) -> str:
        """Name of the room, like that of a photograph's file."""
        return f"room{self.number:03d}"

    def size(self) -> tuple[int, int]:
        """Return width and height of the picture in pixels."""
        return SIZE

    def key(self) -> str:
        """Return a key of the pixels; its first number changes whenever the procedure does."""
        return f"room 1|{self.number}"

    def read(self) -> NDArray[np.uint8]:
        """Return the picture, 8-bit sRGB of shape (H, W, 3), rendered once per process."""
        with _locks[self.number % len(_locks)]:
            return render(self.number)


@dataclass(frozen=True)
class Thing:
    """An object: its outline, texture, colours, gloss in [0, 1] and the light it emits itself."""

    outline: Outline
    texture: Texture
    colours: tuple[Floats, Floats]
    gloss: float = 0.0
    glow: Floats | None = None


@dataclass(frozen=True)
class Lamp:
    """Points that light comes from, shape (3, S), and their joint power in red, green and blue."""

    points: Points
    power: Floats


class Scene:
    """Everything in a room, drawn from its number."""

    def __init__(self, number: int) -> None:
        self.generator = np.random.default_rng([number, 20240917])
        draw = self.generator.uniform
        self.width, self.height, self.depth = draw(3.6, 6.5), draw(2.4, 3.1), draw(4.0, 7.0)
        self.things: list[Thing] = []
        self.lamps: list[Lamp] = []
        middle = column(0, self.height / 2, self.depth / 2)
        self.outline = box(middle, (self.width / 2, self.height / 2, self.depth / 2), inside=True)
        pale = pigment(self.generator, saturation=0.15, value=0.85)
        self.faces = {
            "wall": self._material("wall", value=0.7),
            "side": self._material("wall", value=0.75),
            "floor": self._material("floor", value=0.5),
            "ceiling": (TEXTURES["plaster"], (pale, 0.9 * pale)),
        }
        self._furnish()
        self._light()

    def _material(self, kind: str, value: float) -> tuple[Texture, tuple[Floats, Floats]]:
        """Draw a texture that suits a kind of surface, and two colours of it."""
        choices = {
            "wall": ("plaster", "stripes", "bricks", "panels", "checks"),
            "floor": ("planks", "tiles", "carpet", "checks"),
            "wood": ("planks", "panels"),
            "cloth": ("carpet", "stripes", "checks", "plaster"),
            "any": tuple(TEXTURES),
        }[kind]
        texture = TEXTURES[str(self.generator.choice(choices))]
        first = pigment(self.generator, value=value)
        second = pigment(self.generator, value=value * self.generator.uniform(0.5, 1.0))
        share = np.float32(self.generator.uniform(0.2, 1.0))
        return texture, (first, share * second + (1 - share) * first * np.float32(0.8))

    def _add(self, outline: Outline, kind: str, value: float, gloss: float = 0.0) -> None:
        """Add an object of a kind of surface."""
        texture, colours = self._material(kind, value)
        self.things.append(Thing(outline, texture, colours, gloss))

    def _add_flat(self, outline: Outline, texture: str, values: tuple[float, float]) -> None:
        """Add an object of a given texture in two colours of their own."""
        first, second = (pigment(self.generator, value=value) for value in values)
        self.things.append(Thing(outline, TEXTURES[texture], (first, second)))

    def _furnish(self) -> None:
        """Add furniture, things on and beside it, and pictures on the walls."""
        draw, width, depth = self.generator.uniform, self.width, self.depth
        for side in self.generator.permutation([-1, 1])[: self.generator.integers(1, 3)]:
            tall, wide = draw(0.5, 1.1), draw(0.4, 1.0)  # shelf or cupboard along a side
            outline = box(
                column(side * (width / 2 - 0.22), tall, draw(0.45, 0.85) * depth), (0.2, tall, wide)
            )
            self._add_flat(outline, "books" if draw() < 0.6 else "panels", (0.6, 0.4))
        self._add_table(draw(-0.3, 0.3) * width, draw(0.45, 0.75), draw(0.45, 0.75) * depth)
        away, right = depth - draw(0.4, 0.6), draw(-0.25, 0.25) * width  # a sofa or bench at the back
        seat, arm = draw(0.6, 1.0), draw(0.35, 0.5)
        self._add(box(column(right, 0.2, away), (seat, 0.2, 0.35)), "cloth", 0.5)
        self._add(box(column(right, arm, away + 0.3), (seat, arm, 0.1)), "cloth", 0.5)
        for _ in range(self.generator.integers(2, 6)):  # boxes and balls on the floor
            half = draw(0.1, 0.3)
            place = column(draw(-0.45, 0.45) * width, half, draw(0.35, 0.9) * depth)
            if draw() < 0.4:
                self._add(sphere(place, half), "any", 0.6, gloss=draw(0, 0.8))
            else:
                self._add(box(place, (half, half, half * draw(0.5, 1)), draw(0, 3)), "any", 0.55)
        for _ in range(self.generator.integers(2, 6)):  # pictures on the walls
            wide, tall = draw(0.2, 0.6), draw(0.2, 0.45)
            if draw() < 0.6:
                place = column(draw(-0.4, 0.4) * width, draw(1.3, 1.8), depth - 0.02)
                sides = wide, tall, 0.02
            else:
                side = self.generator.choice([-1, 1])
                place = column(side * (width / 2 - 0.02), draw(1.3, 1.8), draw(0.4, 0.9) * depth)
                sides = 0.02, tall, wide
            self._add_flat(box(place, sides), "painting", (0.7, 0.5))

    def _add_table(self, right: float, up: float, away: float) -> None:
        """Add a table with its top at ``up``, and one to three things on it."""
        draw = self.generator.uniform
        turn, top, across = draw(0, 1.5), draw(0.35, 0.7), draw(0.3, 0.5)

        def place(x: float, height: float, z: float) -> Points:
            along, beside = np.cos(turn) * x + np.sin(turn) * z, np.cos(turn) * z - np.sin(turn) * x
            return column(right + along, height, away + beside)

        texture, colours = self._material("wood", 0.55)
        plate = box(column(right, up, away), (top, 0.03, across), turn)
        self.things.append(Thing(plate, texture, colours, gloss=draw(0, 0.6)))
        for x, z in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
            foot = place(x * (top - 0.05), up / 2, z * (across - 0.05))
            self.things.append(Thing(box(foot, (0.03, up / 2, 0.03), turn), texture, colours))
        for _ in range(self.generator.integers(1, 4)):
            radius = draw(0.06, 0.14)
            centre = place(draw(-0.7, 0.7) * top, up + 0.03 + radius, draw(-0.7, 0.7) * across)
            ball, block = sphere(centre, radius), box(centre, (radius, radius, 0.7 * radius), draw(0, 3))
            self._add(ball if draw() < 0.6 else block, "any", 0.6, gloss=draw(0, 0.8))

    def _light(self) -> None:
        """Add one or two lamps, and a window in every third room."""
        draw = self.generator.uniform
        warm = np.array([1.0, draw(0.62, 0.95), 0.0], np.float32)
        warm[2] = warm[1] - draw(0.1, 0.25)
        spots = [(draw(-0.3, 0.3) * self.width, self.height - draw(0.25, 0.7), draw(0.3, 0.7) * self.depth)]
        if draw() < 0.6:
            spots.append((draw(-0.4, 0.4) * self.width, draw(1.0, 1.7), draw(0.5, 0.9) * self.depth))
        for spot in spots:
            radius, power = draw(0.07, 0.16), np.float32(draw(3, 9)) * warm
            around = self.generator.normal(size=(3, _LAMP_SAMPLES)).astype(np.float32)
            around *= np.float32(radius) / np.linalg.norm(around, axis=0)
            self.lamps.append(Lamp(column(*spot) + np.float32(1.2) * around, power))
            white = (np.ones(3, np.float32),) * 2
            glow = power / np.float32(radius * 8)
            self.things.append(Thing(sphere(column(*spot), radius), TEXTURES["plaster"], white, glow=glow))
        if draw() < 0.35:
            side, wide, tall = self.generator.choice([-1, 1]), draw(0.4, 0.8), draw(0.4, 0.6)
            place = side * (self.width / 2 - 0.03), draw(1.3, 1.6), draw(0.35, 0.8) * self.depth
            sky = np.array([draw(0.6, 0.9), draw(0.8, 0.95), 1.0], np.float32)
            across = self.generator.uniform(-1, 1, (2, _LAMP_SAMPLES)).astype(np.float32)
            spread = np.stack([np.full(_LAMP_SAMPLES, -side * 0.06), across[0] * tall, across[1] * wide])
            power = np.float32(draw(6, 16)) * sky
            self.lamps.append(Lamp(column(*place) + spread.astype(np.float32), power))
            outline = box(column(*place), (0.02, tall, wide))
            glass = (np.ones(3, np.float32), np.full(3, 0.25, np.float32))
            self.things.append(Thing(outline, TEXTURES["panes"], glass, glow=power * np.float32(0.5)))

    def camera(self, width: int, height: int) -> tuple[Points, Points]:
        """Draw a camera near the first wall; return its position and one ray per pixel, row by row."""
        draw = self.generator.uniform
        place = column(draw(-0.3, 0.3) * self.width, draw(1.1, 1.8), draw(0.1, 0.3) * self.depth)
        yaw, pitch, focal = draw(-0.45, 0.45), draw(-0.25, 0.0), draw(1.0, 1.7)
        across = (np.arange(width, dtype=np.float32) + 0.5) / width * 2 - 1
        down = (1 - (np.arange(height, dtype=np.float32) + 0.5) / height * 2) * height / width
        right, up = (axis.ravel() for axis in np.meshgrid(across, down))
        away = np.full_like(right, focal)
        up, away = np.cos(pitch) * up + np.sin(pitch) * away, np.cos(pitch) * away - np.sin(pitch) * up
        right, away = np.cos(yaw) * right + np.sin(yaw) * away, np.cos(yaw) * away - np.sin(yaw) * right
        rays = np.stack([right, up, away]).astype(np.float32)
        return place, rays / np.linalg.norm(rays, axis=0)

    def trace(self, place: Points, rays: Points) -> Floats:
        """Return the light along each ray, shape (3, N), linear."""
        nearest, local, normal = self.outline.hit(place, rays)
        albedo, gloss = self._faces(local, normal), np.zeros(rays.shape[1], np.float32)
        glow = np.zeros_like(rays)
        for index, thing in enumerate(self.things):
            near = thing.outline.near(place, rays)
            distance, spot, facing = thing.outline.hit(place, rays[:, near])
            first = np.flatnonzero(distance < nearest[near])
            seen = near[first]
            nearest[seen], normal[:, seen] = distance[first], facing[:, first]
            share = thing.texture(*on_surface(spot[:, first], facing[:, first]), index)
            albedo[:, seen] = mixed(thing.colours, share)
            gloss[seen] = thing.gloss
            glow[:, seen] = 0 if thing.glow is None else mixed((thing.glow, 0.2 * thing.glow), share)
        spots = place + (nearest - np.float32(2e-3)) * rays
        light = self._reflected(spots)
        shine = np.zeros_like(light)
        bounced = rays - 2 * dot(rays, normal) * normal
        for lamp in self.lamps:
            for point in lamp.points.T:
                direct, mirrored = self.lit(spots, normal, bounced, point[:, None])
                light += lamp.power[:, None] / _LAMP_SAMPLES * direct
                shine += lamp.power[:, None] / _LAMP_SAMPLES * gloss * mirrored
        return np.asarray(albedo * light + shine + glow)

    def lit(self, spots: Points, normal: Points, bounced: Points, source: Points) -> tuple[Floats, Floats]:
        """Return the share of a point's light that each spot receives, and what a mirror there would show."""
        way = spots - source
        square = dot(way, way)
        length = np.sqrt(square)
        cosine: Floats = np.maximum(-dot(way, normal) / length, 0).astype(np.float32)
        for thing in self.things:
            if thing.glow is None:
                near = thing.outline.near(source, way, length)
                near = near[cosine[near] > 0]
                distance = thing.outline.hit(source, way[:, near])[0]
                cosine[near[distance < 0.998]] = 0
        along: Floats = np.where(cosine > 0, np.maximum(-dot(bounced, way) / length, 0), 0).astype(np.float32)
        mirrored: Floats = along**40 / square
        return cosine / square, mirrored

    def _faces(self, local: Points, normal: Points) -> Points:
        """Colour the walls, the floor and the ceiling."""
        albedo = np.zeros_like(local)
        parts = {
            "floor": normal[1] > 0.5,
            "ceiling": normal[1] < -0.5,
            "side": np.abs(normal[0]) > 0.5,
            "wall": np.abs(normal[2]) > 0.5,
        }
        for index, (name, part) in enumerate(parts.items()):
            texture, colours = self.faces[name]
            albedo[:, part] = mixed(
                colours, texture(*on_surface(local[:, part], normal[:, part]), 97 + index)
            )
        return albedo

    def _reflected(self, spots: Points) -> Points:
        """Return the light that the room reflects onto each spot, less near its edges."""
        area = 2 * (self.width * self.height + self.width * self.depth + self.height * self.depth)
        power = np.sum([lamp.power for lamp in self.lamps], axis=0)
        walls = np.mean([mean for _, (mean, _) in self.faces.values()], axis=0)
        to_wall = np.minimum(spots[0] + self.width / 2, self.width / 2 - spots[0])
        to_wall = np.minimum(to_wall, self.depth - spots[2])
        open_ = (1 - 0.5 * np.exp(-to_wall / 0.35)) * (1 - 0.5 * np.exp(-spots[1] / 0.3))
        open_ = open_ * (1 - 0.4 * np.exp(-(self.height - spots[1]) / 0.4))
        return np.asarray((9 * power * walls / area)[:, None] * open_, np.float32)


@lru_cache(maxsize=64)
def render(number: int) -> NDArray[np.uint8]:
    """Render a room and expose it: its brightest twentieth is near white, and lamps clip."""
    scene = Scene(number)
    width, height = SIZE
    light = scene.trace(*scene.camera(width, height))
    power = np.sum([lamp.power for lamp in scene.lamps], axis=0)
    balance = (power.mean() / power) ** scene.generator.uniform(0.6, 1.0)  # the camera's white balance
    light = light * balance[:, None].astype(np.float32)
    exposed = np.minimum(light / np.float32(np.quantile(light, 0.95) / scene.generator.uniform(0.35, 0.9)), 1)
    rows = exposed.reshape(3, height, width).transpose(1, 2, 0).astype(np.float64)
    picture: NDArray[np.uint8] = np.round(linear_to_srgb(rows) * 255).astype(np.uint8)
    picture.flags.writeable = False
    return picture
