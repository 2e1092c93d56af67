#!/usr/bin/env python3
"""Writes fixtures.json from PyTorch 1.13, torchvision 0.14, Pillow and SciPy.

upscale   the mask post-processing of docs/sources.md §3.3, with torch's interpolate
auto      the automatic mask generator of docs/sources.md §3.5 over a made-up model:
          the "encoder" averages the prepared square down to the size of the
          logits, the "decoder" answers a point with the region whose colour
          is close to the point's, in four tolerances. fake_test.go repeats
          that model; everything around it is written independently here.
"""
import json
import math

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torch.nn import functional as F
from torchvision.ops import nms

SIDE, LOW = 64, 32


def picture(w, h):
    """Flat blocks with a little texture; fake_test.go repeats it."""
    y, x = np.mgrid[0:h, 0:w]
    bx, by = x // 23, y // 19
    texture = (x * 3 + y * 5) % 6
    return np.stack([(bx * 45 + texture) % 256, (by * 60 + texture) % 256, (bx * by * 29 + texture) % 256], -1).astype(np.uint8)


def embed(image):
    h, w = image.shape[:2]
    scale = SIDE / max(h, w)
    nh, nw = int(h * scale + 0.5), int(w * scale + 0.5)
    small = np.asarray(Image.fromarray(image).resize((nw, nh), Image.BILINEAR)).astype(np.float32)
    mean = np.array([123.675, 116.28, 103.53], np.float32)
    std = np.array([58.395, 57.12, 57.375], np.float32)
    square = np.zeros((3, SIDE, SIDE), np.float32)
    square[:, :nh, :nw] = ((small - mean) / std).transpose(2, 0, 1)
    return square.reshape(3, LOW, SIDE // LOW, LOW, SIDE // LOW).mean((2, 4)), (nw, nh)


def decode(embedding, x, y):
    cx, cy = (min(int(v * LOW / SIDE), LOW - 1) for v in (x, y))
    distance = np.abs(embedding - embedding[:, cy, cx][:, None, None]).sum(0)
    low = np.stack([(t - distance) * 12 for t in (0.9, 0.3, 0.55, 1.4)]).astype(np.float32)
    iou = np.array([(80 + (cx * 7 + cy * 13 + k * 5) % 19) / 100 for k in range(4)], np.float32)
    return low, iou


def upscale(low, inner, size):
    t = F.interpolate(torch.from_numpy(low)[None], (SIDE, SIDE), mode="bilinear", align_corners=False)
    t = t[..., : inner[1], : inner[0]]
    return F.interpolate(t, (size[1], size[0]), mode="bilinear", align_corners=False)[0].numpy()


def extrema(mask):
    ys, xs = np.nonzero(mask)
    return [0, 0, 0, 0] if len(xs) == 0 else [int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max())]


def crops(w, h, layers, ratio):
    out = [(0, (0, 0, w, h))]
    for i in range(1, layers + 1):
        n = 2**i
        overlap = int(ratio * min(w, h) * (2 / n))
        cw, ch = (int(math.ceil((overlap * (n - 1) + s) / n)) for s in (w, h))
        for cx in range(n):
            for cy in range(n):
                x, y = (cw - overlap) * cx, (ch - overlap) * cy
                out.append((i, (x, y, min(x + cw, w), min(y + ch, h))))
    return out


def keep(masks, scores, limit):
    if not masks:
        return []
    boxes = torch.tensor([m["box"] for m in masks], dtype=torch.float32)
    return [masks[i] for i in nms(boxes, torch.tensor(scores, dtype=torch.float32), limit)]


def clean(mask, area):
    eight, changed = np.ones((3, 3)), False
    holes, n = ndimage.label(~mask, eight)
    for k in range(1, n + 1):
        if (holes == k).sum() < area:
            mask, changed = mask | (holes == k), True
    islands, n = ndimage.label(mask, eight)
    sizes = [(islands == k).sum() for k in range(1, n + 1)]
    if any(s < area for s in sizes):
        changed = True
        large = [k + 1 for k, s in enumerate(sizes) if s >= area] or [int(np.argmax(sizes)) + 1]
        mask = np.isin(islands, large)
    return mask, changed


