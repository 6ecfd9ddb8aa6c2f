"""A pruned net is trained on, under the net that it was."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from app.errors import DataError
from models.recipe import Schedule, TrainingRecipe
from models.smaller.distil import LOSS_NAMES, UNWATCHED, Watch, taught_by
from models.smaller.prune import prune_net
from models.smaller.teaching import Lesson
from models.training.checkpoint import LAST, TrainingState, load_average
from models.training.train import Start

_EVALUATIONS = 5


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """How a net is pruned and trained on.

    Attributes:
        share: What is left of the multiplications, at most, 0 .. 1.
        steps: Batches that it is trained on.
        learning_rate: At its highest.
        device: Where it runs, as torch names it.
        is_resumed: Continue from `last.pt`; share and net are those of then.
    """

    share: float
    steps: int
    learning_rate: float = 1e-3
    device: str = "cpu"
    is_resumed: bool = False


def prune_checkpoint(
    checkpoint: Path,
    data_dir: Path,
    out: Path,
    plan: PrunePlan,
    watch: Watch = UNWATCHED,
) -> TrainingState:
    """Prunes a detector and trains it on.

    Args:
        checkpoint: The trained net's; it is the teacher too.
        data_dir: As for `models.training.train.train`.
        out: As for `models.training.train.train`; the checkpoints are those of a training.
        plan: How.
        watch: Who looks on; also told what pruning left.

    Raises:
        DataError: The checkpoint or the data cannot be used, or so small a share cannot be reached.
        MissingDriverError: pycocotools is not installed.
    """
    if plan.steps < 1:
        raise DataError(f"{plan.steps} steps are none", "give some thousands")
    if plan.is_resumed:
        _net, small, _step = load_average(out / LAST)
        initial = None
    else:
        net, recipe, _step = load_average(checkpoint)
        pruned = prune_net(net, recipe, plan.share)
        small, initial = pruned.recipe, pruned.net
        watch.on_remark(
            f"{pruned.macs / 1e9:.3f} of {pruned.macs_before / 1e9:.3f} GMAC are left: {widths_words(small)}"
        )
    recipe = dataclasses.replace(small, train=_schedule(small, plan))
    with taught_by(str(checkpoint), recipe, Lesson(), data_dir, plan.device) as loss_of:
        start = Start(
            resume=plan.is_resumed, device=plan.device, initial=initial, loss_of=loss_of, loss_names=LOSS_NAMES
        )
        return watch.train(recipe, data_dir, out, start)


def widths_words(recipe: TrainingRecipe) -> str:
    """The channel counts of a net, as a person reads them."""
    net = recipe.net
    stages = [("stem", (net.stem,)), ("fine", net.fine), ("coarse", net.coarse), ("deep", net.deep), ("head", net.head)]
    return ", ".join(f"{name} {'-'.join(map(str, widths))}" for name, widths in stages if widths)


def _schedule(recipe: TrainingRecipe, plan: PrunePlan) -> Schedule:
    return dataclasses.replace(
        recipe.train,
        steps=plan.steps,
        learning_rate=plan.learning_rate,
        warmup_steps=min(recipe.train.warmup_steps, plan.steps // 10),
        evaluate_every_steps=max(1, min(recipe.train.evaluate_every_steps, plan.steps // _EVALUATIONS)),
    )
