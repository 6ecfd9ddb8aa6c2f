"""A classifier of whole pictures on the trunk of the detectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.nets.net import Trunk
from models.recipe import NetShape


class ClassNet(Trunk):
    """Trunk, mean and maximum over the deepest map, one linear layer.

    The mean alone hardly sees a defect that fills one cell of a hundred.

    Args:
        shape: Channel counts; the head's are not used.
        classes: Number of classes.
        channels_in: Channels of the input.
    """

    def __init__(self, shape: NetShape, classes: int, channels_in: int) -> None:
        super().__init__(shape, channels_in)
        self.classes = classes
        self.out = nn.Linear(2 * self.widths[-1], classes)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Maps float (N, channels_in, H, W) to class logits, float32 (N, classes)."""
        deepest = self.features(x)[-1]
        pooled = torch.cat([deepest.mean(dim=(2, 3)), deepest.amax(dim=(2, 3))], dim=1)
        return self.out(pooled).float()  # type: ignore[no-any-return]

    @torch.no_grad()
    def probabilities(self, x: Tensor) -> Tensor:
        """Maps float (N, channels_in, H, W) to probabilities, float32 (N, classes), each row with the sum 1."""
        return torch.softmax(self(x), dim=1)


def classification_loss(logits: Tensor, categories: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of a batch.

    Args:
        logits: float (N, classes).
        categories: int64 (N,), the true classes.

    Returns:
        The mean to minimise, and the same detached (1,) to report.
    """
    loss = functional.cross_entropy(logits, categories)
    return loss, loss.detach()[None]
