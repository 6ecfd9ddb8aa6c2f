"""The ONNX model of a package, to work on."""

from __future__ import annotations

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # it ships no types

from app.detect.package import Package
from app.errors import DataError


def read_model(package: Package) -> onnx.ModelProto:
    """Reads the ONNX of a package.

    Raises:
        DataError: It is no ONNX model.
        PackageError: The file is absent or another one.
    """
    try:
        return onnx.load_from_string(package.read_onnx())
    except DecodeError as error:
        raise DataError(f"{package.onnx} is no ONNX model", "export it again") from error
