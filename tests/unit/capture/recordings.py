"""Small folders and videos, and the settings of a camera that shows them."""

import cv2
import numpy as np

from app.config import CameraSettings

WIDTH, HEIGHT = 32, 24
LEVELS = (40, 80, 120)


def settings(driver, source, **changed):
    keys = {"driver": driver, "source": str(source), "width_px": WIDTH, "height_px": HEIGHT, "channels": 1, **changed}
    return CameraSettings.model_validate(keys)


def make_folder(folder, size=(HEIGHT, WIDTH)):
    folder.mkdir(exist_ok=True)
    for index, level in enumerate(LEVELS):
        assert cv2.imwrite(str(folder / f"{index}.png"), np.full(size, level, np.uint8))
    return folder


def make_video(path, size=(HEIGHT, WIDTH)):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, size[::-1])
    assert writer.isOpened()
    for level in LEVELS:
        writer.write(np.full((*size, 3), level, np.uint8))
    writer.release()
    return path
