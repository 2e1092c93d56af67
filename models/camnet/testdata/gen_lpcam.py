"""Writes what LPCAM's maps and clusters are compared with.

    python gen_lpcam.py        # PyTorch 2.13, torchvision, kmeans-pytorch 0.3

The network and photo.png are those of gen_camnet.py; steps as in LPCAM's
step/make_lpcam.py (docs/sources.md §11.5).

lpcam.pth     features of photo.png, prototypes, the multi-scale maps from them,
              and k-means by cosine distance from given starts
"""
import os

import kmeans_pytorch
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from gen_camnet import CLASSES, HERE, MEAN, STD, build


def tensor(img):
    x = (np.asarray(img).astype(np.float64) / 255 - MEAN) / STD
    return torch.from_numpy(x.transpose(2, 0, 1).astype(np.float32))


def lpcam(net, img, parts, context, scales):
    w, h = img.size
    up = lambda n, k: (n - 1) // k + 1
    features = []
    for s in scales:
        scaled = img if s == 1 else img.resize((int(round(w * s)), int(round(h * s))), Image.BICUBIC)
        x = tensor(scaled)
        f = net.features(torch.stack([x, x.flip(-1)]))
        features.append(f[0] + f[1].flip(-1))
    out = []
    for c in range(CLASSES):
        per_scale = []
        for f in features:
            f = f.permute(1, 2, 0)
            like = lambda vectors: torch.stack([F.cosine_similarity(f, v.expand_as(f), 2) for v in vectors]).mean(0)
            m = like(parts[c])
            if len(context[c]):
                m = F.relu(m - like(context[c]))
            per_scale.append(F.interpolate(m[None, None], (up(h, 16) * 16, up(w, 16) * 16), mode="bilinear", align_corners=False)[0, 0, :h, :w])
        m = torch.stack(per_scale).mean(0)
        out.append(m / m.max())
    return torch.stack(out)


if __name__ == "__main__":
    net = build()
    photo = Image.open(os.path.join(HERE, "photo.png")).convert("RGB")
    values = {}
    with torch.no_grad():
        f = net.features(tensor(photo)[None])[0].permute(1, 2, 0)
        values["features"] = f
        flat = f.reshape(-1, f.shape[2])
        g = torch.Generator().manual_seed(11)
        near = lambda n: flat[torch.randperm(len(flat), generator=g)[:n]] + 0.1 * torch.randn(n, flat.shape[1], generator=g)
        parts = [near(n) for n in (2, 1, 3)]
        context = [near(n) for n in (1, 0, 2)]
        for c in range(CLASSES):
            values["parts.%d" % c], values["context.%d" % c] = parts[c], context[c]
        values["maps"] = lpcam(net, photo, parts, context, (1.0, 0.5, 1.5, 2.0))
    x = torch.randn(80, 6, generator=g) + 4 * torch.randn(5, 6, generator=g).repeat(16, 1)
    np.random.seed(3)
    start = np.random.choice(len(x), 5, replace=False)
    values["kmeans.x"], values["kmeans.start"] = x, torch.from_numpy(start).float()
    for tol in (5, 1e-4):
        np.random.seed(3)
        values["kmeans.%g" % tol] = kmeans_pytorch.kmeans(x, 5, "cosine", tol=tol)[1]
    torch.save({k: v.contiguous() for k, v in values.items()}, os.path.join(HERE, "lpcam.pth"))
