"""A package of schema 2 with two models: the tiny one, and a standby of the same layout."""

import hashlib

from tests.unit.detect.tiny_model import HEIGHT, THRESHOLD, WIDTH, tiny_onnx, write_package

MODEL = """
[[model]]
role = "{role}"
precision = "{precision}"
onnx = "{role}.onnx"
onnx_sha256 = "{sha256}"
score_threshold = {threshold}
gmac = {gmac}
[model.input]
width_px = {width}
height_px = {height}
channels = 1
golden = {golden}
[model.golden_frames]
expected = "golden/expected.json"
"""


def write_two_models(folder, *, golden=True, standby_fault="", standby_threshold=THRESHOLD):
    """Writes the package; the standby's fault is one of `tiny_onnx`."""
    write_package(folder, golden=golden)
    (folder / "model.onnx").unlink()
    text = f'schema = 2\nname = "{folder.name}"\nversion = "1.0.0"\nkind = "detection"\nclasses = ["left", "right"]\n'
    models = (("accelerator", "fp32", "", THRESHOLD, 0.4), ("standby", "int8", standby_fault, standby_threshold, 0.1))
    for role, precision, fault, threshold, gmac in models:
        content = tiny_onnx(golden=golden, fault=fault)
        (folder / f"{role}.onnx").write_bytes(content)
        text += MODEL.format(
            role=role,
            precision=precision,
            sha256=hashlib.sha256(content).hexdigest(),
            threshold=threshold,
            gmac=gmac,
            width=WIDTH,
            height=HEIGHT,
            golden=str(golden).lower(),
        )
    (folder / "manifest.toml").write_text(text)
    return folder
