"""Writes the parity fixtures of train/clip: a small CLIP image encoder
(tiny_vision.onnx), inputs, initial head and PyTorch's gradients
(finetune.safetensors), and the losses of 20 AdamW updates (finetune.json).

    python3 gen_finetune.py        (with PyTorch, in this folder; onnxout.py tells of its exporters)
"""
import json
import os
import struct
import sys

import numpy as np
import torch
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../models/foundation/zoo"))
from nets import onnxout  # noqa: E402

SIZE, PATCH, WIDTH, BLOCKS, HEADS, EMBED, CLASSES, BATCH = 32, 8, 24, 2, 2, 16, 5, 4
LR, DECAY, LAYER_DECAY, STEPS = 1e-3, 0.7, 0.8, 20
torch.manual_seed(5)
torch.set_num_threads(1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.q, self.k, self.v, self.o = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        y = self.ln1(x)
        q, k, v = (f(y).view(x.shape[0], -1, HEADS, WIDTH // HEADS).transpose(1, 2) for f in (self.q, self.k, self.v))
        a = (q @ k.transpose(-1, -2) * (WIDTH // HEADS) ** -0.5).softmax(-1)
        x = x + self.o((a @ v).transpose(1, 2).flatten(2))
        y = self.up(self.ln2(x))
        return x + self.down(y * torch.sigmoid(1.702 * y))


class Vision(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, PATCH, PATCH, bias=False)
        self.cls = nn.Parameter(torch.randn(WIDTH) * 0.1)
        self.positions = nn.Parameter(torch.randn((SIZE // PATCH) ** 2 + 1, WIDTH) * 0.1)
        self.ln_pre, self.ln_post = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.projection = nn.Linear(WIDTH, EMBED, bias=False)

    def forward(self, pixels):
        x = self.patches(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], 1, -1), x], 1) + self.positions
        x = self.ln_pre(x)
        for b in self.blocks:
            x = b(x)
        return self.projection(self.ln_post(x[:, 0]))


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.norm, self.fc = Vision(), nn.LayerNorm(EMBED), nn.Linear(EMBED, CLASSES)

    def forward(self, x):
        return self.fc(self.norm(self.encoder(x)))


def cost(kind, logits, targets, known):
    if kind == "softmax":
        share = targets / targets.sum(1, keepdim=True)
        return nn.functional.cross_entropy(logits, share)
    if kind == "bce":
        each = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    else:  # asymmetric, gamma 1 and 4, margin 0.05; the focus has no gradient
        p = logits.sigmoid()
        q = (1 - p + 0.05).clamp(max=1)
        with torch.no_grad():
            focus = (1 - p * targets - q * (1 - targets)) ** (1 * targets + 4 * (1 - targets))
        each = -(targets * p.clamp(min=1e-8).log() + (1 - targets) * q.clamp(min=1e-8).log()) * focus
    return (each * known).sum() / known.sum()


def depth(name):
    """0 for the embedding, 1.. for blocks, BLOCKS+1 for what follows."""
    if not name.startswith("encoder."):
        return BLOCKS + 1
    parts = name.split(".")
    if parts[1] == "blocks":
        return int(parts[2]) + 1
    return 0 if parts[1] in ("patches", "cls", "positions", "ln_pre") else BLOCKS + 1


def groups(model):
    return [{"params": [p], "lr": LR * LAYER_DECAY ** (BLOCKS + 1 - depth(n)), "weight_decay": DECAY if p.dim() > 1 else 0}
            for n, p in model.named_parameters()]


def write(path, arrays):
    header, at, blobs = {}, 0, []
    for name, a in sorted(arrays.items()):
        a = np.ascontiguousarray(a, dtype=np.float32)
        header[name] = {"dtype": "F32", "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
        blobs.append(a.tobytes())
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def main():
    start = Classifier()
    with torch.no_grad():
        for n, p in start.named_parameters():
            if p.dim() == 1:  # norms and biases that are not neutral
                p.add_(torch.randn_like(p) * 0.1)
    weights = {k: v.clone() for k, v in start.state_dict().items()}
    images = torch.randn(BATCH, 3, SIZE, SIZE)
    targets = torch.tensor([[1, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 1, 1, 1], [1, 0, 0, 0, 0]], dtype=torch.float32)
    known = torch.tensor([[1, 1, 0, 1, 1], [0, 1, 1, 1, 0], [1, 1, 1, 1, 1], [1, 0, 0, 1, 1]], dtype=torch.float32)
    onnxout.export(start.encoder, images[:1], "tiny_vision.onnx", 16, ["pixel_values"], ["image_embeds"],
                   {"pixel_values": {0: "batch"}, "image_embeds": {0: "batch"}}, fold=False)
    arrays = {"images": images, "targets": targets, "known": known,
              "head/norm_scale": weights["norm.weight"], "head/norm_bias": weights["norm.bias"],
              "head/weight": weights["fc.weight"].T, "head/bias": weights["fc.bias"]}
    rename = {"norm.weight": "head/norm_scale", "norm.bias": "head/norm_bias", "fc.weight": "head/weight", "fc.bias": "head/bias"}
    losses = {}
    for kind in ("softmax", "bce", "asl"):
        model = Classifier()
        model.load_state_dict(weights)
        opt = torch.optim.AdamW(groups(model))
        losses[kind] = []
        for step in range(STEPS):
            opt.zero_grad()
            loss = cost(kind, model(images), targets, known)
            loss.backward()
            if step == 0:
                for n, p in model.named_parameters():
                    g = p.grad.T if n == "fc.weight" else p.grad
                    arrays[f"grad/{kind}/" + rename.get(n, n.replace("encoder.", "encoder/", 1))] = g.clone()
            opt.step()
            losses[kind].append(loss.item())
        if kind == "bce":
            with torch.no_grad():
                arrays["logits/after"] = model(images)
    write("finetune.safetensors", {k: v.detach().numpy() for k, v in arrays.items()})
    settings = {"lr": LR, "weight_decay": DECAY, "layer_decay": LAYER_DECAY, "classes": CLASSES, "size": SIZE}
    json.dump({"settings": settings, "losses": losses, "depths": {n[8:]: depth(n) for n, _ in start.named_parameters() if n.startswith("encoder.")}},
              open("finetune.json", "w"), indent=1)


if __name__ == "__main__":
    main()
