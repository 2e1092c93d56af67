"""Class scores as other tools write them. Needs NumPy and PyTorch (1.13 wrote
the committed files). Run it in its folder."""
import numpy as np
import torch
import torch.nn.functional as F

rng = np.random.RandomState(0)
maps = rng.randint(0, 17, (2, 6, 8)).astype(np.float32) / 16
label = torch.zeros(20)
label[[3, 14]] = 1

# IRN, step/make_cam.py: tensors beside an array.
np.save("irn.npy", {
    "keys": torch.nonzero(label)[:, 0],
    "cam": torch.from_numpy(maps)[:, ::2, ::2],
    "high_res": maps,
})
# CLIP-ES: half precision.
np.save("clipes.npy", {"keys": np.array([3, 14]), "attn_highres": maps.astype(np.float16)})
# PSA: one map per class.
np.save("psa.npy", {14: maps[1], 3: maps[0]})
# One array with all classes of a dataset of 20, without and with background.
full = np.zeros((20, 6, 8), np.float32)
full[[3, 14]] = maps
np.save("foreground.npy", full)
np.save("all.npy", np.concatenate([np.full((1, 6, 8), 0.5, np.float32), full]))
# No class at all.
np.save("none.npy", {"keys": np.zeros(0, np.int64), "high_res": np.zeros((0, 6, 8), np.float32)})
# What must be refused.
np.save("invalid-nan.npy", {"keys": np.array([3]), "high_res": np.full((1, 2, 2), np.nan, np.float32)})
np.save("invalid-shape.npy", {"keys": np.array([3, 4]), "high_res": maps[0]})
np.save("invalid-class.npy", {"keys": np.array([3, 20]), "high_res": maps})
np.save("invalid-twice.npy", {"keys": np.array([3, 3]), "high_res": maps})
np.save("invalid-key.npy", {"keys": np.array([3, 14]), "cams": maps})

# Expected values: the maps, resized as PyTorch does, and the labels.
big = F.interpolate(torch.from_numpy(maps)[None], (13, 11), mode="bilinear", align_corners=False)[0].numpy()
np.save("maps.npy", maps)
np.save("resized.npy", big)
keys = np.array([0, 4, 15])
np.save("label_constant.npy", keys[np.argmax(np.concatenate([np.full((1, 6, 8), 0.5), maps]), 0)].astype(np.uint8))
power = (1 - maps.max(0, keepdims=True)) ** 2
np.save("label_power.npy", keys[np.argmax(np.concatenate([power, maps]), 0)].astype(np.uint8))
