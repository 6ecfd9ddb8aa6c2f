"""Arguments and options that several commands of `takt camera` take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CameraName = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="A camera of the line.toml; may be left out where there is only one."),
]
LineFile = Annotated[
    Path | None,
    typer.Option("--line", metavar="FILE", help="The line.toml that names the camera; by default the twin's own."),
]
Driver = Annotated[
    str | None,
    typer.Option("--driver", metavar="NAME", help="A camera of no line.toml: gige, opencv, csi or folder."),
]
Source = Annotated[
    str | None,
    typer.Option("--source", metavar="TEXT", help="With --driver: what would stand in camera.source."),
]
Size = Annotated[
    str | None, typer.Option("--size", metavar="WxH", help="Size of the frames, instead of width_px and height_px.")
]
Colour = Annotated[bool, typer.Option("--colour", help="Three channels, instead of what the line.toml says.")]
ExposureMs = Annotated[float | None, typer.Option("--exposure-ms", metavar="MS", help="Exposure, for this once.")]
GainDb = Annotated[float | None, typer.Option("--gain-db", metavar="DB", help="Gain, for this once.")]
TimeoutS = Annotated[
    float, typer.Option("--timeout", metavar="S", min=0.05, max=600.0, help="Longest wait for a frame, in seconds.")
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR|FILE", help="Folder of the pictures, or a .png file; by default right here."),
]
Sheet = Annotated[
    Path | None, typer.Option("--sheet", metavar="FILE", help="Write one picture of all, with histograms and figures.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that are there.")]
