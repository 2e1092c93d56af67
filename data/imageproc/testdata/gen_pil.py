#!/usr/bin/env python3
"""Writes pil.json: sums and samples of PIL's resize on a made image.

The image is a formula that imageproc_test.go repeats, so no pixel is stored:
of each result the SHA-256 of all its bytes is. PIL 9.4, torchvision 0.14.
"""
import hashlib
import json

import numpy as np
from PIL import Image
from torchvision import transforms as T


def picture(w, h):
    y, x, c = np.mgrid[0:h, 0:w, 0:3]
    return Image.fromarray(((x * x * 3 + y * 7 + x * y + c * 85) % 256 * ((x // 5 + y // 3 + c) % 2)).astype(np.uint8))


def sha(image):
    return hashlib.sha256(np.asarray(image).tobytes()).hexdigest()


filters = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
resize, crop = [], []
for w, h, ow, oh in [(50, 37, 102, 76), (50, 37, 20, 11), (64, 48, 64, 96), (64, 48, 31, 48), (7, 5, 1, 1), (1, 1, 9, 4),
                     (333, 500, 224, 224), (500, 333, 1024, 682), (97, 203, 203, 97), (640, 480, 13, 400)]:
    for name, f in filters.items():
        resize.append({"in": [w, h], "out": [ow, oh], "filter": name, "sha": sha(picture(w, h).resize((ow, oh), f))})
clip = T.Compose([T.Resize(224, interpolation=T.InterpolationMode.BICUBIC), T.CenterCrop(224)])
for w, h in [(333, 500), (500, 375), (224, 225), (227, 224), (230, 301), (64, 48)]:
    crop.append({"in": [w, h], "sha": sha(clip(picture(w, h)))})
norm = T.Compose([T.ToTensor(), T.Normalize((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))])
values = norm(picture(6, 4)).flatten().tolist()
json.dump({"resize": resize, "clip": crop, "norm": values}, open("pil.json", "w"), indent=0)
