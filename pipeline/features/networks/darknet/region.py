"""YOLOv2's head (Redmon and Farhadi, 2017, Section 2): scores and boxes from the last convolution's maps."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Region(nn.Module):
    """Scores of classes, (B, anchors, classes, H, W), from maps (B, anchors · (5 + classes), H, W).

    Of each anchor the channels are x, y, width, height, objectness and the classes' scores. The score of a class is
    sigmoid(objectness) × softmax(scores), the probability that the anchor holds an object and that it is of the class.
    """

    def __init__(self, classes: int, anchors: Sequence[float]):
        super().__init__()
        self.classes = classes
        self.register_buffer("anchors", torch.tensor(anchors).reshape(-1, 2), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        raw = self._by_anchor(maps)  # (B, anchors, 5 + classes, H, W)
        return raw[:, :, 4:5].sigmoid() * raw[:, :, 5:].softmax(2)

    def boxes(self, maps: Tensor) -> Tensor:
        """Returns boxes (B, anchors, 4, H, W): centre x and y, width and height, as shares of the picture's sides."""
        raw = self._by_anchor(maps)
        height, width = maps.shape[2:]
        # The corner of each cell, (2, H, W), and the number of cells each way, (2, 1, 1).
        corner = torch.stack(torch.meshgrid(torch.arange(width), torch.arange(height), indexing="xy")).to(maps)
        cells = torch.tensor([width, height]).to(maps)[:, None, None]
        centre = (raw[:, :, :2].sigmoid() + corner) / cells
        # Anchors (anchors, 2, 1, 1) are in cells.
        extent = raw[:, :, 2:4].exp() * self.anchors[:, :, None, None] / cells
        return torch.cat([centre, extent], 2)

    def _by_anchor(self, maps: Tensor) -> Tensor:
        """Splits the channels by anchor: (B, anchors, 5 + classes, H, W)."""
        return maps.unflatten(1, (len(self.anchors), 5 + self.classes))
