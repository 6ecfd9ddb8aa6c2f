"""How fast a net learns at each step, and when it is worth no more."""

from __future__ import annotations

import math

from models.recipe import Schedule

_FINAL_RATE = 0.01  # of the learning rate, where the cosine ends


def learning_rate_at(plan: Schedule, step: int) -> float:
    """Linear warm-up, then a cosine to a hundredth (Loshchilov, Hutter, arXiv:1608.03983)."""
    warm = min(1.0, (step + 1) / max(1, plan.warmup_steps))
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / plan.steps)))
    return plan.learning_rate * warm * (_FINAL_RATE + (1.0 - _FINAL_RATE) * cosine)


def average_decay(plan: Schedule, step: int) -> float:
    """How much of the averaged weights stays; early on they follow faster, or they would keep the random start."""
    return min(plan.ema_decay, (1 + step) / (10 + step))


def has_patience(plan: Schedule, evaluations_without_gain: int) -> bool:
    """Whether it is worth going on."""
    return not plan.patience_evaluations or evaluations_without_gain < plan.patience_evaluations
