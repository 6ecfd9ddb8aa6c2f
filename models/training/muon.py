"""An optimiser that turns kernels by orthogonal steps; everything else learns by AdamW.

The moving average of a kernel's gradient, read as a matrix of outputs by inputs, is replaced by the nearest orthogonal
matrix, so that no direction is learnt faster than another (Muon: K. Jordan and others, 2024, kellerjordan.github.io/
posts/muon). Scaled as in Liu et al., arXiv:2502.16982, its steps are as large as AdamW's, so that one learning rate and
one weight decay hold for both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

_MOMENTUM = 0.95
_LIKE_ADAMW = 0.2  # the usual root mean square of AdamW's steps
_POLYNOMIAL = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
_EPSILON = 1e-7


class Muon(torch.optim.AdamW):
    """Muon for some groups of parameters, AdamW for the others.

    Args:
        groups: As for AdamW; a group whose `is_orthogonal` is true holds kernels of at least two axes.
        learning_rate: Of all groups.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], learning_rate: float) -> None:
        super().__init__(groups, lr=learning_rate)

    def __setstate__(self, state: dict[str, object]) -> None:
        """Takes a state over; AdamW looks for a count of steps in all of it."""
        known = state.get("state")
        for each in known.values() if isinstance(known, dict) else ():
            each.setdefault("step", torch.zeros(()))
        super().__setstate__(state)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002  (as torch calls it)
        """Takes a step."""
        groups = self.param_groups
        self.param_groups = [group for group in groups if not group.get("is_orthogonal")]
        try:
            super().step()
        finally:
            self.param_groups = groups
        for group in groups:
            if group.get("is_orthogonal"):
                for kernel in group["params"]:
                    if kernel.grad is not None:
                        self._turn(kernel, group["lr"], group["weight_decay"])

    def _turn(self, kernel: nn.Parameter, rate: float, decay: float) -> None:
        state = self.state[kernel]
        assert kernel.grad is not None
        if "mean" not in state:
            state["mean"] = torch.zeros_like(kernel)
        mean = state["mean"].lerp_(kernel.grad, 1 - _MOMENTUM)
        ahead = kernel.grad.lerp(mean, _MOMENTUM)
        matrix = ahead.reshape(len(kernel), -1)
        turn = orthogonal(matrix).reshape(kernel.shape)
        kernel.mul_(1 - rate * decay)
        kernel.add_(turn, alpha=-rate * _LIKE_ADAMW * max(matrix.shape) ** 0.5)


def orthogonal(matrix: Tensor) -> Tensor:
    """Nearly the nearest orthogonal matrix: its singular values become about 1, by a Newton-Schulz iteration.

    Args:
        matrix: float (rows, columns).
    """
    is_tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.T if is_tall else matrix
    x = x / (x.norm() + _EPSILON)
    a, b, c = _POLYNOMIAL
    for _ in range(_ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if is_tall else x
