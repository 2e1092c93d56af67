"""Trains the tiny RAM on scenes: one yes or no per class, whole pictures. Its
backbone starts as the tiny Grounding-DINO's, which is trained first, as RAM
starts from a trained Swin."""
import os

import numpy as np
import torch
from torch.nn import functional as F

from . import ram, scenes, trainer
from .train_gdino import normalise

BATCH = 16


def draw(data, rng, batch, classes):
    picks = rng.integers(len(data["images"]), size=batch)
    target = np.zeros((batch, classes), np.float32)
    images = []
    for k, i in enumerate(picks):
        image = data["images"][i]
        images.append(image[:, ::-1] if rng.random() < 0.5 else image)
        target[k, [c for _, c, _ in data["objects"][i]]] = 1
    return normalise(np.stack(images)), torch.from_numpy(target)


def thresholds(p, target):
    """Per tag, the threshold with the best F1 on a grid of 0.05."""
    grid = np.arange(0.1, 0.95, 0.05)
    best = []
    for k in range(p.shape[1]):
        hit = [((p[:, k] > t) & (target[:, k] > 0)).sum() * 2 / ((p[:, k] > t).sum() + target[:, k].sum() + 1e-9) for t in grid]
        best.append(round(float(grid[int(np.argmax(hit))]), 2))
    return best


def run(folder, ckpt, steps, minutes, out):
    torch.manual_seed(0)
    names = scenes.names(folder)
    model = ram.RAM(ram.Config(tags=len(names)))
    trained = torch.load(os.path.join(os.path.dirname(ckpt), "gdino.pt"))["model"]
    prefix = "backbone."
    model.backbone.load_state_dict({k[len(prefix):]: v for k, v in trained.items() if k.startswith(prefix)})
    data = scenes.load(folder, "train", model.cfg.size, squash=True)

    def loss_fn(rng):
        images, target = draw(data, rng, BATCH, len(names))
        logits = model(images)
        return {"loss": F.binary_cross_entropy_with_logits(logits, target) * 10,
                "right": ((logits > 0) == (target > 0)).float().mean()}

    done = trainer.fit(model, loss_fn, steps, minutes, ckpt, lr=1e-3, average=0.99)
    model.eval()

    def predict(split, count, seed):
        images, target = draw(scenes.load(folder, split, model.cfg.size, squash=True), np.random.default_rng(seed), count, len(names))
        with torch.no_grad():
            return torch.cat([model(b).sigmoid() for b in images.split(50)]).numpy(), target.numpy()

    cut = thresholds(*predict("train", 400, 1))
    p, target = predict("val", 200, 2)
    hits = (p > np.array(cut)) & (target > 0)
    print(f"val: precision {hits.sum() / max(1, (p > np.array(cut)).sum()):.3f} recall {hits.sum() / target.sum():.3f}", flush=True)
    ram.export(model, cut, out)
    with open(f"{out}/ram_tags.txt", "w") as f:
        f.write("\n".join(names) + "\n")
    with open(f"{out}/ram_thresholds.txt", "w") as f:
        f.write("\n".join(str(t) for t in cut) + "\n")
    return done
