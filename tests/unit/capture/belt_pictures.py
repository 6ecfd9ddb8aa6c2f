"""Renders belts with parts for a camera above: where each part lies is known, and triggers can be held against it."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

SHAPES = ("plate", "disc", "ring", "slotted", "striped", "turned", "plug")
_TEXTURE_PX = 2048


@dataclass(frozen=True)
class Scene:
    """A belt, its parts and its light.

    Attributes:
        width_px: Of the picture, along the belt.
        height_px: Across it.
        part_px: Length of a part.
        pitch: From lead to lead, in part lengths; with `spread`, up to so much more by chance.
        parts: How many.
        shapes: What they look like, by chance.
        levels: Their grey levels, by chance between the two, or one of several if it is a tuple of more.
        belt: Grey level of the belt.
        texture: Standard deviation of the belt's texture.
        grain_px: Size of its grain.
        marks_px: Distance of cross lines on the belt; 0: none.
        noise: Standard deviation of the camera's noise.
        first_px: Where the first leading edge is at travel 0, from where parts come in; negative before it.
        tilt: Parts are turned by chance by up to so many degrees.
        vignette: Loss of light in the corners.
    """

    width_px: int = 320
    height_px: int = 120
    part_px: float = 60
    pitch: float = 1.5
    spread: float = 0.0
    parts: int = 20
    shapes: tuple[str, ...] = SHAPES
    levels: tuple[int, ...] = (140, 230)
    belt: int = 60
    texture: float = 5
    grain_px: float = 2
    marks_px: float = 0
    noise: float = 2
    first_px: float = -10
    tilt: float = 0
    vignette: float = 0
    seed: int = 1
    leads_px: np.ndarray = field(init=False)
    """How far the belt must go until each part's leading edge comes in."""

    def __post_init__(self):
        rng = np.random.default_rng(self.seed)
        steps = self.part_px * (self.pitch + self.spread * rng.random(self.parts))
        object.__setattr__(self, "leads_px", -self.first_px + np.concatenate(([0], np.cumsum(steps[:-1]))))


class Belt:
    """Takes pictures of a scene at any travel of its belt."""

    def __init__(self, scene):
        self.scene = scene
        rng = np.random.default_rng(scene.seed + 1)
        self._texture = self._belt_texture(rng)
        looks = [self._part(rng) for _ in range(min(scene.parts, 40))]
        self._looks = [looks[i] for i in rng.integers(0, len(looks), scene.parts)]
        self._noise = rng.normal(0, 1, (scene.height_px + 64, scene.width_px + 64)).astype(np.float32)
        self._rng = rng
        y, x = np.mgrid[-1 : 1 : scene.height_px * 1j, -1 : 1 : scene.width_px * 1j]
        self._light = (1 - scene.vignette * (x * x + y * y) / 2).astype(np.float32)

    def picture(self, travel_px, light=1.0):
        """Grey picture, parts going right, when the belt has gone so far."""
        scene = self.scene
        columns = (np.arange(scene.width_px) - travel_px) % _TEXTURE_PX
        low = np.floor(columns).astype(int)
        share = np.float32(columns[0] - low[0])
        image = (1 - share) * self._texture[:, low] + share * self._texture[:, (low + 1) % _TEXTURE_PX]
        leads = travel_px - scene.leads_px
        for index in np.flatnonzero((leads > -40) & (leads < scene.width_px + 1.6 * scene.part_px + 40)):
            self._lay(image, index, leads[index])
        dy, dx = self._rng.integers(0, 64, 2)
        image = image * self._light * light
        image += scene.noise * self._noise[dy : dy + scene.height_px, dx : dx + scene.width_px]
        return np.clip(image + 0.5, 0, 255).astype(np.uint8)

    def _lay(self, image, index, lead):
        look, cover, end = self._looks[index]
        shift = np.array([[1, 0, lead - end], [0, 1, 0]], np.float64)
        size = (self.scene.width_px, self.scene.height_px)
        placed = cv2.warpAffine(cover, shift, size, flags=cv2.INTER_LINEAR)
        drawn = cv2.warpAffine(look, shift, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        image += placed * (drawn - image)

    def _belt_texture(self, rng):
        scene = self.scene
        grain = rng.normal(0, 1, (scene.height_px, _TEXTURE_PX)).astype(np.float32)
        wrapped = np.concatenate((grain, grain[:, :64]), axis=1)
        smooth = cv2.GaussianBlur(wrapped, (0, 0), max(0.3, scene.grain_px / 2))[:, 32 : 32 + _TEXTURE_PX]
        texture = scene.belt + scene.texture * smooth / smooth.std()
        if scene.marks_px:
            for place in np.arange(20, _TEXTURE_PX - 20, scene.marks_px).astype(int):
                texture[:, place : place + 3] *= 1.5
        return texture.astype(np.float32)

    def _part(self, rng):
        """A part's levels, its cover (1 where it is), and the column where it ends."""
        scene = self.scene
        length, height = scene.part_px, scene.height_px
        width = height * rng.uniform(0.35, 0.6)
        size = int(1.6 * length) + 20
        centre = np.array([size / 2, height / 2 + rng.uniform(-0.08, 0.08) * height])
        levels = scene.levels
        level = rng.uniform(*levels) if len(levels) == 2 else rng.choice(levels)
        over = 4  # drawn larger, then reduced, so that edges lie between pixels
        cover = np.zeros((height * over, size * over), np.float32)
        look = np.full((height, size), level, np.float32) + rng.normal(0, 4, (height, size)).astype(np.float32)
        kind = rng.choice(scene.shapes)
        tilt = rng.uniform(-scene.tilt, scene.tilt) + (rng.uniform(-3, 3) if kind == "turned" else 0)
        self._draw(cover, kind, centre * over, length * over, width * over, tilt)
        cover = cv2.resize(cover, (size, height), interpolation=cv2.INTER_AREA)
        if kind == "striped":
            stripes = (np.arange(size) // max(2, int(length / 9))) % 2
            look += np.where(stripes, 0.35 * (scene.belt - level), 0).astype(np.float32)
        end = np.flatnonzero((cover > 0.5).any(axis=0))[-1] + 1
        return look, cover, float(end)

    def _draw(self, cover, kind, centre, length, width, tilt):
        x, y = centre
        if kind in ("disc", "ring"):
            cv2.ellipse(cover, ((x, y), (length, width), 0), 1, -1)
            if kind == "ring":
                cv2.ellipse(cover, ((x, y), (0.5 * length, 0.5 * width), 0), 0, -1)
            return
        radians = np.radians(abs(tilt))
        # A turned part keeps its extent along the belt, so that the pitch means the same for every shape.
        body = (length - width * np.sin(radians)) / np.cos(radians)
        cv2.fillPoly(cover, [np.intp(cv2.boxPoints(((x, y), (body, width), tilt)))], 1)
        if kind == "slotted":
            cover[:, int(x - 0.06 * length) : int(x + 0.03 * length)] = 0
        if kind == "plug":
            nose = int(x + 0.35 * length)
            cover[: int(y - 0.2 * width), nose:] = 0
            cover[int(y + 0.2 * width) :, nose:] = 0
