"""A module with a `forward` of its own: trained on digits, lowered, built, and verified with stalls on both sides."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import bitwright as bw
from bitwright.models import load
from bitwright.quantize import BinaryActivation, BinaryLinear, clip_latent_weights_, integer_input


class TwoLayers(nn.Module):
    """64-128-10: 4-bit pixels, binary weights, binary hidden activations."""

    def __init__(self) -> None:
        super().__init__()
        self.pixels = integer_input(4, max_value=15 / 16)
        self.hidden = BinaryLinear(64, 128)
        self.norm = nn.BatchNorm1d(128)
        self.sign = BinaryActivation()
        self.dropout = nn.Dropout(0.1)
        self.scores = BinaryLinear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Scores of images (batch, 64)."""
        h = self.sign(self.norm(self.hidden(self.pixels(x))))
        return self.scores(self.dropout(h))


def main() -> None:
    """Train, lower, build, verify."""
    torch.manual_seed(0)
    data = load("digits")
    x, y = torch.from_numpy(data.train_x), torch.from_numpy(data.train_y)
    model = TwoLayers()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x) / 10, y).backward()
        optimizer.step()
        clip_latent_weights_(model)

    net = bw.lower(model.eval(), data.test_x[:32], name="two_layers")
    print(net)
    design = bw.build(net, bw.fold(net, target_cycles=64))
    result = design.verify(model, data.test_x, stalls=bw.Stalls(seed=1, input_gap=1.0, output_gap=1.0))
    right = (result.outputs.argmax(axis=1) == data.test_y).mean()
    print(f"RTL equals PyTorch on {len(data.test_x)} images; accuracy {100 * right:.1f} %")


if __name__ == "__main__":
    main()
