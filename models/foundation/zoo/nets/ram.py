"""Recognize Anything at debug size (docs/sources.md §5.1): Swin backbone, tag queries
that attend to the image, one probability per tag; exported as it is published,
with the thresholds applied inside and the batch size as second output.

RAM is the same with Swin-L at 384 pixels and 4,585 tags.
"""
from dataclasses import dataclass

import torch
from torch import nn

from . import gdino
from . import onnxout
from .compact import compact


@dataclass
class Config:
    size: int = 128
    dim: int = 18  # the backbone is that of the tiny detector
    depths: tuple = (2, 2, 2)
    heads: tuple = (2, 3, 6)
    window: int = 4
    hidden: int = 64
    layers: int = 1
    tags: int = 10


class Layer(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.cross, self.norm1, self.norm2 = gdino.Attention(dim, 4), nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.ffn = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x, image):
        x = self.norm1(x + self.cross(x, image, image))
        return self.norm2(x + self.ffn(x))


class RAM(nn.Module):
    def __init__(self, cfg=Config()):
        super().__init__()
        self.cfg = cfg
        self.backbone = gdino.Swin(cfg)
        self.image = nn.Linear(cfg.dim * 4, cfg.hidden)
        self.labels = nn.Parameter(torch.randn(cfg.tags, cfg.hidden) * 0.5)
        self.layers = nn.ModuleList(Layer(cfg.hidden) for _ in range(cfg.layers))
        self.fc = nn.Linear(cfg.hidden, 1)

    def forward(self, image):
        f = self.backbone(image)[-1].flatten(2).transpose(1, 2)
        f = self.image(f)
        x = self.labels.unsqueeze(0).expand(image.shape[0], -1, -1)
        for layer in self.layers:
            x = layer(x, f)
        return self.fc(x).squeeze(-1)


class Published(nn.Module):
    def __init__(self, model, thresholds):
        super().__init__()
        self.model = model
        self.register_buffer("thresholds", torch.tensor(thresholds))

    def forward(self, image):
        p = torch.sigmoid(self.model(image))
        return torch.where(p > self.thresholds, torch.tensor(1.0), torch.tensor(0.0)), torch.tensor(image.shape[0])


def export(model, thresholds, folder):
    """Writes ram.onnx."""
    model.eval()
    side = model.cfg.size
    onnxout.export(Published(model, thresholds), torch.zeros(1, 3, side, side), f"{folder}/ram.onnx", 16, ["image"], ["tags", "batch"])
    compact(f"{folder}/ram.onnx")
