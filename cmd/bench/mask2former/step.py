#!/usr/bin/python3
"""Times Mask2Former of the transformers package: steps of training (forward,
matching, loss, backward, AdamW), or the labels of one image. Prints seconds and
CPU seconds per step, the first of which warms up; on a GPU the peak of its memory
goes to stderr.

    step.py torch|torch-compile|torch-cuda|torch-cuda-compile -pictures DIR -sizes JSON -forward=false -size N -classes N -batch N -steps N

-sizes are those of the network, random in its weights, as bench mask2former reads
them of a config; -pictures has the scenes of its own trainings. What remains are
choices of wsss.
"""
import argparse
import contextlib
import json
import os
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, SwinConfig

p = argparse.ArgumentParser()
p.add_argument("engine")
for k in ("pictures", "sizes", "forward", "config", "dir", "recompute"):
    p.add_argument("-" + k)
for k in ("size", "classes", "batch", "steps", "threads"):
    p.add_argument("-" + k, type=int)
a = p.parse_args()

torch.set_num_threads(a.threads or os.cpu_count())
torch.manual_seed(1)
cuda = a.engine.startswith("torch-cuda")
device = "cuda" if cuda else "cpu"
s = json.loads(a.sizes)
n = s["Net"]
net = Mask2FormerForUniversalSegmentation(Mask2FormerConfig(
    backbone_config=SwinConfig(
        embed_dim=s["Embed"], depths=s["Depths"], num_heads=s["Heads"], window_size=s["Window"], drop_path_rate=float(n.get("DropPath", 0)),
        out_features=["stage1", "stage2", "stage3", "stage4"]),
    feature_size=n["Channels"], mask_feature_size=n["Channels"], hidden_dim=n["Channels"], encoder_feedforward_dim=n["EncoderFeedForward"],
    dim_feedforward=n["FeedForward"], encoder_layers=n["EncoderLayers"], decoder_layers=n["Layers"] + 1, num_attention_heads=n["Heads"],
    num_queries=n["Queries"], num_labels=a.classes, train_num_points=n["Points"], oversample_ratio=float(n["Oversample"]),
    importance_sample_ratio=float(n["Importance"]), no_object_weight=float(n["NoObject"]))).to(device)
print(f"{a.engine}: {sum(q.numel() for q in net.parameters()) / 1e6:.1f} M weights", file=sys.stderr)


def scenes(count):
    """Pictures [count, 3, size, size] and their classes [count, size, size]."""
    root = os.path.join(a.pictures, "scenes")
    names = open(os.path.join(root, "ImageSets/Segmentation/train.txt")).read().split()
    cut = (0, 0, a.size, a.size)
    images, labels = [], []
    for name in (names * count)[:count]:
        images.append(np.asarray(Image.open(os.path.join(root, "JPEGImages", name + ".jpg")).convert("RGB").crop(cut)))
        labels.append(np.asarray(Image.open(os.path.join(root, "SegmentationClass", name + ".png")).crop(cut)))
    x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    x = (x - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    return x.to(device), torch.from_numpy(np.stack(labels)).long().to(device)


x, y = scenes(a.batch)
run = torch.compile(net) if a.engine.endswith("compile") else net
half = torch.autocast("cuda", torch.bfloat16) if cuda else contextlib.nullcontext()
if a.forward == "true":
    net.eval()

    def step():
        with torch.inference_mode(), half:
            out = run(x)
        masks = F.interpolate(out.masks_queries_logits, size=(a.size, a.size), mode="bilinear", align_corners=False)
        scores = torch.einsum("bqc,bqhw->bchw", out.class_queries_logits.softmax(-1)[..., :-1], masks.sigmoid())
        return float(scores.argmax(1).float().mean())
else:
    net.train()
    classes = [torch.unique(l[l != 255]) for l in y]
    masks = [torch.stack([(l == c).float() for c in cs]) for l, cs in zip(y, classes)]
    adam = torch.optim.AdamW(net.parameters(), lr=1e-4, weight_decay=0.05)

    def step():
        adam.zero_grad(set_to_none=True)
        with half:
            loss = run(pixel_values=x, mask_labels=masks, class_labels=classes).loss
        loss.backward()
        adam.step()
        return loss.item()


for _ in range(a.steps + 1):
    start, cpu = time.perf_counter(), time.process_time()
    value = step()
    print(time.perf_counter() - start, time.process_time() - cpu, flush=True)
    print(f"{a.engine}: {value}", file=sys.stderr)
if cuda:
    print(f"{a.engine}: peak GPU memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB", file=sys.stderr)
