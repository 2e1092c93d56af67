"""Writes polygons.json: seeded random polygons and their masks by COCO's own
rasteriser. Run as: gen_polygons.py LIBRARY [INSTANCES.json], where LIBRARY is a
shared library built from common/maskApi.c of github.com/cocodataset/cocoapi
(gcc -O2 -shared -fPIC -o libmask.so maskApi.c -lm); pycocotools calls the same
code. The masks are stored as COCO's compressed run lengths, also written by
that library. With an instances file it also prints the SHA-256 of the masks of
all its polygons, in file order, one line each.
"""
import ctypes
import hashlib
import json
import math
import os
import random
import sys


class RLE(ctypes.Structure):
    _fields_ = [("h", ctypes.c_ulong), ("w", ctypes.c_ulong), ("m", ctypes.c_ulong),
                ("cnts", ctypes.POINTER(ctypes.c_uint))]


lib = ctypes.CDLL(os.path.abspath(sys.argv[1]))
lib.rleToString.restype = ctypes.c_void_p


def rasterise(xy, w, h):
    rle = RLE()
    lib.rleFrPoly(ctypes.byref(rle), (ctypes.c_double * len(xy))(*xy), ctypes.c_ulong(len(xy) // 2),
                  ctypes.c_ulong(h), ctypes.c_ulong(w))
    text = ctypes.string_at(lib.rleToString(ctypes.byref(rle))).decode()
    return text, sum(rle.cnts[i] for i in range(1, rle.m, 2))


def star(rng, w, h, n, decimals, spread):
    cx, cy, r = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(1, spread)
    angles = sorted(rng.uniform(0, 2 * math.pi) for _ in range(n))
    xy = []
    for a in angles:
        d = r * rng.uniform(0.3, 1)
        xy += [round(cx + d * math.cos(a), decimals), round(cy + d * math.sin(a), decimals)]
    return xy


rng = random.Random(7)
cases = []
for i in range(160):
    w, h = rng.randint(1, 90), rng.randint(1, 70)
    n = rng.choice([3, 4, 5, 8, 13, 30])
    kind = i % 4
    if kind == 0:  # like COCO's: a star of two decimals inside the image
        xy = [min(max(v, 0), (w, h)[k % 2]) for k, v in enumerate(star(rng, w, h, n, 2, min(w, h)))]
    elif kind == 1:  # reaches over the border
        xy = star(rng, w, h, n, 2, 1.5 * max(w, h))
    elif kind == 2:  # crosses itself; many corners on centres and edges of pixels
        xy = [rng.randint(-4, 2 * (w, h)[k % 2] + 4) / 2 for k in range(2 * n)]
    else:  # tenths: the rounding of the refined grid decides; repeated corners
        xy = [rng.randint(-10, 10 * (w, h)[k % 2] + 10) / 10 for k in range(2 * n)]
        xy += xy[-2:] + xy[:2]
    counts, area = rasterise(xy, w, h)
    cases.append({"w": w, "h": h, "xy": xy, "counts": counts, "area": area})

here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "polygons.json"), "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")

if len(sys.argv) > 2:
    with open(sys.argv[2]) as f:
        instances = json.load(f)
    sides = {i["id"]: (i["width"], i["height"]) for i in instances["images"]}
    digest, count = hashlib.sha256(), 0
    for a in instances["annotations"]:
        if isinstance(a["segmentation"], list):
            for xy in a["segmentation"]:
                digest.update(rasterise(xy, *sides[a["image_id"]])[0].encode() + b"\n")
                count += 1
    print(count, "polygons", digest.hexdigest())
