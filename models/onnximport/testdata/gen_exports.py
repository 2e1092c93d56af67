"""Exports networks with the graph patterns of the real foundation models.

    python3 gen_exports.py exports            tiny ones, kept in the repository
    python3 gen_exports.py DIR NAME...        named ones; *_full are of real size

Weights are random. Each export NAME.onnx goes with NAME.json: the inputs to
run it with. Needs PyTorch and onnx; onnxout.py tells of PyTorch's two exporters.
"""
import json
import math
import os
import sys

import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "foundation", "zoo"))
from nets import onnxout  # noqa: E402

MODELS = {}


def model(inputs, **kw):
    """Registers a network: inputs maps names to tensors."""

    def add(build):
        MODELS[build.__name__] = (build, inputs, kw)
        return build

    return add


# --- Segment Anything: image encoder -------------------------------------


class DecomposedAttention(nn.Module):
    def __init__(self, dim, heads, side):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, dim * 3)
        self.proj = nn.Linear(dim, dim)
        self.rel_h = nn.Parameter(torch.randn(2 * side - 1, dim // heads) * 0.1)
        self.rel_w = nn.Parameter(torch.randn(2 * side - 1, dim // heads) * 0.1)

    @staticmethod
    def table(size, rel):
        """Relative positions as PyTorch traces them: from the size of the input."""
        at = torch.arange(size)[:, None] - torch.arange(size)[None, :] + (size - 1)
        return rel[at.long()]

    def forward(self, x):
        b, h, w, _ = x.shape
        qkv = self.qkv(x).reshape(b, h * w, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.reshape(3, b * self.heads, h * w, -1).unbind(0)
        attn = (q * (q.shape[-1] ** -0.5)) @ k.transpose(-2, -1)
        grid = q.reshape(b * self.heads, h, w, -1)
        rel_h = torch.einsum("bhwc,hkc->bhwk", grid, self.table(h, self.rel_h))
        rel_w = torch.einsum("bhwc,wkc->bhwk", grid, self.table(w, self.rel_w))
        attn = (attn.view(b * self.heads, h, w, h, w) + rel_h[..., None] + rel_w[..., None, :]).view(b * self.heads, h * w, h * w)
        out = (attn.softmax(-1) @ v).view(b, self.heads, h, w, -1).permute(0, 2, 3, 1, 4).reshape(b, h, w, -1)
        return self.proj(out)


class SamBlock(nn.Module):
    def __init__(self, dim, heads, window, grid):
        super().__init__()
        self.window = window
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.attn = DecomposedAttention(dim, heads, window or grid)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x):
        y = self.norm1(x)
        if self.window:
            y = self.windowed(y)
        else:
            y = self.attn(y)
        x = x + y
        return x + self.mlp(self.norm2(x))

    def windowed(self, x):
        b, h, w, c = x.shape
        s = self.window
        pad_h, pad_w = (s - h % s) % s, (s - w % s) % s
        if pad_h > 0 or pad_w > 0:
            x = F.pad(x, (0, 0, 0, pad_w, 0, pad_h))
        hp, wp = h + pad_h, w + pad_w
        x = x.view(b, hp // s, s, wp // s, s, c).permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, s, s, c)
        x = self.attn(x)
        x = x.view(b, hp // s, wp // s, s, s, -1).permute(0, 1, 3, 2, 4, 5).contiguous().view(b, hp, wp, -1)
        if hp > h or wp > w:
            x = x[:, :h, :w, :].contiguous()
        return x


class LayerNorm2d(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(c)), nn.Parameter(torch.zeros(c))

    def forward(self, x):
        u = x.mean(1, keepdim=True)
        s = (x - u).pow(2).mean(1, keepdim=True)
        return self.weight[:, None, None] * ((x - u) / torch.sqrt(s + 1e-6)) + self.bias[:, None, None]


class SamEncoder(nn.Module):
    def __init__(self, img, patch, dim, depth, heads, window, glob, out):
        super().__init__()
        grid = img // patch
        self.patch = nn.Conv2d(3, dim, patch, patch)
        self.pos = nn.Parameter(torch.randn(1, grid, grid, dim) * 0.02)
        self.blocks = nn.ModuleList(SamBlock(dim, heads, 0 if i in glob else window, grid) for i in range(depth))
        self.neck = nn.Sequential(nn.Conv2d(dim, out, 1, bias=False), LayerNorm2d(out), nn.Conv2d(out, out, 3, padding=1, bias=False), LayerNorm2d(out))

    def forward(self, x):
        x = self.patch(x).permute(0, 2, 3, 1) + self.pos
        for b in self.blocks:
            x = b(x)
        return self.neck(x.permute(0, 3, 1, 2))


@model({"images": torch.randn(1, 3, 40, 40)}, outputs=["image_embeddings"], dynamic={"images": {0: "batch"}})
def sam_encoder():
    return SamEncoder(40, 4, 16, 2, 2, 4, (1,), 8)


@model({"images": torch.randn(1, 3, 1024, 1024)}, outputs=["image_embeddings"], dynamic={"images": {0: "batch"}})
def sam_vit_b_full():
    return SamEncoder(1024, 16, 768, 12, 12, 14, (2, 5, 8, 11), 256)


@model({"images": torch.randn(1, 3, 1024, 1024)}, outputs=["image_embeddings"], dynamic={"images": {0: "batch"}})
def sam_vit_h_full():
    return SamEncoder(1024, 16, 1280, 32, 16, 14, (7, 15, 23, 31), 256)


# --- CLIP -----------------------------------------------------------------


class QuickGELU(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)


class ClipBlock(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.attn = nn.MultiheadAttention(dim, heads)
        self.ln_1, self.ln_2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), QuickGELU(), nn.Linear(4 * dim, dim))

    def forward(self, x, mask=None):
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.ln_2(x))


class ClipImage(nn.Module):
    def __init__(self, img, patch, dim, depth, heads, out):
        super().__init__()
        self.conv1 = nn.Conv2d(3, dim, patch, patch, bias=False)
        self.cls = nn.Parameter(torch.randn(dim) * 0.02)
        self.pos = nn.Parameter(torch.randn((img // patch) ** 2 + 1, dim) * 0.02)
        self.pre, self.post = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.blocks = nn.ModuleList(ClipBlock(dim, heads) for _ in range(depth))
        self.proj = nn.Parameter(torch.randn(dim, out) * dim**-0.5)

    def forward(self, x):
        x = self.conv1(x)
        x = x.reshape(x.shape[0], x.shape[1], -1).permute(0, 2, 1)
        x = torch.cat([self.cls + torch.zeros(x.shape[0], 1, x.shape[-1]), x], 1) + self.pos
        x = self.pre(x).permute(1, 0, 2)
        for b in self.blocks:
            x = b(x)
        return self.post(x.permute(1, 0, 2)[:, 0, :]) @ self.proj


class ClipText(nn.Module):
    def __init__(self, vocab, length, dim, depth, heads, out):
        super().__init__()
        self.tokens = nn.Embedding(vocab, dim)
        self.pos = nn.Parameter(torch.randn(length, dim) * 0.02)
        self.blocks = nn.ModuleList(ClipBlock(dim, heads) for _ in range(depth))
        self.ln = nn.LayerNorm(dim)
        self.proj = nn.Parameter(torch.randn(dim, out) * dim**-0.5)
        self.register_buffer("mask", torch.full((length, length), float("-inf")).triu(1))

    def forward(self, text):
        x = (self.tokens(text) + self.pos).permute(1, 0, 2)
        for b in self.blocks:
            x = b(x, self.mask)
        x = self.ln(x.permute(1, 0, 2))
        return x[torch.arange(x.shape[0]), text.argmax(-1)] @ self.proj


@model({"pixel_values": torch.randn(2, 3, 16, 16)}, outputs=["image_embeds"], dynamic={"pixel_values": {0: "batch"}})
def clip_image():
    return ClipImage(16, 4, 16, 2, 2, 8)


@model({"input_ids": torch.tensor([[40, 3, 5, 49, 0, 0], [40, 9, 49, 0, 0, 0]])}, outputs=["text_embeds"], dynamic={"input_ids": {0: "batch"}})
def clip_text():
    return ClipText(50, 6, 16, 2, 2, 8)


@model({"pixel_values": torch.randn(8, 3, 224, 224)}, outputs=["image_embeds"], dynamic={"pixel_values": {0: "batch"}})
def clip_vit_b16_full():
    return ClipImage(224, 16, 768, 12, 12, 512)


@model({"input_ids": torch.randint(1, 49000, (2, 77))}, outputs=["text_embeds"], dynamic={"input_ids": {0: "batch"}})
def clip_text_full():
    return ClipText(49408, 77, 512, 12, 8, 512)


# --- Grounding-DINO -------------------------------------------------------


class DeformableAttention(nn.Module):
    def __init__(self, dim, heads, levels, points):
        super().__init__()
        self.dim, self.heads, self.levels, self.points = dim, heads, levels, points
        self.offsets = nn.Linear(dim, heads * levels * points * 2)
        self.weights = nn.Linear(dim, heads * levels * points)
        self.value, self.out = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, query, reference, value, shapes):
        b, q, _ = query.shape
        h, l, p = self.heads, self.levels, self.points
        value = self.value(value).view(b, -1, h, self.dim // h)
        offsets = self.offsets(query).view(b, q, h, l, p, 2)
        weights = self.weights(query).view(b, q, h, l * p).softmax(-1).view(b, q, h, l, p)
        scale = torch.tensor([[w, hh] for hh, w in shapes], dtype=torch.float32)
        places = 2 * (reference[:, :, None, :, None, :] + offsets / scale[None, None, None, :, None, :]) - 1
        parts = []
        for i, v in enumerate(value.split([hh * w for hh, w in shapes], 1)):
            hh, w = shapes[i]
            v = v.flatten(2).transpose(1, 2).reshape(b * h, self.dim // h, hh, w)
            grid = places[:, :, :, i].transpose(1, 2).flatten(0, 1)
            parts.append(F.grid_sample(v, grid, mode="bilinear", padding_mode="zeros", align_corners=False))
        weights = weights.transpose(1, 2).reshape(b * h, 1, q, l * p)
        out = (torch.stack(parts, -2).flatten(-2) * weights).sum(-1)
        return self.out(out.view(b, self.dim, q).transpose(1, 2).contiguous())


def sine_positions(mask, dim):
    """Position encoding from the padding mask, by cumulative sums."""
    inside = 1 - mask.float()
    y, x = inside.cumsum(1, dtype=torch.float32), inside.cumsum(2, dtype=torch.float32)
    y, x = y / (y[:, -1:, :] + 1e-6) * 2 * math.pi, x / (x[:, :, -1:] + 1e-6) * 2 * math.pi
    i = torch.arange(dim // 2, dtype=torch.float32)
    t = 20 ** (2 * torch.div(i, 2, rounding_mode="floor") / (dim // 2))

    def waves(p):
        p = p[..., None] / t
        return torch.stack((p[..., 0::2].sin(), p[..., 1::2].cos()), 4).flatten(3)

    return torch.cat((waves(y), waves(x)), 3).permute(0, 3, 1, 2)


class DinoPiece(nn.Module):
    """Fusion, deformable encoder layer, query selection and box refinement."""

    def __init__(self, dim, queries):
        super().__init__()
        self.queries = queries
        self.inputs = nn.ModuleList([
            nn.Sequential(nn.Conv2d(3, dim, 1), nn.GroupNorm(4, dim)),
            nn.Sequential(nn.Conv2d(3, dim, 3, 2, 1), nn.GroupNorm(4, dim)),
        ])
        self.level = nn.Parameter(torch.randn(2, dim))
        self.attn = DeformableAttention(dim, 2, 2, 4)
        self.norm = nn.LayerNorm(dim)
        self.enc = nn.Linear(dim, dim)
        self.box = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, 4))
        self.cross = DeformableAttention(dim, 2, 2, 4)

    def reference(self, shapes):
        out = []
        for h, w in shapes:
            y, x = torch.meshgrid(torch.linspace(0.5, h - 0.5, h), torch.linspace(0.5, w - 0.5, w), indexing="ij")
            out.append(torch.stack((x.reshape(-1) / w, y.reshape(-1) / h), -1))
        return torch.cat(out)[None]

    def forward(self, image, mask, text, text_mask):
        feats, shapes, poss = [], [], []
        for i, proj in enumerate(self.inputs):
            f = proj(image)
            h, w = int(f.shape[2]), int(f.shape[3])
            m = F.interpolate(mask[None].float(), size=(h, w)).to(torch.bool)[0]
            pos = sine_positions(m, f.shape[1]).flatten(2).transpose(1, 2) + self.level[i]
            feats.append(f.flatten(2).transpose(1, 2))
            poss.append(pos)
            shapes.append((h, w))
        x, pos = torch.cat(feats, 1), torch.cat(poss, 1)
        ref = self.reference(shapes)
        x = self.norm(x + self.attn(x + pos, ref[:, :, None].repeat(1, 1, 2, 1), x, shapes))
        memory = self.enc(x)
        logits = memory @ text.transpose(1, 2)
        logits = logits.masked_fill(~text_mask[:, None, :], float("-inf"))
        top = torch.topk(logits.max(-1)[0], self.queries, dim=1)[1]
        coords = torch.log(ref / (1 - ref)).repeat(x.shape[0], 1, 2)
        boxes = self.box(memory) + coords
        boxes = torch.gather(boxes, 1, top.unsqueeze(-1).repeat(1, 1, 4)).sigmoid()
        queries = torch.gather(memory, 1, top.unsqueeze(-1).repeat(1, 1, memory.shape[-1]))
        queries = queries + self.cross(queries, boxes[:, :, None, :2].repeat(1, 1, 2, 1), memory, shapes)
        inverse = torch.log(boxes.clamp(1e-3, 1 - 1e-3) / (1 - boxes).clamp(min=1e-3))
        return queries @ text.transpose(1, 2), (self.box(queries) + inverse).sigmoid()


@model({"image": torch.randn(1, 3, 9, 7), "mask": torch.zeros(1, 9, 7, dtype=torch.bool), "text": torch.randn(1, 5, 16), "text_mask": torch.tensor([[True, True, True, True, False]])},
       outputs=["logits", "boxes"], dynamic={"text": {1: "tokens"}, "text_mask": {1: "tokens"}})
def dino_piece():
    return DinoPiece(16, 6)


# --- Swin (RAM, Grounding-DINO) -------------------------------------------


class SwinBlock(nn.Module):
    def __init__(self, dim, heads, side, window, shift):
        super().__init__()
        self.heads, self.side, self.window, self.shift = heads, side, window, shift
        self.norm = nn.LayerNorm(dim)
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.bias = nn.Parameter(torch.randn((2 * window - 1) ** 2, heads) * 0.1)
        c = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
        r = (c[:, :, None] - c[:, None, :]).permute(1, 2, 0) + window - 1
        self.register_buffer("index", r[..., 0] * (2 * window - 1) + r[..., 1])

    def mask(self, h, w):
        img = torch.zeros(1, h, w, 1)
        s, k = self.window, 0
        for hs in (slice(0, -s), slice(-s, -self.shift), slice(-self.shift, None)):
            for ws in (slice(0, -s), slice(-s, -self.shift), slice(-self.shift, None)):
                img[:, hs, ws, :] = k
                k += 1
        m = self.split(img).view(-1, s * s)
        m = m.unsqueeze(1) - m.unsqueeze(2)
        return m.masked_fill(m != 0, -100.0).masked_fill(m == 0, 0.0)

    def split(self, x):
        b, h, w, c = x.shape
        s = self.window
        return x.view(b, h // s, s, w // s, s, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, s, s, c)

    def forward(self, x):
        b, h, w, c = x.shape
        s = self.window
        y = self.norm(x)
        pad_r, pad_b = (s - w % s) % s, (s - h % s) % s
        y = F.pad(y, (0, 0, 0, pad_r, 0, pad_b))
        hp, wp = y.shape[1], y.shape[2]
        if self.shift:
            y = torch.roll(y, (-self.shift, -self.shift), (1, 2))
        y = self.split(y).view(-1, s * s, c)
        q, k, v = self.qkv(y).reshape(-1, s * s, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        attn = (q * (c // self.heads) ** -0.5) @ k.transpose(-2, -1)
        attn = attn + self.bias[self.index.view(-1)].view(s * s, s * s, -1).permute(2, 0, 1).unsqueeze(0)
        if self.shift:
            m = self.mask(hp, wp)
            attn = attn.view(-1, m.shape[0], self.heads, s * s, s * s) + m.unsqueeze(1).unsqueeze(0)
            attn = attn.view(-1, self.heads, s * s, s * s)
        y = (attn.softmax(-1) @ v).transpose(1, 2).reshape(-1, s, s, c)
        y = self.proj(y).view(b, hp // s, wp // s, s, s, c).permute(0, 1, 3, 2, 4, 5).reshape(b, hp, wp, c)
        if self.shift:
            y = torch.roll(y, (self.shift, self.shift), (1, 2))
        return x + y[:, :h, :w, :].contiguous()


class Merge(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm, self.reduce = nn.LayerNorm(4 * dim), nn.Linear(4 * dim, 2 * dim, bias=False)

    def forward(self, x):
        h, w = x.shape[1], x.shape[2]
        if h % 2 or w % 2:
            x = F.pad(x, (0, 0, 0, w % 2, 0, h % 2))
        x = torch.cat([x[:, i::2, j::2, :] for j in (0, 1) for i in (0, 1)], -1)
        return self.reduce(self.norm(x))


@model({"images": torch.randn(1, 3, 18, 14)}, outputs=["features", "logits"], dynamic={"images": {0: "batch", 2: "h", 3: "w"}})
def swin():
    class Swin(nn.Module):
        def __init__(self):
            super().__init__()
            self.patch = nn.Conv2d(3, 8, 2, 2)
            self.a, self.b = SwinBlock(8, 2, 0, 4, 0), SwinBlock(8, 2, 0, 4, 2)
            self.merge = Merge(8)
            self.head = nn.Linear(16, 5)

        def forward(self, x):
            x = self.patch(x).permute(0, 2, 3, 1)
            x = self.merge(self.b(self.a(x)))
            return x, self.head(F.adaptive_avg_pool2d(x.permute(0, 3, 1, 2), 1).flatten(1)).sigmoid()

    return Swin()


# --- BERT and Q-Former (Grounding-DINO's text, RAM, BLIP-2) ----------------


class BertLayer(nn.Module):
    def __init__(self, dim, heads, cross):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(dim, dim) for _ in range(4))
        self.cross = nn.MultiheadAttention(dim, heads, kdim=cross, vdim=cross, batch_first=True) if cross else None
        self.n1, self.n2, self.n3 = (nn.LayerNorm(dim, eps=1e-12) for _ in range(3))
        self.up, self.down = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x, mask, image):
        b, t, c = x.shape

        def split(y):
            return y.view(b, t, self.heads, c // self.heads).permute(0, 2, 1, 3)

        a = split(self.q(x)) @ split(self.k(x)).transpose(-1, -2) / math.sqrt(c // self.heads) + mask
        a = (a.softmax(-1) @ split(self.v(x))).permute(0, 2, 1, 3).contiguous().view(b, t, c)
        x = self.n1(x + self.o(a))
        if self.cross is not None:
            x = self.n3(x + self.cross(x, image, image, need_weights=False)[0])
        return self.n2(x + self.down(F.gelu(self.up(x))))


@model({"input_ids": torch.tensor([[2, 7, 9, 3, 0]]), "attention_mask": torch.tensor([[1, 1, 1, 1, 0]]), "image": torch.randn(1, 4, 12)},
       outputs=["hidden", "itm"], dynamic={"input_ids": {0: "b", 1: "t"}, "attention_mask": {0: "b", 1: "t"}, "image": {0: "b"}})
def qformer():
    class QFormer(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.places = nn.Embedding(20, 16), nn.Embedding(8, 16)
            self.query = nn.Parameter(torch.randn(1, 3, 16))
            self.norm = nn.LayerNorm(16, eps=1e-12)
            self.layers = nn.ModuleList([BertLayer(16, 2, 12), BertLayer(16, 2, 0)])
            self.itm = nn.Linear(16, 2)

        def forward(self, ids, mask, image):
            t = ids.shape[1]
            x = self.words(ids) + self.places(torch.arange(t)[None])
            x = self.norm(torch.cat([self.query.expand(ids.shape[0], -1, -1), x], 1))
            full = torch.cat([torch.ones(ids.shape[0], 3, dtype=mask.dtype), mask], 1)
            bias = (1.0 - full[:, None, None, :].to(x.dtype)) * torch.finfo(x.dtype).min
            for layer in self.layers:
                x = layer(x, bias, image)
            return x, F.log_softmax(self.itm(x[:, :3]).mean(1), -1)

    return QFormer()


# --- control flow and half precision ---------------------------------------


@model({"x": torch.randn(2, 3, 4), "size": torch.tensor([5, 7])}, outputs=["y"], script=True)
def scripted():
    @torch.jit.script
    def loop(x, size):
        h, w = int(size[0]), int(size[1])
        y = F.interpolate(x[None], size=[h, w], mode="bilinear", align_corners=False)[0]
        for i in range(3):
            if x.size(0) > 1:
                y = y * 1.5 + float(i)
            else:
                y = y - 1.0
        return y[:, : h - 1]

    return loop


class Scripted(nn.Module):
    """Keeps the loops and branches of a scripted function in the graph."""

    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, *args):
        return self.f(*args)


def describe(v):
    """Floats are drawn by whoever runs the model; the rest is given."""
    d = {"dims": list(v.shape), "type": str(v.dtype).replace("torch.", "")}
    if v.dtype != torch.float32:
        d["values"] = [int(x) for x in v.flatten()]
    return d


def export(name, folder):
    torch.manual_seed(len(name))
    build, inputs, kw = MODELS[name]
    net = build()
    path = os.path.join(folder, name + ".onnx")
    if not kw.get("script"):
        net = net.eval()
    else:
        net = Scripted(net)
    with torch.no_grad():
        onnxout.export(net, tuple(inputs.values()), path, 16, list(inputs), kw["outputs"], kw.get("dynamic"), fold=False)
    spec = {k: describe(v) for k, v in inputs.items()}
    with open(os.path.join(folder, name + ".json"), "w") as f:
        json.dump(spec, f)
        f.write("\n")


if __name__ == "__main__":
    folder, names = sys.argv[1], sys.argv[2:]
    # Scripted functions keep their loops, which only the tracing exporter takes.
    small = [n for n in MODELS if not n.endswith("_full") and not (onnxout.DYNAMO and MODELS[n][2].get("script"))]
    for n in names or small:
        export(n, folder)
        print(n, os.path.getsize(os.path.join(folder, n + ".onnx")))
