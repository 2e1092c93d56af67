"""Reads a folder written by genscenes into arrays, resized once and cached."""
import os
import xml.etree.ElementTree as ET

import numpy as np
from PIL import Image


def load(folder, split, side, squash=False):
    """Images of long side `side` in the top-left corner of a square, or
    squashed to fill it, with their instance maps, sizes (h, w) and objects
    [(instance, class, box)]. Boxes are x0, y0, x1, y1 in the resized frame;
    classes count from 0."""
    cache = os.path.join(folder, f"{split}_{side}{'_squash' if squash else ''}.npz")
    if not os.path.exists(cache):
        np.savez(cache, **_read(folder, split, side, squash))
    z = np.load(cache, allow_pickle=True)
    return {k: z[k] for k in z.files}


def names(folder):
    with open(os.path.join(folder, "classes.txt")) as f:
        listed = [line.strip() for line in f if line.strip()]
    return [n for n in listed if n not in ("background", "_background_")]


def _read(folder, split, side, squash):
    classes = names(folder)
    with open(os.path.join(folder, "ImageSets/Segmentation", split + ".txt")) as f:
        ids = f.read().split()
    images = np.zeros((len(ids), side, side, 3), np.uint8)
    instances = np.zeros((len(ids), side, side), np.uint8)
    sizes, objects = [], []
    for i, name in enumerate(ids):
        image = Image.open(os.path.join(folder, "JPEGImages", name + ".jpg")).convert("RGB")
        w, h = (side, side) if squash else (int(s * side / max(image.size) + 0.5) for s in image.size)
        sx, sy = w / image.size[0], h / image.size[1]
        images[i, :h, :w] = np.asarray(image.resize((w, h), Image.BILINEAR))
        inst = np.asarray(Image.open(os.path.join(folder, "SegmentationObject", name + ".png")).resize((w, h), Image.NEAREST))
        instances[i, :h, :w] = np.where(inst == 255, 0, inst)
        sizes.append((h, w))
        found = []
        for k, o in enumerate(ET.parse(os.path.join(folder, "Annotations", name + ".xml")).getroot().findall("object")):
            b = o.find("bndbox")
            x0, y0, x1, y1 = (float(b.find(n).text) for n in ("xmin", "ymin", "xmax", "ymax"))
            found.append((k + 1, classes.index(o.find("name").text),
                          ((x0 - 1) * sx, (y0 - 1) * sy, x1 * sx, y1 * sy)))
        objects.append(found)
    return {"images": images, "instances": instances, "sizes": np.array(sizes),
            "objects": np.array(objects + [None], dtype=object)[:-1]}
