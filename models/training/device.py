"""Where a training runs, and that it runs the same way each time."""

from __future__ import annotations

import os

import torch

from app.errors import UsageError
from models.recipe import TrainingRecipe

_CPU_CORES_LEFT = 2
_MOST_FEED_PROCESSES = 6


def choose_device(wanted: str, recipe: TrainingRecipe) -> torch.device:
    """Chooses the device and switches off what would make a GPU's sums differ from run to run.

    Args:
        wanted: "auto", "cpu" or "cuda".
        recipe: Its precision must suit the device.

    Raises:
        UsageError: There is no such device, or the precision does not suit it.
    """
    if wanted not in ("auto", "cpu", "cuda"):
        raise UsageError(f"there is no device {wanted!r}", "use auto, cpu or cuda")
    if wanted == "cuda" and not torch.cuda.is_available():
        raise UsageError("there is no GPU that torch can use", "use --device cpu, or install torch for your GPU")
    name = "cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu"
    if name == "cpu" and recipe.train.precision == "fp16":
        raise UsageError("train.precision fp16 needs a GPU", "use fp32 or bf16 in the recipe")
    if name == "cuda":
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
    return torch.device(name)


def feed_processes(device: torch.device) -> int:
    """How many processes draw batches: on a CPU one, for the cores are the net's."""
    if device.type == "cpu":
        return 1
    return max(1, min(_MOST_FEED_PROCESSES, (os.cpu_count() or 1) - _CPU_CORES_LEFT))