def auto(image, o):
    h, w = image.shape[:2]
    found = []
    boxes = crops(w, h, o["crop_n_layers"], o["crop_overlap_ratio"])
    for layer, (x0, y0, x1, y1) in boxes:
        crop = image[y0:y1, x0:x1]
        size = (x1 - x0, y1 - y0)
        embedding, inner = embed(crop)
        n = int(o["points_per_side"] / o["crop_n_points_downscale_factor"] ** layer)
        here = []
        for gy in range(n):
            for gx in range(n):
                px, py = (gx + 0.5) / n * size[0], (gy + 0.5) / n * size[1]
                low, iou = decode(embedding, np.float32(px * inner[0] / size[0]), np.float32(py * inner[1] / size[1]))
                logits = upscale(low, inner, size)
                for k in (1, 2, 3):
                    if not iou[k] > o["pred_iou_thresh"]:
                        continue
                    hi, lo = (logits[k] > o["stability_score_offset"]).sum(), (logits[k] > -o["stability_score_offset"]).sum()
                    stability = hi / lo if lo else float("nan")
                    if not stability >= o["stability_score_thresh"]:
                        continue
                    b = extrema(logits[k] > 0)
                    b = [b[0] + x0, b[1] + y0, b[2] + x0, b[3] + y0]
                    if any(abs(v - c) <= 20 and abs(v - i) > 20 for v, c, i in zip(b, (x0, y0, x1, y1), (0, 0, w, h))):
                        continue
                    mask = np.zeros((h, w), bool)
                    mask[y0:y1, x0:x1] = logits[k] > 0
                    here.append({"box": b, "iou": float(iou[k]), "stability": float(stability), "mask": mask,
                                 "point": [px + x0, py + y0], "crop": [x0, y0, x1, y1]})
        found += keep(here, [m["iou"] for m in here], o["box_nms_thresh"])
    if len(boxes) > 1:
        found = keep(found, [1 / ((m["crop"][2] - m["crop"][0]) * (m["crop"][3] - m["crop"][1])) for m in found],
                     o["crop_nms_thresh"])
    if o["min_mask_region_area"]:
        scores = []
        for m in found:
            m["mask"], changed = clean(m["mask"], o["min_mask_region_area"])
            m["box"] = extrema(m["mask"])
            scores.append(0.0 if changed else 1.0)
        found = keep(found, scores, max(o["box_nms_thresh"], o["crop_nms_thresh"]))
    for m in found:
        mask = m.pop("mask")
        m["area"] = int(mask.sum())
        y, x = np.mgrid[0:h, 0:w]
        m["hash"] = int(((x * 31 + y * 17) % 1009 * mask).sum())
    return found


base = {"points_per_side": 8, "points_per_batch": 64, "pred_iou_thresh": 0.88, "stability_score_thresh": 0.8,
        "stability_score_offset": 1.0, "box_nms_thresh": 0.7, "crop_n_layers": 0, "crop_nms_thresh": 0.7,
        "crop_overlap_ratio": 512 / 1500, "crop_n_points_downscale_factor": 1, "min_mask_region_area": 0}
cases = [((90, 70), {}), ((70, 113), {"pred_iou_thresh": 0.0, "stability_score_thresh": 0.0}),
         ((90, 70), {"box_nms_thresh": 0.3, "stability_score_offset": 0.4, "points_per_side": 11}),
         ((150, 121), {"crop_n_layers": 1, "crop_n_points_downscale_factor": 2, "pred_iou_thresh": 0.84}),
         ((201, 160), {"crop_n_layers": 2, "crop_overlap_ratio": 0.2, "crop_nms_thresh": 0.5}),
         ((90, 70), {"min_mask_region_area": 120}),
         ((64, 64), {"min_mask_region_area": 4000, "points_per_side": 5})]
result = {"auto": [], "upscale": []}
for (w, h), change in cases:
    o = {**base, **change}
    result["auto"].append({"size": [w, h], "options": o, "masks": auto(picture(w, h), o)})
rng = np.random.default_rng(3)
for w, h in [(90, 70), (33, 64), (64, 64), (200, 17)]:
    low = np.round(rng.normal(0, 4, (1, LOW, LOW)), 2).astype(np.float32)
    scale = SIDE / max(w, h)
    inner = (int(w * scale + 0.5), int(h * scale + 0.5))
    out = upscale(low, inner, (w, h))[0]
    cubic = F.interpolate(torch.from_numpy(low)[None], (h, w), mode="bicubic", align_corners=False)[0, 0].numpy()
    pick = rng.integers(0, w * h, 40)
    result["upscale"].append({"size": [w, h], "low": low.ravel().tolist(), "at": pick.tolist(),
                              "bilinear": out.ravel()[pick].tolist(), "bicubic": cubic.ravel()[pick].tolist()})
json.dump(result, open("fixtures.json", "w"))
for a in result["auto"]:
    print(a["size"], len(a["masks"]))
