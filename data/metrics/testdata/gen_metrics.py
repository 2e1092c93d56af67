#!/usr/bin/env python3
"""Expected values of the metrics, computed with NumPy and SciPy only.

Run with /usr/bin/python3 (NumPy 1.24, SciPy 1.10) in this folder; writes
expected.json. Label maps come from a hash that the Go test computes too, so no
image files are needed. Numbers must agree to the last digit.
"""
import json
import math

import numpy as np
from scipy import ndimage

M = (1 << 64) - 1


def mix(x):
    """SplitMix64's output function on a uint64 array or int."""
    z = np.asarray(x, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def maps(index, classes, block):
    """Truth and prediction of one image: blocks of random classes; the last
    class never occurs, the one before it is only predicted; 255 in both."""
    w, h = 31 + index % 23, 29 + index % 17
    y, x = np.mgrid[0:h, 0:w].astype(np.uint64)
    key = np.uint64(index * 1000003) + (y // block) * np.uint64(4099) + x // block
    r = mix(key)
    t = (r % np.uint64(classes - 2)).astype(np.int64)
    t[(r >> np.uint64(20)) % np.uint64(9) == 0] = 255
    r2 = mix((key + np.uint64(77)) ^ np.uint64(0x5555))
    p = np.where((r2 >> np.uint64(8)) % np.uint64(3) == 0, (r2 % np.uint64(classes - 1)).astype(np.int64), t)
    p = np.where(p == 255, 0, p)
    p[(mix(y * np.uint64(w) + x + np.uint64(index)) >> np.uint64(5)) % np.uint64(13) == 0] = 255
    return t, p


def confusion(t, p, n, drop):
    p = p.copy()
    keep = (t >= 0) & (t < n)
    if drop:
        keep &= p != 255
    p[p == 255] = 0
    return np.bincount(n * t[keep] + p[keep], minlength=n * n).reshape(n, n)


def scores(hist):
    with np.errstate(invalid="ignore", divide="ignore"):
        tp = np.diag(hist)
        iou = tp / (hist.sum(1) + hist.sum(0) - tp)
        recall = tp / hist.sum(1)
        precision = tp / hist.sum(0)
    valid = hist.sum(1) > 0
    freq = hist.sum(1) / hist.sum()
    return dict(
        iou=nulls(iou), precision=nulls(precision), recall=nulls(recall),
        nan_mean=float(np.nanmean(iou)), truth_only=float(np.nanmean(iou[valid])),
        pixel_acc=float(tp.sum() / hist.sum()), mean_acc=float(np.nanmean(recall)),
        fwiou=float((freq[valid] * iou[valid]).sum()), pixels=int(hist.sum()))


def nulls(v):
    return [None if math.isnan(x) else float(x) for x in v]


def miou(hist):
    with np.errstate(invalid="ignore", divide="ignore"):
        tp = np.diag(hist)
        return float(np.nanmean(tp / (hist.sum(1) + hist.sum(0) - tp)))


def draws(seed, r, n):
    s = (seed + r * 0xD1342543DE82EF95) & M
    out = []
    for _ in range(n):
        s = (s + 0x9E3779B97F4A7C15) & M
        z = s
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M
        out.append(((z ^ (z >> 31)) * n) >> 64)
    return out


def bootstrap(hists, other=None, resamples=200, seed=7):
    vals = []
    for r in range(resamples):
        d = draws(seed, r, len(hists))
        v = miou(hists[d].sum(0))
        vals.append(miou(other[d].sum(0)) - v if other is not None else v)
    vals = np.array(vals)
    level = 0.95
    tail = (1 - level) / 2
    lo, hi = np.quantile(vals, [tail, 1 - tail])
    return dict(lo=float(lo), hi=float(hi), p=float(min(1, 2 * min((vals <= 0).sum(), (vals >= 0).sum()) / len(vals))))


def boundary(pairs, n):
    """Boundary IoU per class and trimap mIoU, by erosion of each class's mask."""
    inter, ts, ps = np.zeros(n), np.zeros(n), np.zeros(n)
    trimap = np.zeros((n, n), dtype=np.int64)
    square = np.ones((3, 3), bool)
    for t, p in pairs:
        p = np.where(p == 255, 0, p)
        h, w = t.shape
        d = max(1, int(round(0.02 * math.sqrt(w * w + h * h))))
        valid = t < n
        near = np.zeros(t.shape, bool)
        for v in np.unique(t):
            near |= (t == v) & ~ndimage.binary_erosion(t == v, square, iterations=5, border_value=1)
        trimap += confusion(np.where(near, t, 255), p, n, False)
        for c in range(n):
            bt = (t == c) & ~ndimage.binary_erosion(t == c, square, iterations=d, border_value=0) & valid
            bp = (p == c) & ~ndimage.binary_erosion(p == c, square, iterations=d, border_value=0) & valid
            inter[c] += (bt & bp).sum()
            ts[c] += bt.sum()
            ps[c] += bp.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        iou = inter / (ts + ps - inter)
    return dict(iou=nulls(iou), mean=float(np.nanmean(iou)), trimap=miou(trimap))


def main():
    out = {}
    for name, count, classes, block in [("voc", 1449, 21, 5), ("coco", 60, 81, 3), ("wide", 12, 250, 2)]:
        hists, drops = [], np.zeros((classes, classes), dtype=np.int64)
        for i in range(count):
            t, p = maps(i, classes, block)
            hists.append(confusion(t, p, classes, False))
            drops += confusion(t, p, classes, True)
        hists = np.array(hists)
        case = dict(images=count, classes=classes, block=block, background=scores(hists.sum(0)), drop=scores(drops))
        if name == "voc":
            few = hists[:80]
            case["bootstrap"] = bootstrap(few)
            other = np.roll(few, 1, axis=1)  # another "run": truth rows shifted by one class
            case["paired"] = bootstrap(few, other)
            case["paired"]["delta"] = miou(other.sum(0)) - miou(few.sum(0))
            case["boundary"] = boundary([maps(i, classes, 9) for i in range(40)], classes)
        out[name] = case
    with open("expected.json", "w") as f:
        json.dump(out, f, indent=1)
        f.write("\n")


main()
