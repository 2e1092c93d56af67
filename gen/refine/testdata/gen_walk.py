"""Labels that IRN's and PSA's inference make of given boundaries, features
and CAMs (docs/sources.md §11.2, 11.3). Needs NumPy and PyTorch. Run it in its folder."""
import os

import numpy as np
import torch
import torch.nn.functional as F

RADIUS = 5


def line(dy, dx):
    ys, xs = range(min(0, dy), max(0, dy) + 1), range(min(0, dx), max(0, dx) + 1)
    return [(y, x) for y in ys for x in xs if (dy * x - dx * y) ** 2 / (dy * dy + dx * dx) < 1]


def transition(h, w, affinity, beta, squarings):
    a = np.eye(h * w)
    for y in range(h):
        for x in range(w):
            for v in range(max(0, y - RADIUS), min(h, y + RADIUS)):
                for u in range(max(0, x - RADIUS), min(w, x + RADIUS)):
                    if (v, u) != (y, x) and (v - y) ** 2 + (u - x) ** 2 < RADIUS ** 2:
                        a[y * w + x, v * w + u] = affinity(y, x, v, u)
    t = a ** beta
    t = t / t.sum(0, keepdims=True)
    for _ in range(squarings):
        t = t @ t
    return t


rng = np.random.RandomState(5)
H, W = 29, 37
for d in ["cams", "full", "edges", "features"]:
    os.makedirs(d, exist_ok=True)

# IRN: CAMs and boundaries at stride 4 of the image padded to a multiple of 16.
h, w = 8, 12
cam = rng.rand(2, h, w).astype(np.float32) ** 2
edge = rng.rand(1, h, w).astype(np.float32) ** 1.5
edge[0, :, 5] = 0.95
np.save("cams/a.npy", {"keys": np.array([1, 6]), "cam": torch.from_numpy(cam)})
np.save("edges/a.npy", edge)
t = transition(h, w, lambda y, x, v, u: 1 - max(edge[0, y + a, x + b] for a, b in line(v - y, u - x)), 10, 8)
rw = ((cam * (1 - edge)).reshape(2, -1) @ t).reshape(1, 2, h, w)
up = F.interpolate(torch.from_numpy(rw), scale_factor=4, mode="bilinear", align_corners=False)[0, :, :H, :W].numpy()
up = up / up.max()
keys = np.array([0, 2, 7])
np.save("irn_label.npy", keys[np.concatenate([np.full((1, H, W), 0.25), up]).argmax(0)].astype(np.uint8))

# PSA: CAMs at full size, features at stride 8, the background walks along.
h, w = 4, 5
full = rng.rand(2, H, W).astype(np.float32) ** 2
feat = (rng.rand(6, h, w) * 6).astype(np.float32)
np.save("full/a.npy", {1: full[0], 6: full[1]})
np.save("features/a.npy", feat)
t = transition(h, w, lambda y, x, v, u: np.exp(-np.abs(feat[:, y, x] - feat[:, v, u]).mean()), 8, 8)
bg = (1 - full.max(0, keepdims=True)) ** 1.5
scores = np.pad(np.concatenate([bg, full]), ((0, 0), (0, h * 8 - H), (0, w * 8 - W)))
pooled = F.avg_pool2d(torch.from_numpy(scores)[None], 8, 8)[0].numpy()
rw = (pooled.reshape(3, -1).astype(np.float64) @ t).reshape(1, 3, h, w)
up = F.interpolate(torch.from_numpy(rw), size=(h * 8, w * 8), mode="bilinear", align_corners=False)[0, :, :H, :W].numpy()
np.save("psa_label.npy", keys[up.argmax(0)].astype(np.uint8))
print(np.bincount(np.load("irn_label.npy").ravel()), np.bincount(np.load("psa_label.npy").ravel()))
