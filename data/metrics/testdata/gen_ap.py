#!/usr/bin/env python3
"""Expected average precision and COCO box scores, computed with NumPy only.

Run with /usr/bin/python3 in this folder; writes ap.json with the inputs and the
numbers. The COCO part follows the published procedure of the COCO evaluation
(greedy matching per image, class, size and threshold; ignored boxes last; 101
recall points), written as arrays of shape [threshold, class, size]. Coordinates
are multiples of 1/4, so that float32 holds them.
"""
import json

import numpy as np

rng = np.random.RandomState(11)
THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
SIZES = [(0, 1e10), (0, 32 ** 2), (32 ** 2, 96 ** 2), (96 ** 2, 1e10)]


def ranked(scores, hits, positives):
    order = np.argsort(-scores, kind="mergesort")
    h = hits[order].astype(float)
    tp = np.cumsum(h)
    return scores[order], tp / positives, tp / np.arange(1, len(h) + 1)


def ap11(rec, prec):
    return float(sum((prec[rec >= t].max() if (rec >= t).any() else 0.0) / 11 for t in np.arange(0.0, 1.1, 0.1)))


def ap_area(rec, prec):
    mrec = np.concatenate([[0], rec, [1]])
    mpre = np.concatenate([[0], prec, [0]])
    mpre = np.maximum.accumulate(mpre[::-1])[::-1]
    i = np.flatnonzero(mrec[1:] != mrec[:-1])
    return float(((mrec[i + 1] - mrec[i]) * mpre[i + 1]).sum())


def ap_plain(scores, rec, prec):
    last = np.flatnonzero(np.append(np.diff(scores) != 0, True))  # end of each group of equal scores
    r = np.concatenate([[0], rec[last]])
    return float((np.diff(r) * prec[last]).sum())


def classifier():
    out = []
    for n, levels in [(300, 1000), (60, 8), (5, 2)]:
        hits = rng.rand(n) < 0.3
        hits[0] = True
        scores = np.round(np.clip(hits * 0.3 + rng.rand(n), 0, 1.3) * levels) / levels
        s, rec, prec = ranked(scores, hits, hits.sum())
        out.append(dict(scores=scores.tolist(), hits=hits.astype(int).tolist(),
                        ap11=ap11(rec, prec), area=ap_area(rec, prec), plain=ap_plain(s, rec, prec)))
    return out


def box(cx, cy, w, h):
    q = lambda v: round(float(v) * 4) / 4
    return [q(cx - w / 2), q(cy - h / 2), q(cx + w / 2), q(cy + h / 2)]


def images(n, classes):
    out = []
    for i in range(n):
        truth, found = [], []
        for _ in range(rng.randint(0, 7)):
            c = int(rng.randint(1, classes - 1))  # the last class has no true box
            w, h = np.exp(rng.uniform(2, 5.3, 2))
            cx, cy = rng.uniform(0, 400, 2)
            b = box(cx, cy, w, h)
            truth.append(dict(c=c, box=b, crowd=int(rng.rand() < 0.1), difficult=int(rng.rand() < 0.15),
                              area=round(float((b[2] - b[0]) * (b[3] - b[1]) * rng.uniform(0.4, 1)), 2)))
            for _ in range(rng.randint(0, 3)):
                j = rng.normal(0, 0.12, 4)
                k = c if rng.rand() < 0.85 else int(rng.randint(1, classes))
                found.append(dict(c=k, box=box(cx + j[0] * w, cy + j[1] * h, w * np.exp(j[2]), h * np.exp(j[3])),
                                  score=round(float(rng.rand()), 2)))
        for _ in range(rng.randint(0, 4)):
            w, h = np.exp(rng.uniform(2, 5, 2))
            found.append(dict(c=int(rng.randint(1, classes)), box=box(*rng.uniform(0, 400, 2), w, h), score=round(float(rng.rand() * 0.7), 2)))
        out.append(dict(truth=truth, found=found))
    # One image with more than 100 detections of one class.
    out[0]["found"] += [dict(c=1, box=box(*rng.uniform(0, 400, 2), 40, 40), score=round(float(rng.rand()), 3)) for _ in range(130)]
    return out


def iou(d, g, crowd):
    w = min(d[2], g[2]) - max(d[0], g[0])
    h = min(d[3], g[3]) - max(d[1], g[1])
    if w <= 0 or h <= 0:
        return 0.0
    da, ga = (d[2] - d[0]) * (d[3] - d[1]), (g[2] - g[0]) * (g[3] - g[1])
    return w * h / (da if crowd else da + ga - w * h)


