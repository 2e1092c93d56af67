"""Grounding-DINO at debug size (docs/sources.md §4): Swin backbone, BERT, feature
enhancer with two-way image–text attention and deformable attention,
language-guided query selection, cross-modality decoder with box refinement;
exported with the native signature.

The full model is the same code with Swin-T (dim 96, depths 2, 2, 6, 2, window
7), BERT-base, hidden 256, 6 + 6 layers, 4 levels and 900 queries.
"""
import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from . import onnxout
from .compact import compact

NEVER = -50000.0


@dataclass
class Config:
    side: int = 128
    dim: int = 18
    depths: tuple = (2, 2, 2)
    heads: tuple = (2, 3, 6)
    window: int = 4
    hidden: int = 48
    layers: int = 2
    nheads: int = 4
    points: int = 2
    ffn: int = 96
    queries: int = 50
    text_layers: int = 2
    vocab: int = 32
    max_text: int = 256


# --- Swin ---


class WindowAttention(nn.Module):
    def __init__(self, dim, heads, window):
        super().__init__()
        self.heads, self.scale = heads, (dim // heads) ** -0.5
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.bias = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        y, x = torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
        at = torch.stack([y.flatten(), x.flatten()])
        apart = (at[:, :, None] - at[:, None, :]) + window - 1
        self.register_buffer("index", apart[0] * (2 * window - 1) + apart[1], persistent=False)

    def forward(self, x, mask):
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        scores = (q * self.scale) @ k.transpose(-2, -1)
        scores = scores + self.bias[self.index.view(-1)].view(n, n, -1).permute(2, 0, 1).unsqueeze(0)
        if mask is not None:
            w = mask.shape[0]
            scores = (scores.view(b // w, w, self.heads, n, n) + mask[None, :, None]).view(-1, self.heads, n, n)
        return self.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(b, n, c))


def windows(x, s):
    b, h, w, c = x.shape
    return x.view(b, h // s, s, w // s, s, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, s * s, c)


class SwinBlock(nn.Module):
    def __init__(self, dim, heads, window, shift):
        super().__init__()
        self.window, self.shift = window, shift
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = WindowAttention(dim, heads, window)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def mask(self, h, w):
        region = torch.zeros(1, h, w, 1)
        s, t = self.window, self.shift
        for i, ys in enumerate((slice(0, -s), slice(-s, -t), slice(-t, None))):
            for j, xs in enumerate((slice(0, -s), slice(-s, -t), slice(-t, None))):
                region[:, ys, xs] = 3 * i + j
        flat = windows(region, s)[..., 0]
        return (flat[:, None] != flat[:, :, None]).float() * -100.0

    def forward(self, x):
        b, h, w, c = map(int, x.shape)  # fixed in the export, which keeps it small
        s = self.window
        y = self.norm1(x)
        pad_h, pad_w = (s - h % s) % s, (s - w % s) % s
        y = F.pad(y, (0, 0, 0, pad_w, 0, pad_h))
        hp, wp = h + pad_h, w + pad_w
        mask = None
        if self.shift:
            y = torch.roll(y, (-self.shift, -self.shift), (1, 2))
            mask = self.mask(hp, wp)
        y = self.attn(windows(y, s), mask)
        y = y.view(b, hp // s, wp // s, s, s, c).permute(0, 1, 3, 2, 4, 5).reshape(b, hp, wp, c)
        if self.shift:
            y = torch.roll(y, (self.shift, self.shift), (1, 2))
        x = x + y[:, :h, :w]
        return x + self.mlp(self.norm2(x))


class PatchMerging(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm, self.reduction = nn.LayerNorm(4 * dim), nn.Linear(4 * dim, 2 * dim, bias=False)

    def forward(self, x):
        parts = [x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]]
        return self.reduction(self.norm(torch.cat(parts, -1)))


class Swin(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.patch_embed, self.norm = nn.Conv2d(3, cfg.dim, 4, 4), nn.LayerNorm(cfg.dim)
        self.stages, self.merges, self.norms = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for i, depth in enumerate(cfg.depths):
            dim = cfg.dim * 2**i
            shift = cfg.window // 2
            self.stages.append(nn.Sequential(*(SwinBlock(dim, cfg.heads[i], cfg.window, shift * (k % 2)) for k in range(depth))))
            if i:
                self.merges.append(PatchMerging(dim // 2))
                self.norms.append(nn.LayerNorm(dim))

    def forward(self, x):
        x = self.norm(self.patch_embed(x).permute(0, 2, 3, 1))
        out = []
        for i, stage in enumerate(self.stages):
            if i:
                x = self.merges[i - 1](x)
            x = stage(x)
            if i:
                out.append(self.norms[i - 1](x).permute(0, 3, 1, 2))
        return out


# --- text ---


class Attention(nn.Module):
    """Multi-head attention; mask is added to the scores [B, 1 or heads, Q, K]."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(dim, dim) for _ in range(4))

    def split(self, x):
        b, n, c = x.shape
        return x.view(b, n, self.heads, c // self.heads).transpose(1, 2)

    def forward(self, q, k, v, mask=None):
        q, k, v = self.split(self.q(q)), self.split(self.k(k)), self.split(self.v(v))
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores + mask
        x = (scores.softmax(-1) @ v).transpose(1, 2)
        return self.o(x.flatten(2))


class PostBlock(nn.Module):
    """Self-attention and feed-forward, normalised after: BERT's, and the text half of the enhancer."""

    def __init__(self, dim, heads, ffn):
        super().__init__()
        self.attn, self.norm1, self.norm2 = Attention(dim, heads), nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.ffn = nn.Sequential(nn.Linear(dim, ffn), nn.GELU(), nn.Linear(ffn, dim))

    def forward(self, x, mask, pos=0):
        x = self.norm1(x + self.attn(x + pos, x + pos, x, mask))
        return self.norm2(x + self.ffn(x))


class BERT(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        d = cfg.hidden
        self.words, self.positions, self.types = nn.Embedding(cfg.vocab, d), nn.Embedding(16, d), nn.Embedding(2, d)
        self.norm = nn.LayerNorm(d)
        self.layers = nn.ModuleList(PostBlock(d, cfg.nheads, cfg.ffn) for _ in range(cfg.text_layers))

    def forward(self, ids, types, positions, mask):
        x = self.norm(self.words(ids) + self.types(types) + self.positions(positions))
        for layer in self.layers:
            x = layer(x, mask)
        return x


# --- enhancer and decoder ---


def sines(at, dim, base=20.0):
    """Positions [..., n] in 0..1 → [..., n·dim]."""
    freq = base ** (torch.arange(dim // 2, dtype=torch.float32) * 2 / dim)
    angles = at.unsqueeze(-1) * 2 * math.pi / freq * base ** 0.5
    return torch.cat([angles.sin(), angles.cos()], -1).flatten(-2)


class BiAttention(nn.Module):
    """Image and text attend to each other through the same scores."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.norm_v, self.norm_t = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.q, self.k, self.val_v, self.val_t, self.out_v, self.out_t = (nn.Linear(dim, dim) for _ in range(6))
        self.gamma_v, self.gamma_t = nn.Parameter(torch.full((dim,), 0.1)), nn.Parameter(torch.full((dim,), 0.1))

    def split(self, x):
        b, n, c = x.shape
        return x.view(b, n, self.heads, c // self.heads).transpose(1, 2)

    def forward(self, v, t, hidden):
        nv, nt = self.norm_v(v), self.norm_t(t)
        q, k = self.split(self.q(nv)), self.split(self.k(nt))
        scores = torch.clamp(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]), -50000.0, 50000.0)
        back = scores.transpose(-1, -2)
        back = torch.clamp(back - back.max(-1, keepdim=True)[0], min=NEVER)
        to_v = (scores + hidden).softmax(-1) @ self.split(self.val_t(nt))
        to_t = back.softmax(-1) @ self.split(self.val_v(nv))
        v = v + self.gamma_v * self.out_v(to_v.transpose(1, 2).flatten(2))
        return v, t + self.gamma_t * self.out_t(to_t.transpose(1, 2).flatten(2))


class Deformable(nn.Module):
    """Multi-scale deformable attention by grid sampling."""

    def __init__(self, cfg, levels):
        super().__init__()
        d, self.h, self.l, self.p = cfg.hidden, cfg.nheads, levels, cfg.points
        self.offsets, self.weights = nn.Linear(d, self.h * levels * self.p * 2), nn.Linear(d, self.h * levels * self.p)
        self.value, self.out = nn.Linear(d, d), nn.Linear(d, d)
        nn.init.zeros_(self.offsets.weight)
        angle = torch.arange(self.h) * 2 * math.pi / self.h
        way = torch.stack([angle.cos(), angle.sin()], -1)
        way = way / way.abs().max(-1, keepdim=True)[0]
        grid = way.view(self.h, 1, 1, 2) * torch.arange(1, self.p + 1).view(1, 1, -1, 1)
        self.offsets.bias.data = grid.expand(-1, levels, -1, -1).flatten().clone()

    def forward(self, query, reference, memory, shapes):
        """reference [B, Q, 4] as centre and size."""
        b, n, d = query.shape
        off = self.offsets(query).view(b, n, self.h, self.l, self.p, 2)
        at = reference[:, :, None, None, None, :2] + off / self.p * reference[:, :, None, None, None, 2:] * 0.5
        weights = self.weights(query).view(b, n, self.h, self.l * self.p).softmax(-1).view(b, n, self.h, self.l, self.p)
        value = self.value(memory).view(b, -1, self.h, d // self.h)
        start, sampled = 0, []
        for i, (h, w) in enumerate(shapes):
            v = value[:, start:start + h * w].permute(0, 2, 3, 1).reshape(b * self.h, d // self.h, h, w)
            start += h * w
            grid = (2 * at[:, :, :, i] - 1).transpose(1, 2).flatten(0, 1)
            sampled.append(F.grid_sample(v, grid, mode="bilinear", padding_mode="zeros", align_corners=False))
        x = torch.stack(sampled, -2).flatten(-2)  # [B·h, d/h, Q, L·P]
        weights = weights.transpose(1, 2).reshape(b * self.h, 1, n, self.l * self.p)
        return self.out((x * weights).sum(-1).view(b, d, n).transpose(1, 2))


class EnhancerLayer(nn.Module):
    def __init__(self, cfg, levels):
        super().__init__()
        d = cfg.hidden
        self.fusion, self.text = BiAttention(d, cfg.nheads), PostBlock(d, cfg.nheads, cfg.ffn)
        self.deform, self.norm1, self.norm2 = Deformable(cfg, levels), nn.LayerNorm(d), nn.LayerNorm(d)
        self.ffn = nn.Sequential(nn.Linear(d, cfg.ffn), nn.ReLU(), nn.Linear(cfg.ffn, d))

    def forward(self, v, t, pos, reference, shapes, hidden, text_mask, text_pos):
        v, t = self.fusion(v, t, hidden)
        t = self.text(t, text_mask, text_pos)
        v = self.norm1(v + self.deform(v + pos, reference, v, shapes))
        return self.norm2(v + self.ffn(v)), t


class DecoderLayer(nn.Module):
    def __init__(self, cfg, levels):
        super().__init__()
        d = cfg.hidden
        self.self_attn, self.text_attn, self.deform = Attention(d, cfg.nheads), Attention(d, cfg.nheads), Deformable(cfg, levels)
        self.norms = nn.ModuleList(nn.LayerNorm(d) for _ in range(4))
        self.ffn = nn.Sequential(nn.Linear(d, cfg.ffn), nn.ReLU(), nn.Linear(cfg.ffn, d))

    def forward(self, x, pos, reference, v, t, shapes, hidden):
        x = self.norms[0](x + self.self_attn(x + pos, x + pos, x))
        x = self.norms[1](x + self.text_attn(x + pos, t, t, hidden))
        x = self.norms[2](x + self.deform(x + pos, reference, v, shapes))
        return self.norms[3](x + self.ffn(x))


def mlp3(i, h, o):
    net = nn.Sequential(nn.Linear(i, h), nn.ReLU(), nn.Linear(h, h), nn.ReLU(), nn.Linear(h, o))
    nn.init.zeros_(net[-1].weight)
    nn.init.zeros_(net[-1].bias)
    return net


def unsigmoid(x):
    x = x.clamp(1e-4, 1 - 1e-4)
    return torch.log(x / (1 - x))


class GroundingDINO(nn.Module):
    def __init__(self, cfg=Config()):
        super().__init__()
        self.cfg = cfg
        d, n = cfg.hidden, len(cfg.depths)
        self.backbone, self.bert, self.feat_map = Swin(cfg), BERT(cfg), nn.Linear(d, d)
        ins = [cfg.dim * 2**i for i in range(1, n)]
        self.input_proj = nn.ModuleList(nn.Sequential(nn.Conv2d(i, d, 1), nn.GroupNorm(8, d)) for i in ins)
        self.extra = nn.Sequential(nn.Conv2d(ins[-1], d, 3, 2, 1), nn.GroupNorm(8, d))
        self.level = nn.Parameter(torch.randn(n, d) * 0.1)
        self.enhancer = nn.ModuleList(EnhancerLayer(cfg, n) for _ in range(cfg.layers))
        self.enc_out, self.enc_norm, self.enc_box = nn.Linear(d, d), nn.LayerNorm(d), mlp3(d, d, 4)
        self.queries = nn.Parameter(torch.randn(cfg.queries, d) * 0.1)
        self.ref_point = nn.Sequential(nn.Linear(2 * d, d), nn.ReLU(), nn.Linear(d, d))
        self.decoder = nn.ModuleList(DecoderLayer(cfg, n) for _ in range(cfg.layers))
        self.boxes = nn.ModuleList(mlp3(d, d, 4) for _ in range(cfg.layers))
        self.out_norm = nn.LayerNorm(d)
        self.bias = nn.Parameter(torch.tensor(-3.0))

    def contrast(self, x, t, hidden):
        """Similarity of queries with tokens, hidden ones at −∞."""
        return x @ t.transpose(-1, -2) / math.sqrt(self.cfg.hidden) + self.bias + hidden[:, 0]

    def image(self, img):
        feats = self.backbone(img)
        maps = [p(f) for p, f in zip(self.input_proj, feats)] + [self.extra(feats[-1])]
        shapes, flat, pos, reference = [], [], [], []
        for i, m in enumerate(maps):
            h, w = int(m.shape[2]), int(m.shape[3])
            shapes.append((h, w))
            y, x = torch.meshgrid((torch.arange(h) + 0.5) / h, (torch.arange(w) + 0.5) / w, indexing="ij")
            at = torch.stack([x, y], -1).view(1, -1, 2)
            size = torch.full_like(at, 0.1 * 2.0**i)
            flat.append(m.flatten(2).transpose(1, 2))
            pos.append(sines(at, self.cfg.hidden // 2) + self.level[i])
            reference.append(torch.cat([at, size], -1))
        return torch.cat(flat, 1), torch.cat(pos, 1), torch.cat(reference, 1), shapes

    def forward(self, img, input_ids, attention_mask, position_ids, token_type_ids, text_token_mask):
        """Dictionary with logits and boxes of the encoder's locations and of the decoder's layers."""
        text_mask = (~text_token_mask).float().unsqueeze(1) * NEVER
        hidden = (~attention_mask).float()[:, None, None, :] * NEVER
        t = self.feat_map(self.bert(input_ids, token_type_ids, position_ids, text_mask))
        text_pos = sines(position_ids.float().unsqueeze(-1) / 8, self.cfg.hidden)
        v, pos, reference, shapes = self.image(img)
        reference = reference.expand(img.shape[0], -1, -1)
        for layer in self.enhancer:
            v, t = layer(v, t, pos, reference, shapes, hidden, text_mask, text_pos)
        memory = self.enc_norm(self.enc_out(v))
        dense = self.contrast(memory, t, hidden)
        proposals = (self.enc_box(memory) + unsigmoid(reference)).sigmoid()
        picked = torch.topk(dense.max(-1)[0], self.cfg.queries, dim=1)[1]
        box = torch.gather(proposals, 1, picked.unsqueeze(-1).expand(-1, -1, 4)).detach()
        x = self.queries.unsqueeze(0).expand(img.shape[0], -1, -1)
        x = x + torch.gather(memory, 1, picked.unsqueeze(-1).expand(-1, -1, self.cfg.hidden)).detach()
        out = {"dense": dense, "proposals": proposals, "picked": picked, "logits": [], "boxes": []}
        for layer, head in zip(self.decoder, self.boxes):
            query_pos = self.ref_point(sines(box, self.cfg.hidden // 2))
            x = layer(x, query_pos, box, v, t, shapes, hidden)
            y = self.out_norm(x)
            refined = (head(y) + unsigmoid(box)).sigmoid()
            out["logits"].append(self.contrast(y, t, hidden))
            out["boxes"].append(refined)
            box = refined.detach()
        return out


class Native(nn.Module):
    """The native export's outputs: the last layer's logits, padded to max_text with −∞, and boxes."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, img, input_ids, attention_mask, position_ids, token_type_ids, text_token_mask):
        out = self.model(img, input_ids, attention_mask, position_ids, token_type_ids, text_token_mask)
        logits = out["logits"][-1]
        wide = torch.full((logits.shape[0], logits.shape[1], self.model.cfg.max_text), float("-inf"))
        wide[..., : logits.shape[-1]] = logits
        return wide, out["boxes"][-1]


def export(model, folder, fold=True):
    """Writes gdino.onnx."""
    model.eval()
    n, side = 9, model.cfg.side
    args = (torch.zeros(1, 3, side, side), torch.ones(1, n, dtype=torch.int64), torch.ones(1, n, dtype=torch.bool),
            torch.zeros(1, n, dtype=torch.int64), torch.zeros(1, n, dtype=torch.int64), torch.eye(n, dtype=torch.bool)[None])
    names = ["img", "input_ids", "attention_mask", "position_ids", "token_type_ids", "text_token_mask"]
    axes = {k: {1: "tokens"} for k in names[1:]}
    axes["text_token_mask"] = {1: "tokens", 2: "tokens"}
    onnxout.export(Native(model), args, f"{folder}/gdino.onnx", 17, names, ["logits", "boxes"], axes, fold)
    compact(f"{folder}/gdino.onnx")
