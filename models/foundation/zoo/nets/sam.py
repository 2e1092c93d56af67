"""Segment Anything at debug size (docs/sources.md §3): ViT encoder with windowed and
global attention and decomposed relative positions, prompt encoder, two-way
transformer mask decoder; exported with Meta's decoder signature.

The full model is the same code with img_size 1024, patch 16, window 14,
dim 768..1280 and embed 256.
"""
import math
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional as F

from . import onnxout
from .compact import compact


@dataclass
class Config:
    img_size: int = 128
    patch: int = 4  # small enough for masks as fine as the picture
    dim: int = 80
    heads: int = 2
    depth: int = 4
    global_at: tuple = field(default=(2,))
    window: int = 7  # 32 is no multiple of 7: padding as with 64 and 14
    embed: int = 64
    decoder_mlp: int = 128
    decoder_heads: int = 4
    mask_channels: int = 16

    @property
    def grid(self):
        return self.img_size // self.patch


class LayerNorm2d(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        centred = x - x.mean(1, keepdim=True)
        x = centred / torch.sqrt(centred.pow(2).mean(1, keepdim=True) + 1e-6)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


class ImageAttention(nn.Module):
    """Self-attention over an h×w grid with one relative-position table per axis."""

    def __init__(self, dim, heads, side):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * side - 1, dim // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * side - 1, dim // heads))
        steps = torch.arange(side)
        self.register_buffer("offsets", steps[:, None] - steps[None, :] + side - 1, persistent=False)

    def forward(self, x):
        b, h, w, c = x.shape
        q, k, v = self.qkv(x).reshape(b, h * w, 3, self.heads, -1).permute(2, 0, 3, 1, 4).reshape(
            3, b * self.heads, h * w, -1).unbind(0)
        scores = (q * (c // self.heads) ** -0.5) @ k.transpose(-2, -1)
        grid = q.reshape(b * self.heads, h, w, -1)
        rel_h = torch.matmul(grid, self.rel_pos_h[self.offsets].permute(0, 2, 1))
        rel_w = torch.matmul(grid.permute(0, 2, 1, 3), self.rel_pos_w[self.offsets].permute(0, 2, 1)).permute(0, 2, 1, 3)
        scores = scores.view(-1, h, w, h, w) + rel_h[:, :, :, :, None] + rel_w[:, :, :, None, :]
        out = scores.view(-1, h * w, h * w).softmax(-1) @ v
        out = out.view(b, self.heads, h, w, -1).permute(0, 2, 3, 1, 4).reshape(b, h, w, -1)
        return self.proj(out)


class Block(nn.Module):
    def __init__(self, cfg, window):
        super().__init__()
        self.window = window
        self.norm1 = nn.LayerNorm(cfg.dim, eps=1e-6)
        self.attn = ImageAttention(cfg.dim, cfg.heads, window or cfg.grid)
        self.norm2 = nn.LayerNorm(cfg.dim, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(cfg.dim, 4 * cfg.dim), nn.GELU(), nn.Linear(4 * cfg.dim, cfg.dim))

    def windows(self, x):
        s = self.window
        b, h, w, c = x.shape
        pad_h, pad_w = (s - h % s) % s, (s - w % s) % s
        x = F.pad(x, (0, 0, 0, pad_w, 0, pad_h))
        hp, wp = h + pad_h, w + pad_w
        x = x.view(b, hp // s, s, wp // s, s, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, s, s, c)
        x = self.attn(x)
        x = x.view(b, hp // s, wp // s, s, s, c).permute(0, 1, 3, 2, 4, 5).reshape(b, hp, wp, c)
        return x[:, :h, :w, :]

    def forward(self, x):
        y = self.norm1(x)
        x = x + (self.windows(y) if self.window else self.attn(y))
        return x + self.mlp(self.norm2(x))


class ImageEncoder(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.patch_embed = nn.Conv2d(3, cfg.dim, cfg.patch, cfg.patch)
        self.pos_embed = nn.Parameter(torch.randn(1, cfg.grid, cfg.grid, cfg.dim) * 0.02)
        self.blocks = nn.ModuleList(Block(cfg, 0 if i in cfg.global_at else cfg.window) for i in range(cfg.depth))
        self.neck = nn.Sequential(
            nn.Conv2d(cfg.dim, cfg.embed, 1, bias=False), LayerNorm2d(cfg.embed),
            nn.Conv2d(cfg.embed, cfg.embed, 3, padding=1, bias=False), LayerNorm2d(cfg.embed))

    def forward(self, images):
        x = self.patch_embed(images).permute(0, 2, 3, 1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.neck(x.permute(0, 3, 1, 2))


class PromptEncoder(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.cfg = cfg
        self.register_buffer("frequencies", torch.randn(2, cfg.embed // 2))
        self.point_embeddings = nn.Parameter(torch.randn(4, cfg.embed))
        self.not_a_point = nn.Parameter(torch.randn(cfg.embed))
        self.no_mask = nn.Parameter(torch.randn(cfg.embed) * 0.1)
        m = cfg.mask_channels
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, m // 4, 2, 2), LayerNorm2d(m // 4), nn.GELU(),
            nn.Conv2d(m // 4, m, 2, 2), LayerNorm2d(m), nn.GELU(), nn.Conv2d(m, cfg.embed, 1))

    def positions(self, unit):
        angles = 2 * math.pi * ((2 * unit - 1) @ self.frequencies)
        return torch.cat([angles.sin(), angles.cos()], -1)

    def dense_positions(self):
        g = self.cfg.grid
        axis = (torch.arange(g, dtype=torch.float32) + 0.5) / g
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        return self.positions(torch.stack([x, y], -1)).permute(2, 0, 1)[None]

    def points(self, coords, labels):
        x = self.positions((coords + 0.5) / self.cfg.img_size)
        labels = labels.unsqueeze(-1).expand_as(x)
        x = x * (labels != -1) + self.not_a_point * (labels == -1)
        for i in range(4):
            x = x + self.point_embeddings[i] * (labels == i)
        return x

    def masks(self, masks, has_mask):
        return has_mask * self.mask_downscaling(masks) + (1 - has_mask) * self.no_mask.reshape(1, -1, 1, 1)


class CrossAttention(nn.Module):
    def __init__(self, dim, heads, shrink=1):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(dim, dim // shrink) for _ in range(3))
        self.out_proj = nn.Linear(dim // shrink, dim)

    def split(self, x):
        b, n, c = x.shape
        return x.reshape(b, n, self.heads, c // self.heads).transpose(1, 2)

    def forward(self, q, k, v):
        q, k, v = self.split(self.q_proj(q)), self.split(self.k_proj(k)), self.split(self.v_proj(v))
        attn = (q @ k.permute(0, 1, 3, 2) / math.sqrt(q.shape[-1])).softmax(-1)
        out = (attn @ v).transpose(1, 2)
        b, n, h, c = out.shape
        return self.out_proj(out.reshape(b, n, h * c))


class TwoWayBlock(nn.Module):
    def __init__(self, cfg, first):
        super().__init__()
        d = cfg.embed
        self.first = first
        self.self_attn = CrossAttention(d, cfg.decoder_heads)
        self.to_image = CrossAttention(d, cfg.decoder_heads, 2)
        self.to_tokens = CrossAttention(d, cfg.decoder_heads, 2)
        self.mlp = nn.Sequential(nn.Linear(d, cfg.decoder_mlp), nn.ReLU(), nn.Linear(cfg.decoder_mlp, d))
        self.norms = nn.ModuleList(nn.LayerNorm(d) for _ in range(4))

    def forward(self, queries, keys, query_pe, key_pe):
        if self.first:
            queries = self.self_attn(queries, queries, queries)
        else:
            q = queries + query_pe
            queries = queries + self.self_attn(q, q, queries)
        queries = self.norms[0](queries)
        queries = self.norms[1](queries + self.to_image(queries + query_pe, keys + key_pe, keys))
        queries = self.norms[2](queries + self.mlp(queries))
        keys = self.norms[3](keys + self.to_tokens(keys + key_pe, queries + query_pe, queries))
        return queries, keys


def mlp3(i, h, o):
    return nn.Sequential(nn.Linear(i, h), nn.ReLU(), nn.Linear(h, h), nn.ReLU(), nn.Linear(h, o))


class MaskDecoder(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        d = cfg.embed
        self.tokens = nn.Parameter(torch.randn(5, d))  # IoU, then mask tokens 0..3
        self.layers = nn.ModuleList([TwoWayBlock(cfg, True), TwoWayBlock(cfg, False)])
        self.final = CrossAttention(d, cfg.decoder_heads, 2)
        self.final_norm = nn.LayerNorm(d)
        self.upscaling = nn.Sequential(
            nn.ConvTranspose2d(d, d // 4, 2, 2), LayerNorm2d(d // 4), nn.GELU(),
            nn.ConvTranspose2d(d // 4, d // 8, 2, 2), nn.GELU())
        self.hyper = nn.ModuleList(mlp3(d, d, d // 8) for _ in range(4))
        self.iou = mlp3(d, d, 4)

    def forward(self, image, image_pe, sparse, dense):
        out_tokens = self.tokens.unsqueeze(0).expand(sparse.size(0), -1, -1)
        tokens = torch.cat([out_tokens, sparse], 1)
        src = torch.repeat_interleave(image, tokens.shape[0] // image.shape[0], dim=0) + dense
        b, c, h, w = src.shape
        keys = src.flatten(2).permute(0, 2, 1)
        pe = image_pe.flatten(2).permute(0, 2, 1)
        queries = tokens
        for layer in self.layers:
            queries, keys = layer(queries, keys, tokens, pe)
        queries = self.final_norm(queries + self.final(queries + tokens, keys + pe, keys))
        up = self.upscaling(keys.transpose(1, 2).view(b, c, h, w))
        weights = torch.stack([f(queries[:, i + 1, :]) for i, f in enumerate(self.hyper)], 1)
        b, c, h, w = up.shape
        return (weights @ up.view(b, c, h * w)).view(b, -1, h, w), self.iou(queries[:, 0, :])


class SAM(nn.Module):
    def __init__(self, cfg=Config()):
        super().__init__()
        self.cfg = cfg
        self.encoder = ImageEncoder(cfg)
        self.prompts = PromptEncoder(cfg)
        self.decoder = MaskDecoder(cfg)

    def decode(self, embeddings, coords, labels, masks, has_mask):
        """Embeddings [B,C,g,g], prompts B·K (image-major) → logits [B·K,4,4g,4g], IoU [B·K,4]."""
        return self.decoder(embeddings, self.prompts.dense_positions(), self.prompts.points(coords, labels),
                            self.prompts.masks(masks, has_mask))


class MetaDecoder(nn.Module):
    """The decoder half in Meta's ONNX signature (docs/sources.md §3.4)."""

    def __init__(self, sam, single=False):
        super().__init__()
        self.sam, self.single = sam, single

    def forward(self, image_embeddings, point_coords, point_labels, mask_input, has_mask_input, orig_im_size):
        low, iou = self.sam.decode(image_embeddings, point_coords, point_labels, mask_input, has_mask_input)
        if self.single:
            favour = torch.tensor([[1000.0, 0, 0, 0]])
            best = torch.argmax(iou + (point_coords.shape[1] - 2.5) * favour, dim=1)
            rows = torch.arange(low.shape[0])
            low, iou = low[rows, best].unsqueeze(1), iou[rows, best].unsqueeze(1)
        side = self.sam.cfg.img_size
        masks = F.interpolate(low, (side, side), mode="bilinear", align_corners=False)
        size = orig_im_size.to(torch.float32)
        inner = torch.floor(size * (side / torch.max(size)) + 0.5).to(torch.int64)
        masks = masks[..., : inner[0], : inner[1]]
        out = orig_im_size.to(torch.int64)
        return F.interpolate(masks, (out[0], out[1]), mode="bilinear", align_corners=False), iou, low


def refine(fine, coarse):
    """Starts a network from one of larger patches, given as state: what has the
    same shape is taken over, patches and positions are resampled, the rest (the
    relative positions) stays as it is."""
    own = fine.state_dict()
    for name, weight in coarse.items():
        if weight.shape == own[name].shape:
            own[name] = weight
        elif name == "encoder.patch_embed.weight":
            shrink = weight.shape[-1] // own[name].shape[-1]
            own[name] = F.avg_pool2d(weight, shrink) * shrink**2
        elif name == "encoder.pos_embed":
            grid = own[name].shape[1:3]
            own[name] = F.interpolate(weight.permute(0, 3, 1, 2), grid, mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
    fine.load_state_dict(own)


def export(sam, folder):
    """Writes sam_encoder.onnx and sam_decoder.onnx."""
    cfg = sam.cfg
    sam.eval()
    onnxout.export(sam.encoder, torch.zeros(1, 3, cfg.img_size, cfg.img_size), f"{folder}/sam_encoder.onnx", 17,
                   ["input_image"], ["image_embeddings"])
    low = 4 * cfg.grid
    args = (torch.randn(1, cfg.embed, cfg.grid, cfg.grid), torch.rand(1, 5, 2) * cfg.img_size,
            torch.tensor([[1.0, 0, 2, 3, -1]]), torch.randn(1, 1, low, low), torch.tensor([1.0]),
            torch.tensor([96.0, 128.0]))
    onnxout.export(MetaDecoder(sam), args, f"{folder}/sam_decoder.onnx", 17,
                   ["image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input", "orig_im_size"],
                   ["masks", "iou_predictions", "low_res_masks"],
                   {"point_coords": {1: "num_points"}, "point_labels": {1: "num_points"}})
    for name in ("sam_encoder", "sam_decoder"):
        compact(f"{folder}/{name}.onnx")
