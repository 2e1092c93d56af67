"""CLIP at debug size (docs/sources.md §7): vision and text transformers with QuickGELU
and projections, exported as separate models in Hugging Face's signatures.

ViT-B/16 is the same code with size 224, patch 16, width 768, 12 layers, 12
heads, context 77, text width 512, 8 heads, embed 512.
"""
from dataclasses import dataclass

import torch
from torch import nn

from . import onnxout
from .compact import compact


@dataclass
class Config:
    size: int = 64
    patch: int = 8
    width: int = 88
    layers: int = 4
    heads: int = 4
    context: int = 16
    vocab: int = 600
    text_width: int = 64
    text_layers: int = 2
    text_heads: int = 4
    embed: int = 64


class QuickGELU(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), QuickGELU(), nn.Linear(4 * width, width))

    def split(self, x):
        b, n, c = x.shape
        return x.view(b, n, self.heads, c // self.heads).transpose(1, 2)

    def forward(self, x, mask=None):
        y = self.ln1(x)
        q, k, v = self.split(self.q(y)), self.split(self.k(y)), self.split(self.v(y))
        scores = q @ k.transpose(-1, -2) * (q.shape[-1] ** -0.5)
        if mask is not None:
            scores = scores + mask
        x = x + self.o((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
        return x + self.mlp(self.ln2(x))


class Vision(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        n = (cfg.size // cfg.patch) ** 2
        self.patches = nn.Conv2d(3, cfg.width, cfg.patch, cfg.patch, bias=False)
        self.cls = nn.Parameter(torch.randn(cfg.width) * 0.02)
        self.positions = nn.Embedding(n + 1, cfg.width)
        self.ln_pre, self.ln_post = nn.LayerNorm(cfg.width), nn.LayerNorm(cfg.width)
        self.blocks = nn.ModuleList(Block(cfg.width, cfg.heads) for _ in range(cfg.layers))
        self.projection = nn.Linear(cfg.width, cfg.embed, bias=False)
        self.register_buffer("ids", torch.arange(n + 1)[None], persistent=False)

    def forward(self, pixel_values):
        x = self.patches(pixel_values).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], 1, -1), x], 1) + self.positions(self.ids)
        x = self.ln_pre(x)
        for block in self.blocks:
            x = block(x)
        return self.projection(self.ln_post(x[:, 0]))


class Text(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(cfg.vocab, cfg.text_width), nn.Embedding(cfg.context, cfg.text_width)
        self.blocks = nn.ModuleList(Block(cfg.text_width, cfg.text_heads) for _ in range(cfg.text_layers))
        self.ln = nn.LayerNorm(cfg.text_width)
        self.projection = nn.Linear(cfg.text_width, cfg.embed, bias=False)

    def forward(self, input_ids):
        n = input_ids.shape[1]
        causal = torch.full((n, n), float("-inf")).triu(1)
        x = self.tokens(input_ids) + self.positions(torch.arange(n))
        for block in self.blocks:
            x = block(x, causal)
        x = self.ln(x)
        # The end token has the highest id.
        return self.projection(x[torch.arange(x.shape[0]), input_ids.to(torch.int).argmax(-1)])


class CLIP(nn.Module):
    def __init__(self, cfg=Config()):
        super().__init__()
        self.cfg, self.vision, self.text = cfg, Vision(cfg), Text(cfg)
        self.logit_scale = nn.Parameter(torch.tensor(2.6593))  # ln(1/0.07)

    def forward(self, images, ids):
        v, t = (x / x.norm(dim=-1, keepdim=True) for x in (self.vision(images), self.text(ids)))
        return self.logit_scale.exp().clamp(max=100) * v @ t.T


def export(model, folder):
    """Writes clip_vision.onnx and clip_text.onnx."""
    model.eval()
    cfg = model.cfg
    onnxout.export(model.vision, torch.zeros(1, 3, cfg.size, cfg.size), f"{folder}/clip_vision.onnx", 16,
                   ["pixel_values"], ["image_embeds"], {"pixel_values": {0: "batch"}, "image_embeds": {0: "batch"}})
    onnxout.export(model.text, torch.ones(1, cfg.context, dtype=torch.int64), f"{folder}/clip_text.onnx", 16,
                   ["input_ids"], ["text_embeds"], {"input_ids": {0: "batch"}, "text_embeds": {0: "batch"}})
    for name in ("clip_vision", "clip_text"):
        compact(f"{folder}/{name}.onnx")
