#!/usr/bin/env python3
"""Writes fixtures.json with NumPy and torchvision 0.14, after docs/sources.md §4: sizes
of resized images, phrase masks and position ids, boxes, phrases and NMS of
random answers. vocab.txt is a vocabulary of whole words."""
import json

import numpy as np
import torch
from torchvision.ops import nms

WORDS = open("vocab.txt").read().split("\n")[:-1]
ID = {w: i for i, w in enumerate(WORDS)}
SEPARATORS = {ID["[CLS]"], ID["[SEP]"], ID["."], ID["?"]}


def size(w, h, short=800, long=1333):
    lo, hi = float(min(w, h)), float(max(w, h))
    if hi / lo * short > long:
        short = int(round(long * lo / hi))
    if min(w, h) == short:
        return [w, h]
    return [short, int(short * h / w)] if w < h else [int(short * w / h), short]


def masks(ids):
    n = len(ids)
    attend, position = np.eye(n, dtype=bool), np.zeros(n, int)
    before = 0
    for col in [i for i, t in enumerate(ids) if t in SEPARATORS]:
        if col not in (0, n - 1):
            attend[before + 1 : col + 1, before + 1 : col + 1] = True
            position[before + 1 : col + 1] = np.arange(col - before)
        before = col
    return attend, position


def decode(ids):
    text = ""
    for i in ids:
        w = WORDS[i]
        if w in ("[PAD]", "[CLS]", "[SEP]", "[UNK]"):
            continue
        text += w[2:] if w.startswith("##") else (" " + w if text else w)
    return text


def phrase(p, ids, threshold, combined):
    on = p > threshold
    left, right = 0, 255
    if combined:
        seps = [i for i, t in enumerate(ids) if t in (ID["[CLS]"], ID["[SEP]"], ID["."])]
        k = int(np.searchsorted(seps, int(p.argmax()), side="left"))
        left, right = (seps[k - 1] if k else 0), seps[k]
    on[: left + 1] = False
    on[right:] = False
    return decode([ids[i] for i in np.nonzero(on[: len(ids)])[0]]).replace(".", "").strip()


captions = [["[CLS]", "cat", ".", "dog", ".", "dining", "table", ".", "[SEP]"], ["[CLS]", "wild", "bird", ".", "[SEP]"],
            ["[CLS]", "cat", ",", "dog", "?", "monitor", "/", "tv", ".", "hot", "dog", "##s", ".", "[SEP]"]]
out = {"size": [{"in": [w, h], "out": size(w, h)} for w, h in
                [(500, 375), (375, 500), (640, 427), (800, 800), (2000, 500), (333, 1999), (1333, 800), (128, 160), (1000, 37), (61, 4000)]],
       "masks": [], "read": [], "nms": []}
rng = np.random.default_rng(5)
for words in captions:
    ids = [ID[w] for w in words]
    attend, position = masks(ids)
    out["masks"].append({"ids": ids, "mask": attend.astype(int).ravel().tolist(), "positions": position.tolist()})
    logits = np.full((40, 256), -np.inf, np.float32)
    logits[:, : len(ids)] = rng.normal(-1.5, 1.3, (40, len(ids))).round(3)
    boxes = rng.uniform(0.1, 0.9, (40, 4)).astype(np.float32).round(4)
    prob = torch.from_numpy(logits).sigmoid().numpy()
    found = []
    for q in range(40):
        if prob[q].max() > 0.35:
            cx, cy, bw, bh = boxes[q].astype(float)
            found.append({"score": float(prob[q].max()), "phrase": phrase(prob[q], ids, 0.25, False), "one": phrase(prob[q], ids, 0.25, True),
                          "box": [(cx - bw / 2) * 320, (cy - bh / 2) * 200, (cx + bw / 2) * 320, (cy + bh / 2) * 200]})
    finite = logits[:, : len(ids)]
    out["read"].append({"ids": ids, "logits": finite.ravel().tolist(), "boxes": boxes.ravel().tolist(), "found": found})
for limit in (0.5, 0.8):
    a = rng.uniform(0, 60, (60, 2))
    boxes = np.concatenate([a, a + rng.uniform(5, 60, (60, 2))], 1).astype(np.float32).round(2)
    scores = rng.permutation(60).astype(np.float32) / 60
    out["nms"].append({"limit": limit, "boxes": boxes.tolist(), "scores": scores.tolist(),
                       "keep": nms(torch.from_numpy(boxes), torch.from_numpy(scores), limit).tolist()})
json.dump(out, open("fixtures.json", "w"))
print([len(r["found"]) for r in out["read"]])