def match(truth, found, size):
    lo, hi = size
    ignore = np.array([bool(t["crowd"]) or t["area"] < lo or t["area"] > hi for t in truth], bool)
    order = np.argsort(ignore, kind="mergesort")
    truth, ignore = [truth[i] for i in order], ignore[order]
    order = np.argsort([-f["score"] for f in found], kind="mergesort")[:100]
    found = [found[i] for i in order]
    n = len(THRESHOLDS)
    hit, skip = np.zeros((n, len(found)), bool), np.zeros((n, len(found)), bool)
    used = np.zeros((n, len(truth)), bool)
    for ti, t in enumerate(THRESHOLDS):
        for di, d in enumerate(found):
            best, m = min(t, 1 - 1e-10), -1
            for gi, g in enumerate(truth):
                if used[ti, gi] and not g["crowd"]:
                    continue
                if m > -1 and not ignore[m] and ignore[gi]:
                    break
                o = iou(d["box"], g["box"], g["crowd"])
                if o < best:
                    continue
                best, m = o, gi
            if m > -1:
                hit[ti, di], skip[ti, di], used[ti, m] = True, ignore[m], True
            else:
                a = (d["box"][2] - d["box"][0]) * (d["box"][3] - d["box"][1])
                skip[ti, di] = a < lo or a > hi
    return np.array([d["score"] for d in found]), hit, skip, int((~ignore).sum())


def coco(imgs, classes):
    precision = -np.ones((len(THRESHOLDS), len(RECALLS), classes, len(SIZES), 3))
    recall = -np.ones((len(THRESHOLDS), classes, len(SIZES), 3))
    for c in range(classes):
        for a, size in enumerate(SIZES):
            parts = [match([t for t in im["truth"] if t["c"] == c], [f for f in im["found"] if f["c"] == c], size)
                     for im in imgs if any(x["c"] == c for x in im["truth"] + im["found"])]
            positives = sum(p[3] for p in parts)
            if positives == 0:
                continue
            for m, most in enumerate([1, 10, 100]):
                scores = np.concatenate([p[0][:most] for p in parts])
                order = np.argsort(-scores, kind="mergesort")
                hit = np.concatenate([p[1][:, :most] for p in parts], 1)[:, order]
                skip = np.concatenate([p[2][:, :most] for p in parts], 1)[:, order]
                tp = np.cumsum(hit & ~skip, 1).astype(float)
                fp = np.cumsum(~hit & ~skip, 1).astype(float)
                for ti in range(len(THRESHOLDS)):
                    rc = tp[ti] / positives
                    pr = tp[ti] / (fp[ti] + tp[ti] + np.spacing(1))
                    recall[ti, c, a, m] = rc[-1] if len(rc) else 0
                    pr = np.maximum.accumulate(pr[::-1])[::-1]
                    at = np.searchsorted(rc, RECALLS, side="left")
                    q = np.zeros(len(RECALLS))
                    q[at < len(pr)] = pr[at[at < len(pr)]]
                    precision[ti, :, c, a, m] = q

    def mean(v):
        v = v[v > -1]
        return float(v.mean()) if v.size else None

    p = precision
    return dict(ap=mean(p[:, :, :, 0, 2]), ap50=mean(p[0, :, :, 0, 2]), ap75=mean(p[5, :, :, 0, 2]),
                small=mean(p[:, :, :, 1, 2]), medium=mean(p[:, :, :, 2, 2]), large=mean(p[:, :, :, 3, 2]),
                ar1=mean(recall[:, :, 0, 0]), ar10=mean(recall[:, :, 0, 1]), ar100=mean(recall[:, :, 0, 2]),
                per_class=[mean(p[:, :, c, 0, 2]) for c in range(classes)])


def voc(imgs, classes):
    aps = []
    for c in range(classes):
        scores, hits, positives = [], [], 0
        for im in imgs:
            truth = [t for t in im["truth"] if t["c"] == c]
            found = [f for f in im["found"] if f["c"] == c]
            positives += sum(not t["difficult"] for t in truth)
            used = [False] * len(truth)
            for i in np.argsort([-f["score"] for f in found], kind="mergesort"):
                f = found[i]
                o = [iou(f["box"], t["box"], False) for t in truth]
                j = int(np.argmax(o)) if o else -1
                if j >= 0 and o[j] >= 0.5:
                    if truth[j]["difficult"]:
                        continue
                    scores.append(f["score"])
                    hits.append(not used[j])
                    used[j] = True
                else:
                    scores.append(f["score"])
                    hits.append(False)
        if positives:
            if not scores:
                aps.append((0.0, 0.0, 0.0))
                continue
            s, rec, prec = ranked(np.array(scores), np.array(hits), positives)
            aps.append((ap11(rec, prec), ap_area(rec, prec), ap_plain(s, rec, prec)))
    return dict(zip(("voc07", "voc10", "plain"), np.mean(aps, 0).tolist()))


def main():
    classes = 6
    imgs = images(60, classes)
    out = dict(classifier=classifier(), classes=classes, images=imgs, scores={**coco(imgs, classes), **voc(imgs, classes)})
    with open("ap.json", "w") as f:
        json.dump(out, f, separators=(",", ":"))
        f.write("\n")


main()
