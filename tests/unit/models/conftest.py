"""Small made-up boards, and where the real ones lie."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
CLASSES = ("hole", "blob")


def draw_board(random, side=96):
    """Stripes as the golden sample; a part with one black hole and one white blob, and where they are."""
    golden = np.zeros((side, side), np.uint8)
    golden[:, 16:32] = golden[:, 56:72] = 255
    part = golden.copy()
    hole_y, blob_y = random.integers(8, side - 20, 2)
    part[hole_y : hole_y + 12, 18:30] = 0
    part[blob_y : blob_y + 12, 38:50] = 255
    return part, golden, [[18, int(hole_y), 12, 12], [38, int(blob_y), 12, 12]]


def write_set(folder, split, count):
    """Writes `count` boards as a COCO set with golden samples."""
    random = np.random.default_rng(count)
    images, templates = folder / "images" / split, folder / "images" / f"{split}_template"
    images.mkdir(parents=True)
    templates.mkdir()
    (folder / "annotations").mkdir(exist_ok=True)
    rows, boxes = [], []
    for number in range(count):
        part, golden, found = draw_board(random)
        cv2.imwrite(str(images / f"{number:03}.png"), part)
        cv2.imwrite(str(templates / f"{number:03}.png"), golden)
        rows.append({"id": number, "file_name": f"{number:03}.png", "width": 96, "height": 96})
        for category, box in enumerate(found):
            boxes.append({"id": len(boxes), "image_id": number, "category_id": 10 + category, "bbox": box})
    categories = [{"id": 10 + index, "name": name} for index, name in enumerate(CLASSES)]
    truth = {"images": rows, "annotations": boxes, "categories": categories}
    (folder / "annotations" / f"{split}.json").write_text(json.dumps(truth))


@pytest.fixture
def data_dir(tmp_path):
    folder = tmp_path / "data"
    write_set(folder, "train", 6)
    write_set(folder, "val", 3)
    return folder


@pytest.fixture
def recipe():
    from models.recipe import recipe_from_dict

    return recipe_from_dict(
        {
            "name": "tiny",
            "version": "0.0.1",
            "classes": list(CLASSES),
            "input": {
                "width_px": 96,
                "height_px": 96,
                "golden": True,
                "black_level": 127,
                "white_level": 128,
                "two_level": True,
            },
            "net": {"stem": 8, "fine": [8], "coarse": [8, 8], "head": [8]},
            "train": {"steps": 30, "batch": 4, "crop_px": 64, "warmup_steps": 5, "evaluate_every_steps": 15, "seed": 1},
        },
        "the test",
    )


@pytest.fixture
def repository():
    return REPOSITORY


def real_pictures(name):
    """A folder of the real pictures; the test is left out where it is not there."""
    root = Path(os.environ.get("TAKT_DATA", str(REPOSITORY.parent / "shared" / "data")))
    if not (root / name).is_dir():
        pytest.skip(f"no real pictures in {root / name}: set TAKT_DATA to the folder that holds {name}/")
    return root / name


@pytest.fixture
def deeppcb():
    return real_pictures("deeppcb")


@pytest.fixture
def one_thread():
    """Sums that are added up in one order, whatever the machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def zoo_package():
    return REPOSITORY / "models" / "zoo" / "pcb-nano"
