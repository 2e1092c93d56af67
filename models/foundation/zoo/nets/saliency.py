"""U²-Net at debug size (Qin et al., 2020): nested U-blocks, a map from every stage
of the decoder and one of all of them, each behind a sigmoid, the joint one first.

The published network is the same with six stages of blocks up to seven levels deep,
64 to 512 channels, at 320 pixels.
"""
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from . import onnxout
from .compact import compact


@dataclass
class Config:
    size: int = 96
    channels: tuple = (8, 16, 16)
    middle: tuple = (4, 6, 6)
    depth: tuple = (5, 4, 3)


def up(x, like):
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)


class Unit(nn.Sequential):
    def __init__(self, i, o, dilation=1):
        super().__init__(nn.Conv2d(i, o, 3, padding=dilation, dilation=dilation), nn.BatchNorm2d(o), nn.ReLU())


class Block(nn.Module):
    """RSU: a U of its own, added to what goes in."""

    def __init__(self, depth, i, middle, o):
        super().__init__()
        self.first = Unit(i, o)
        self.down = nn.ModuleList([Unit(o, middle)] + [Unit(middle, middle) for _ in range(depth - 2)])
        self.bottom = Unit(middle, middle, 2)
        self.up = nn.ModuleList([Unit(2 * middle, middle) for _ in range(depth - 2)] + [Unit(2 * middle, o)])

    def forward(self, x):
        x = self.first(x)
        y, seen = x, []
        for k, unit in enumerate(self.down):
            y = unit(y if k == 0 else F.max_pool2d(y, 2, 2, ceil_mode=True))
            seen.append(y)
        y = self.bottom(y)
        for unit, other in zip(self.up, reversed(seen)):
            y = unit(torch.cat([up(y, other), other], 1))
        return x + y


class U2Net(nn.Module):
    def __init__(self, cfg=Config()):
        super().__init__()
        self.cfg = cfg
        inputs = (3,) + cfg.channels[:-1]
        self.encoder = nn.ModuleList(Block(d, i, m, o) for d, i, m, o in zip(cfg.depth, inputs, cfg.middle, cfg.channels))
        last = cfg.channels[-1]
        self.bottom = Block(3, last, cfg.middle[-1], last)
        inputs = [last] + list(cfg.channels[:0:-1])
        self.decoder = nn.ModuleList(Block(d, i + o, m, o) for d, i, m, o in zip(cfg.depth[::-1], inputs, cfg.middle[::-1], cfg.channels[::-1]))
        self.sides = nn.ModuleList(nn.Conv2d(c, 1, 3, padding=1) for c in cfg.channels[::-1] + (last,))
        self.out = nn.Conv2d(len(self.sides), 1, 1)

    def forward(self, image):
        """Logits: the joint map, then those of the stages, the finest first."""
        x, seen = image, []
        for k, block in enumerate(self.encoder):
            x = block(x if k == 0 else F.max_pool2d(x, 2, 2, ceil_mode=True))
            seen.append(x)
        x = self.bottom(F.max_pool2d(x, 2, 2, ceil_mode=True))
        sides = [self.sides[-1](x)]
        for k, block in enumerate(self.decoder):
            x = block(torch.cat([up(x, seen[-1 - k]), seen[-1 - k]], 1))
            sides.append(self.sides[k](x))
        sides = [up(s, image) for s in reversed(sides)]
        return [self.out(torch.cat(sides, 1))] + sides


class Published(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, image):
        return tuple(x.sigmoid() for x in self.model(image))


def export(model, folder):
    path, n = f"{folder}/saliency.onnx", model.cfg.size
    names = [f"d{k}" for k in range(len(model.sides) + 1)]
    onnxout.export(Published(model).eval(), torch.zeros(1, 3, n, n), path, 17, ["input"], names, {"input": {0: "batch"}})
    compact(path)
