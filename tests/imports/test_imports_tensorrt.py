"""Packages made of other libraries' exports, parsed and built by TensorRT-RTX for GPUs that are not here."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from app.detect.package import load_package
from app.errors import PackageError
from tests.imports.exports import folder_of
from tests.imports.recording import MODEL, read_reference

pytestmark = [pytest.mark.imports, pytest.mark.tensorrt]

BUILT = (
    ("ultralytics", "11-raw", "8.6"),
    ("ultralytics", "11-raw", "12.0"),
    ("ultralytics", "11-half", "7.5"),
    ("yolox", "nano-raw", "8.6"),
    ("torchvision", "mobilenet", "8.6"),
)


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Makes a package of an export, each once."""
    made = {}

    def take_in(peer, name):
        if (peer, name) not in made:
            from models.commands import app

            folder, out = folder_of(peer, name), tmp_path_factory.mktemp("imported") / "package"
            arguments = [str(folder / MODEL), "--out", str(out), "--samples", str(folder)]
            done = CliRunner().invoke(app, ["import", *arguments, *read_reference(folder).arguments])
            assert done.exit_code == 0, f"{done.output} {done.exception}"
            made[peer, name] = load_package(out)
        return made[peer, name]

    return take_in


@pytest.mark.parametrize(("peer", "name", "capability"), BUILT)
def test_imported_package_is_built(imported, peer, name, capability):
    from app.detect.tensorrt_build import BuildOptions, build_plan

    assert len(build_plan(imported(peer, name), BuildOptions(capability=capability)).plan) > 100_000


def test_product_of_float_matrices_is_refused_for_turing_with_its_node(imported):
    from app.detect.tensorrt_build import BuildOptions, build_plan

    words = r"cannot be built by TensorRT-RTX .*attn/MatMul.* for Turing \(SM75\): FP32 GEMM is not supported"
    with pytest.raises(PackageError, match=words):
        build_plan(imported("ultralytics", "11-raw"), BuildOptions(capability="7.5"))
