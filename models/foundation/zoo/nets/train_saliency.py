"""Trains the tiny U²-Net on scenes: what belongs to any object stands out. The loss
is U²-Net's, cross-entropy of every map, summed."""
import numpy as np
import torch
from torch.nn import functional as F

from . import saliency, scenes, trainer
from .train_gdino import normalise

BATCH = 8


def draw(data, rng, batch):
    picks = rng.integers(len(data["images"]), size=batch)
    flips = rng.random(batch) < 0.5
    turn = lambda x, flip: x[:, ::-1] if flip else x
    images = np.stack([turn(data["images"][i], f) for i, f in zip(picks, flips)])
    target = np.stack([turn(data["instances"][i] > 0, f) for i, f in zip(picks, flips)]).astype(np.float32)
    return normalise(images), torch.from_numpy(target)[:, None]


def run(folder, ckpt, steps, minutes, out):
    torch.manual_seed(0)
    model = saliency.U2Net()
    data = scenes.load(folder, "train", model.cfg.size, squash=True)

    def loss_fn(rng):
        images, target = draw(data, rng, BATCH)
        maps = model(images)
        return {"loss": sum(F.binary_cross_entropy_with_logits(m, target) for m in maps),
                "joint": F.binary_cross_entropy_with_logits(maps[0], target)}

    done = trainer.fit(model, loss_fn, steps, minutes, ckpt, lr=3e-3, warmup=20)
    model.eval()
    images, target = draw(scenes.load(folder, "val", model.cfg.size, squash=True), np.random.default_rng(2), 100)
    with torch.no_grad():
        p = torch.cat([model(b)[0].sigmoid() for b in images.split(20)]) > 0.5
    t = target > 0.5
    print(f"val: IoU of what stands out {((p & t).sum() / (p | t).sum()).item():.3f}", flush=True)
    saliency.export(model, out)
    return done
