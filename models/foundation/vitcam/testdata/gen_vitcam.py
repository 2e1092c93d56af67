"""Small random vision transformers in four kinds of export, with what PyTorch
says of their class activation maps (docs/sources.md §6.1, §6.2).

hf: the zoo's CLIP, vision tower with projection, sizes fixed but the batch.
full: the same with the text tower and normalised embeddings in one graph.
openai: torch's own attention, tokens first, every size fixed, layer norms as one operator.
classifier: hf with a layer norm and a linear layer of ten classes behind it.

  OMP_NUM_THREADS=1 python3 models/foundation/vitcam/testdata/gen_vitcam.py
"""
import json
import math
import os
import sys

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "..", "zoo"))
from nets import clip, compact, onnxout  # noqa: E402

MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
CFG = clip.Config(size=24, patch=8, width=16, layers=3, heads=2, context=8, vocab=40, text_width=16, text_layers=1, text_heads=2, embed=12)
LAST, TAU = 2, 0.4  # blocks whose attention is averaged; threshold of the boxes


class OpenAIBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads)
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), clip.QuickGELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        y = self.ln1(x)
        x = x + self.attn(y, y, y)[0]
        return x + self.mlp(self.ln2(x))


class OpenAI(nn.Module):
    """The layout of OpenAI's own implementation (docs/sources.md §7)."""

    def __init__(self, cfg):
        super().__init__()
        n = (cfg.size // cfg.patch) ** 2
        self.patches = nn.Conv2d(3, cfg.width, cfg.patch, cfg.patch, bias=False)
        self.cls = nn.Parameter(torch.randn(cfg.width))
        self.positions = nn.Parameter(torch.randn(n + 1, cfg.width))
        self.ln_pre, self.ln_post = nn.LayerNorm(cfg.width), nn.LayerNorm(cfg.width)
        self.blocks = nn.ModuleList(OpenAIBlock(cfg.width, cfg.heads) for _ in range(cfg.layers))
        self.proj = nn.Parameter(torch.randn(cfg.width, cfg.embed))

    def forward(self, x):
        x = self.patches(x)
        x = x.reshape(x.shape[0], x.shape[1], -1).permute(0, 2, 1)
        x = torch.cat([self.cls + torch.zeros(x.shape[0], 1, x.shape[-1]), x], 1) + self.positions
        x = self.ln_pre(x).permute(1, 0, 2)
        for block in self.blocks:
            x = block(x)
        return self.ln_post(x.permute(1, 0, 2)[:, 0, :]) @ self.proj


class Classifier(nn.Module):
    def __init__(self, vision):
        super().__init__()
        self.vision, self.norm, self.head = vision, nn.LayerNorm(CFG.embed), nn.Linear(CFG.embed, 10)

    def forward(self, x):
        return self.head(self.norm(self.vision(x)))


class Full(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, pixel_values):
        v, t = self.model.vision(pixel_values), self.model.text(input_ids)
        v, t = v / v.norm(p=2, dim=-1, keepdim=True), t / t.norm(p=2, dim=-1, keepdim=True)
        logits = t @ v.t() * self.model.logit_scale.exp()
        return logits.t(), logits, t, v


def picture(w, h):
    y, x = np.mgrid[:h, :w]
    return np.stack([(x * 7 + y * 3) % 256, (x * y) % 251, (x * 2 + y * y) % 256], -1).astype(np.uint8)


def pixels(w, h, step):
    """The image with each side rounded up to whole patches, normalised."""
    W, H = math.ceil(w / step) * step, math.ceil(h / step) * step
    image = Image.fromarray(picture(w, h)).resize((W, H), Image.BICUBIC)
    return (torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255 - MEAN) / STD


def positions(table, side, h, w):
    grid = table[1:].T.reshape(1, -1, side, side)
    grid = F.interpolate(grid, (h, w), mode="bilinear", align_corners=False)
    return torch.cat([table[:1], grid[0].flatten(1).T])


def run(vision, image):
    """The tokens' embeddings, the activations after the last block's first norm,
    and the mean attention of the last blocks, by following the network's parts."""
    if isinstance(vision, Classifier):
        rows, *rest = run(vision.vision, image)
        return vision.head(vision.norm(rows)), *rest
    openai = isinstance(vision, OpenAI)
    x = vision.patches(image[None])
    h, w = x.shape[2:]
    x = x.flatten(2).transpose(1, 2)
    table = vision.positions if openai else vision.positions.weight
    x = torch.cat([vision.cls.expand(1, 1, -1), x], 1) + positions(table, CFG.size // CFG.patch, h, w)
    x = vision.ln_pre(x)
    attention = []
    for block in vision.blocks:
        y = block.ln1(x)
        if openai:
            out, a = block.attn(*(3 * [y.transpose(0, 1)]), average_attn_weights=True)
            x, a = x + out.transpose(0, 1), a[0]
        else:
            q, k, v = block.split(block.q(y)), block.split(block.k(y)), block.split(block.v(y))
            a = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1)
            x = x + block.o((a @ v).transpose(1, 2).flatten(2))
            a = a[0].mean(0)
        x = x + block.mlp(block.ln2(x))
        attention.append(a)
    tokens = vision.ln_post(x)
    rows = tokens @ vision.proj if openai else vision.projection(tokens)
    return rows[0], y, torch.stack(attention[-LAST:]).mean(0)[1:, 1:], (h, w)


def minmax(m):
    m = m - m.min()
    return m / (1e-7 + m.max())


def boxes(mask):
    """Bounding boxes of the 8-connected regions: those of all contours cover no more."""
    h, w = mask.shape
    seen, found = np.zeros_like(mask), []
    for y0, x0 in np.argwhere(mask):
        if seen[y0, x0]:
            continue
        stack, ys, xs = [(y0, x0)], [], []
        seen[y0, x0] = True
        while stack:
            y, x = stack.pop()
            ys.append(y)
            xs.append(x)
            for v in range(max(0, y - 1), min(h, y + 2)):
                for u in range(max(0, x - 1), min(w, x + 2)):
                    if mask[v, u] and not seen[v, u]:
                        seen[v, u] = True
                        stack.append((v, u))
        found.append((min(xs), min(ys), min(max(xs) + 1, w - 1), min(max(ys) + 1, h - 1)))
    return found


def refine(cam, attention):
    h, w = cam.shape
    t = attention.numpy().astype(np.float64)
    for _ in range(3):
        t = t / t.sum(0, keepdims=True)
        t = t / t.sum(1, keepdims=True)
    t = (t + t.T) / 2
    t = t @ t
    bytes8 = (cam * 255).astype(np.uint8)
    inside = np.zeros((h, w))
    for x0, y0, x1, y1 in boxes(bytes8 > int(TAU * bytes8.max())):
        inside[y0:y1, x0:x1] = 1
    return minmax(((t * inside.reshape(1, -1)) @ cam.reshape(-1, 1)).reshape(h, w))


def maps(vision, texts, image, classes, among, softmax, cls):
    rows, act, attention, (h, w) = run(vision, image)
    act_grad = lambda score: torch.autograd.grad(score, act, retain_graph=True)[0]  # noqa: E731
    e = rows[0] if cls else rows[1:].mean(0)
    logits = e if isinstance(vision, Classifier) else 20 * (e / e.norm()) @ texts.T
    if softmax:
        keep = torch.full_like(logits, -1e9)
        keep[among] = 0
        logits = (logits + keep).softmax(-1)
    out = []
    for c in classes:
        weight = act_grad(logits[c])[0, 1:].mean(0)
        out.append(torch.relu(act[0, 1:] @ weight).view(h, w).detach().numpy())
    return out, act.detach(), attention.detach()


def case(export, vision, texts, size, among, softmax=True, cls=False, all=False):
    w, h = size
    classes = among[:2]
    found, act, attention = maps(vision, texts, pixels(w, h, CFG.patch), classes, among, softmax, cls)
    one = lambda x: [float(f"{v:.7g}") for v in np.asarray(x).reshape(-1)]  # noqa: E731
    c = {"export": export, "width": w, "height": h, "softmax": softmax, "class_token": cls, "classes": classes,
         "among": among, "cams": [one(m) for m in found], "refined": [one(refine(minmax(m), attention)) for m in found]}
    if all:
        c["activations"], c["attention"] = one(act), one(attention)
    return c


def main():
    torch.manual_seed(5)
    model = clip.CLIP(CFG).eval()
    openai, classifier = OpenAI(CFG).eval(), Classifier(model.vision).eval()
    for m in (model, openai, classifier.norm, classifier.head):
        for p in m.parameters():
            p.data += torch.randn_like(p) * 0.15
    texts = F.normalize(torch.randn(6, CFG.embed), dim=-1)
    image, ids = torch.zeros(1, 3, CFG.size, CFG.size), torch.ones(1, CFG.context, dtype=torch.int64)

    def save(name, module, args, inputs, outputs, axes, opset=14):
        path = os.path.join(here, name)
        onnxout.export(module.eval(), args, path, opset, inputs, outputs, axes)
        compact.compact(path)

    save("hf.onnx", model.vision, image, ["pixel_values"], ["image_embeds"], {"pixel_values": {0: "batch"}})
    save("full.onnx", Full(model), (ids, image), ["input_ids", "pixel_values"],
         ["logits_per_image", "logits_per_text", "text_embeds", "image_embeds"], {"pixel_values": {0: "batch"}, "input_ids": {0: "texts"}})
    save("openai.onnx", openai, image, ["pixel_values"], ["image_embeds"], {}, opset=17)
    save("classifier.onnx", classifier, image, ["pixel_values"], ["logits"], {"pixel_values": {0: "batch"}})
    among = [1, 4, 5, 0]
    cases = [
        case("hf", model.vision, texts, (70, 45), among, all=True),
        case("hf", model.vision, texts, (33, 61), among, softmax=False),
        case("hf", model.vision, texts, (40, 40), among, softmax=False, cls=True),
        case("full", model.vision, texts, (70, 45), among),
        case("openai", openai, texts, (51, 70), among, all=True),
        case("classifier", classifier, texts, (48, 30), among, softmax=False, cls=True),
        case("classifier", classifier, texts, (48, 30), among, softmax=False),
    ]
    with open(os.path.join(here, "maps.json"), "w") as f:
        json.dump({"scale": 20, "last": LAST, "tau": TAU, "texts": [[float(f"{v:.7g}") for v in t] for t in texts], "cases": cases}, f)


main()
