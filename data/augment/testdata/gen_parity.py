"""Reference values of the resizes: PIL for labels, PyTorch and PIL for images.

PyTorch's bilinear with align_corners=False and no antialiasing is the same
function as OpenCV's INTER_LINEAR on floats. Run: python3 gen_parity.py
"""
import json
import numpy as np
import torch
from PIL import Image

pairs = [(321, 41), (321, 21), (321, 31), (513, 65), (128, 17), (33, 9), (7, 20), (5, 5),
         (500, 375), (375, 187), (333, 249), (100, 125), (1, 3)]
nearest = []
for src, dst in pairs:
    row = Image.fromarray(np.arange(src, dtype=np.int32)[None].repeat(2, 0))
    out = np.asarray(row.resize((dst, 2), Image.NEAREST))[0]
    nearest.append({"src": src, "dst": dst, "index": out.tolist()})

rng = np.random.RandomState(0)
img = rng.randint(0, 256, (5, 7, 3), dtype=np.uint8)
linear = []
for w, h in [(7, 5), (3, 2), (14, 10), (9, 4), (5, 6)]:
    t = torch.from_numpy(img.astype(np.float32)).permute(2, 0, 1)[None]
    out = torch.nn.functional.interpolate(t, size=(h, w), mode="bilinear", align_corners=False)
    out = out[0].permute(1, 2, 0).numpy()
    linear.append({"w": w, "h": h, "pixels": [round(float(v), 4) for v in out.ravel()]})

pil = []
for w, h in [(3, 2), (4, 3), (14, 10), (9, 4), (5, 6)]:
    out = np.asarray(Image.fromarray(img).resize((w, h), Image.BILINEAR))
    pil.append({"w": w, "h": h, "pixels": out.ravel().tolist()})

json.dump({"nearest": nearest, "image": img.ravel().tolist(), "linear": linear, "pil": pil}, open("parity.json", "w"))
