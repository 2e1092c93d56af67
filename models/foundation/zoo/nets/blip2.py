"""BLIP-2's image–text matching at debug size (docs/sources.md §5.2): vision
transformer, Q-Former whose queries and words attend to each other and whose
queries attend to the image, a match head averaged over queries.

The published model is the same with EVA-CLIP-g at 224 pixels, 32 queries and a
BERT-base Q-Former.
"""
import torch
from torch import nn

from . import clip, gdino
from . import onnxout
from .compact import compact

NEVER = -10000.0


class QFormer(nn.Module):
    def __init__(self, dim, vocab, queries=8, context=32, layers=2):
        super().__init__()
        self.queries = nn.Parameter(torch.randn(1, queries, dim) * 0.5)
        self.words, self.positions = nn.Embedding(vocab, dim), nn.Embedding(context, dim)
        self.norm = nn.LayerNorm(dim)
        self.layers = nn.ModuleList()
        for _ in range(layers):
            self.layers.append(nn.ModuleDict({
                "self": gdino.Attention(dim, 4), "cross": gdino.Attention(dim, 4), "n1": nn.LayerNorm(dim), "n2": nn.LayerNorm(dim),
                "n3": nn.LayerNorm(dim), "ffn": nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))}))
        self.itm = nn.Linear(dim, 2)

    def forward(self, image, ids, attend):
        n = self.queries.shape[1]
        words = self.words(ids) + self.positions(torch.arange(ids.shape[1]))
        x = self.norm(torch.cat([self.queries.expand(image.shape[0], -1, -1), words], 1))
        seen = torch.cat([torch.ones(image.shape[0], n), attend.float()], 1)
        mask = (1 - seen)[:, None, None, :] * NEVER
        for layer in self.layers:
            x = layer["n1"](x + layer["self"](x, x, x, mask))
            q, w = x[:, :n], x[:, n:]
            q = layer["n2"](q + layer["cross"](q, image, image))
            x = torch.cat([q, w], 1)
            x = layer["n3"](x + layer["ffn"](x))
        return self.itm(x[:, :n]).mean(1)


class BLIP2(nn.Module):
    def __init__(self, vocab, width=64):
        super().__init__()
        cfg = clip.Config(layers=3)  # all blocks of the tiny CLIP but the last
        self.vision, self.narrow, self.qformer = clip.Vision(cfg), nn.Linear(cfg.width, width), QFormer(width, vocab)

    def image(self, pixel_values):
        v = self.vision
        x = v.patches(pixel_values).flatten(2).transpose(1, 2)
        x = v.ln_pre(torch.cat([v.cls.expand(x.shape[0], 1, -1), x], 1) + v.positions(v.ids))
        for block in v.blocks:
            x = block(x)
        return self.narrow(v.ln_post(x))

    def forward(self, pixel_values, input_ids, attention_mask):
        return self.qformer(self.image(pixel_values), input_ids, attention_mask)


def export(model, folder):
    """Writes blip2_itm.onnx."""
    model.eval()
    onnxout.export(model, (torch.zeros(1, 3, 64, 64), torch.ones(1, 32, dtype=torch.int64), torch.ones(1, 32, dtype=torch.int64)),
                   f"{folder}/blip2_itm.onnx", 16, ["pixel_values", "input_ids", "attention_mask"], ["itm_logits"])
    compact(f"{folder}/blip2_itm.onnx")
