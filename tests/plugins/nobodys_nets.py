"""Networks as people write them: series, words, several answers."""

from __future__ import annotations

import torch
from torch import nn


class Series(nn.Module):
    """Steps of three numbers to two, by what an LSTM remembers at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.remember = nn.LSTM(3, 8, batch_first=True)
        self.judge = nn.Linear(8, 2)

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        return self.judge(self.remember(steps)[0][:, -1])


class BothWays(nn.Module):
    """The same by a GRU that reads both ways."""

    def __init__(self) -> None:
        super().__init__()
        self.remember = nn.GRU(3, 8, batch_first=True, bidirectional=True)
        self.judge = nn.Linear(16, 2)

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        return self.judge(self.remember(steps)[0].mean(1))


class Words(nn.Module):
    """Seven words by their numbers: the first by one table, the others by another."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Embedding(50, 8)
        self.others = nn.Embedding(50, 4, padding_idx=0)
        self.judge = nn.Linear(12, 3)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        others = self.others(words[:, 1:].int()).sum(1)
        return self.judge(torch.cat([self.first(words[:, 0]), others], 1))


class Wrapping(nn.Module):
    """A table that is asked from its end by negative numbers, which PyTorch allows where it is no embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(50, 3))

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.table[words % 50].sum(1)


class Several(nn.Module):
    """Two answers by name."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Linear(4, 6)
        self.classes, self.value = nn.Linear(6, 3), nn.Linear(6, 1)

    def forward(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        found = torch.relu(self.shared(rows))
        return {"classes": self.classes(found), "value": self.value(found).squeeze(1)}


def normalised() -> nn.Module:
    """Batch norm that has seen numbers of a mean and spread of their own, and dropout; left learning."""
    net = nn.Sequential(
        nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3)
    ).train()
    net(torch.randn(200, 6) * 5 + 2)
    return net


def attentive() -> nn.Module:
    """Five words of eight numbers that look at each other."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return nn.Sequential(layer, nn.Flatten(), nn.Linear(40, 2))
