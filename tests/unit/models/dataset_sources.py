"""Small labelled sources in every format, drawn here."""

import json

import cv2
import numpy as np

WIDTH, HEIGHT = 64, 48
CLASSES = ("hole", "blob")
SUFFIX = ".png"


def texture(seed, height=HEIGHT, width=WIDTH):
    """A surface with a texture of its own, as rolled steel has one: grey, uint8."""
    noise = np.random.default_rng(seed).normal(0, 1, (height, width)).astype(np.float32)
    coarse = cv2.GaussianBlur(noise, (0, 0), 1.5)
    return np.clip(128 + 90 * coarse / coarse.std() * 0.4, 0, 255).astype(np.uint8)


def write_pictures(folder, names, first_seed=0):
    """Writes a picture of another texture for each name."""
    for index, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), texture(first_seed + index))


def coco_values(boxes_by_name, classes=CLASSES, width=WIDTH, height=HEIGHT):
    """COCO tables: for each picture its boxes as (class, x, y, width, height)."""
    images, annotations = [], []
    for number, (name, boxes) in enumerate(boxes_by_name.items(), 1):
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        for label, *box in boxes:
            row = {"id": len(annotations) + 1, "image_id": number, "category_id": classes.index(label) + 7, "bbox": box}
            annotations.append(row)
    categories = [{"id": index + 7, "name": name} for index, name in enumerate(classes)]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_coco(root, boxes_by_name, first_seed=0):
    """A COCO source: pictures in images/, one labels.json."""
    write_pictures(root / "images", boxes_by_name, first_seed)
    (root / "labels.json").write_text(json.dumps(coco_values(boxes_by_name)))
    return root


def many(count):
    """Boxes for so many pictures: a hole in the even ones, a blob in every third, nothing in others."""
    found = {}
    for number in range(count):
        boxes = [("hole", 10, 10, 12, 8)] if number % 2 == 0 else []
        boxes += [("blob", 30, 20, 9, 9)] if number % 3 == 0 else []
        found[f"p{number:02}.png"] = boxes
    return found


def write_yolo(root, labels_by_name, names="names: [hole, blob]", split="train"):
    """A YOLO source: data.yaml, images/<split>/, labels/<split>/; a text of None writes no label file."""
    write_pictures(root / "images" / split, labels_by_name)
    labels = root / "labels" / split
    labels.mkdir(parents=True)
    for name, text in labels_by_name.items():
        if text is not None:
            (labels / f"{name.rsplit('.', 1)[0]}.txt").write_text(text)
    (root / "data.yaml").write_text(f"path: .\n{split}: images/{split}\n{names}\n")
    return root


def voc_text(boxes, filename="a.png", width=WIDTH, height=HEIGHT):
    """A VOC annotation; boxes as (class, xmin, ymin, xmax, ymax)."""
    objects = "".join(
        f"<object><name>{label}</name><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax>"
        "</bndbox></object>"
        for label, x1, y1, x2, y2 in boxes
    )
    size = f"<size><width>{width}</width><height>{height}</height><depth>1</depth></size>"
    return f"<annotation><filename>{filename}</filename>{size}{objects}</annotation>"


def write_mask(path, boxes, height=HEIGHT, width=WIDTH):
    """A mask with a filled rectangle (value, x, y, width, height) for each box."""
    mask = np.zeros((height, width), np.uint8)
    for value, x, y, across, down in boxes:
        mask[y : y + down, x : x + across] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), mask)


def review_line(part, picture, decision="bad", **more):
    """One line of a review export."""
    row = {"schema": 1, "part": part, "picture": picture, "verdict": "reject", "decision": decision, "reviewer": "anna"}
    return json.dumps(row | more)
