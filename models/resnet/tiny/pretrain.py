#!/usr/bin/python3
"""Pre-trains the demo's backbone, a ResNet-18 of a quarter of the width, on the
masks of 3,000 generated scenes of another seed. It stands to the demo as the
weights trained on COCO's masks stand to the published networks (docs/sources.md §8.1).

    go run ./models/foundation/zoo/genscenes -out DIR      # scenes of another seed than the demo's
    OMP_NUM_THREADS=2 /usr/bin/python3 models/resnet/tiny/pretrain.py DIR MINUTES

Writes resnet18_w025_scenes.safetensors beside this file, in float16.
"""
import json
import os
import struct
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../foundation/zoo/nets"))
sys.dont_write_bytecode = True
import scenes

WIDTH, SIDE = 0.25, 60  # channels; pixels of the longer side, as the demo sees it
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


class Block(nn.Module):
    def __init__(self, cin, cout, stride, dilation, project):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, dilation, dilation, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        if project:
            self.downsample = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class ResNet18(nn.Module):
    """Output stride 16; `last` dilates the two blocks of the last stage: 1, 2 as in
    torchvision and in DeepLab-v3+ here."""

    def __init__(self, last):
        super().__init__()
        c = [int(n * WIDTH) for n in (64, 64, 128, 256, 512)]
        self.conv1 = nn.Conv2d(3, c[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(c[0])
        for i, stride in enumerate((1, 2, 2, 1)):
            d = last if i == 3 else (1, 1)
            setattr(self, f"layer{i+1}", nn.Sequential(Block(c[i], c[i+1], stride, d[0], i > 0), Block(c[i+1], c[i+1], 1, d[1], False)))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


def masks(folder, split):
    """Class maps [n, SIDE, SIDE] of the pictures that scenes.load returns; 255
    is void and outside."""
    with open(os.path.join(folder, "ImageSets/Segmentation", split + ".txt")) as f:
        ids = f.read().split()
    out = np.full((len(ids), SIDE, SIDE), 255, np.uint8)
    for i, name in enumerate(ids):
        m = Image.open(os.path.join(folder, "SegmentationClass", name + ".png"))
        w, h = (int(s * SIDE / max(m.size) + 0.5) for s in m.size)
        out[i, :h, :w] = np.asarray(m.resize((w, h), Image.NEAREST))
    return torch.from_numpy(out)


def batch(images, labels, rng, n):
    """n pictures, mirrored and changed in size and brightness at random."""
    idx = torch.from_numpy(rng.integers(len(images), size=n))
    x = images[idx].float() / 255 * torch.from_numpy(rng.uniform(0.8, 1.2, (n, 1, 1, 1)).astype(np.float32))
    x, y = ((x - MEAN) / STD).permute(0, 3, 1, 2), labels[idx][:, None].float()
    if rng.random() < 0.5:
        x, y = x.flip(3), y.flip(3)
    side = int(rng.integers(56, 69))
    x = F.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)
    return x, F.interpolate(y, size=(side, side), mode="nearest")[:, 0].long()


def logits(net, head, x):
    return F.interpolate(head(net(x)), size=x.shape[2:], mode="bilinear", align_corners=False)


def miou(net, head, images, labels, classes):
    inter, union = np.zeros(classes), np.zeros(classes)
    with torch.no_grad():
        x = ((images.float() / 255 - MEAN) / STD).permute(0, 3, 1, 2)
        p = logits(net, head, x).argmax(1)
    for c in range(classes):
        a, b = (p == c) & (labels != 255), labels == c
        inter[c], union[c] = (a & b).sum(), (a | b).sum()
    return float((inter / np.maximum(union, 1)).mean())


def save(net, path):
    """Writes a safetensors file of float16, names sorted."""
    tensors = {k: v.half().numpy() for k, v in sorted(net.state_dict().items()) if "num_batches" not in k}
    header, at = {"__metadata__": {"about": "ResNet-18, width 0.25, pre-trained on generated scenes"}}, 0
    for k, v in tensors.items():
        header[k] = {"dtype": "F16", "shape": list(v.shape), "data_offsets": [at, at + v.nbytes]}
        at += v.nbytes
    raw = json.dumps(header, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    with open(path + ".tmp", "wb") as f:
        f.write(struct.pack("<Q", len(raw)) + raw + b"".join(v.tobytes() for v in tensors.values()))
    os.replace(path + ".tmp", path)


def main():
    folder, minutes = sys.argv[1], float(sys.argv[2])
    torch.manual_seed(0)
    images = {k: torch.from_numpy(scenes.load(folder, k, SIDE)["images"]) for k in ("train", "val")}
    labels = {k: masks(folder, k) for k in images}
    classes = len(scenes.names(folder)) + 1
    net, head = ResNet18((1, 2)), nn.Conv2d(int(512 * WIDTH), classes, 3, padding=1)
    opt = torch.optim.AdamW(list(net.parameters()) + list(head.parameters()), lr=4e-3, weight_decay=0.01)
    start, step = time.time(), 0
    while (done := (time.time() - start) / (60 * minutes)) < 1:
        for g in opt.param_groups:
            g["lr"] = 4e-3 * min(1, (step + 1) / 100) * (0.01 + 0.99 * (0.5 + 0.5 * np.cos(np.pi * done)))
        x, y = batch(images["train"], labels["train"], np.random.default_rng((0, step)), 32)
        loss = F.cross_entropy(logits(net, head, x), y, ignore_index=255)
        opt.zero_grad()
        loss.backward()
        opt.step()
        step += 1
        if step % 200 == 0:
            net.eval()
            print(f"step {step} {100*done:.0f} % loss {loss.item():.3f} val mIoU {miou(net, head, images['val'], labels['val'], classes):.3f}", flush=True)
            net.train()
    net.eval()
    print(f"{step} steps, val mIoU {miou(net, head, images['val'], labels['val'], classes):.3f}")
    save(net, os.path.join(HERE, "resnet18_w025_scenes.safetensors"))


main()
