"""Trains the tiny SAM on scenes: points, boxes and masks of earlier passes."""
import numpy as np
import torch
from torch.nn import functional as F

from . import sam, scenes, trainer

MEAN = torch.tensor([123.675, 116.28, 103.53])[:, None, None]
STD = torch.tensor([58.395, 57.12, 57.375])[:, None, None]
BATCH = 4  # images
PER_IMAGE = 4  # prompts per image


def normalise(images, sizes):
    """uint8 [B,S,S,3] → normalised [B,3,S,S], padding 0 after normalisation."""
    x = (torch.from_numpy(images).permute(0, 3, 1, 2).float() - MEAN) / STD
    for i, (h, w) in enumerate(sizes):
        x[i, :, h:] = 0
        x[i, :, :, w:] = 0
    return x


def draw(data, rng, batch):
    """A batch: images, per prompt the target mask and its tight box."""
    picks = rng.integers(len(data["images"]), size=batch)
    flip = rng.random() < 0.5
    images, targets = [], []
    for i in picks:
        h, w = data["sizes"][i]
        image, inst = data["images"][i].copy(), data["instances"][i].copy()
        if flip:
            image[:h, :w] = image[:h, :w][:, ::-1]
            inst[:h, :w] = inst[:h, :w][:, ::-1]
        present = [k for k in np.unique(inst) if k]
        inside = np.zeros_like(inst, bool)
        inside[:h, :w] = True
        for _ in range(PER_IMAGE):
            k = rng.choice(present) if present and rng.random() > 0.1 else 0
            targets.append((inst == k) & inside)
        images.append(image)
    return normalise(np.stack(images), data["sizes"][picks]), np.stack(targets)


def inside_point(mask, rng):
    ys, xs = np.nonzero(mask)
    if len(ys) == 0:
        return None
    j = rng.integers(len(ys))
    return float(xs[j]), float(ys[j])


def prompts(targets, rng, kind):
    coords, labels = [], []
    for t in targets:
        p = inside_point(t, rng) or (0.0, 0.0)
        ys, xs = np.nonzero(t) if t.any() else (np.zeros(1), np.zeros(1))
        box = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], float)
        span = np.array([box[2] - box[0], box[3] - box[1]] * 2)
        box = box + np.clip(rng.normal(0, 0.05, 4) * span, -6, 6)
        corners = [(box[0], box[1]), (box[2], box[3])]
        if kind == "point":
            c, l = [p, (0, 0)], [1, -1]
        elif kind == "box":
            c, l = corners, [2, 3]
        elif kind == "box+point":
            c, l = [p] + corners, [1, 2, 3]
        else:  # three points, the last one background
            q = inside_point(t, rng) or p
            n = inside_point(~t, rng)
            c, l = [p, q, n, (0, 0)], [1, 1, 0, -1]
        coords.append(c)
        labels.append(l)
    return torch.tensor(coords, dtype=torch.float32), torch.tensor(labels, dtype=torch.float32)


def mask_losses(low, targets):
    """Per prompt and token: cross-entropy plus dice; and the true IoU."""
    t = targets[:, None].expand_as(low)
    bce = F.binary_cross_entropy_with_logits(low, t, reduction="none")
    weight = 1 + 3 * (4 * t * (1 - t))  # the outline, where low-res pixels are mixed
    p = low.sigmoid()
    dice = 1 - (2 * (p * t).sum((-1, -2)) + 1) / (p.sum((-1, -2)) + t.sum((-1, -2)) + 1)
    hard, true = low > 0, t > 0.5
    iou = (hard & true).sum((-1, -2)) / (hard | true).sum((-1, -2)).clamp(min=1)
    return 3 * (bce * weight).mean((-1, -2)) + dice, iou


def one_pass(model, embeddings, coords, labels, masks, has, targets):
    low, iou_pred = model.decode(embeddings, coords, labels, masks, has)
    loss, iou = mask_losses(low, targets)
    # Tokens 0 and 3 mean the whole object; 1 and 2 compete, as real ones do.
    total = loss[:, 0].mean() + loss[:, 3].mean() + loss[:, 1:3].min(1).values.mean()
    total = total + (iou_pred - iou).pow(2).mean()
    return total, iou, low


def run(folder, ckpt, steps, minutes, out):
    torch.manual_seed(0)
    model = sam.SAM()
    data = scenes.load(folder, "train", model.cfg.img_size)
    side = 4 * model.cfg.grid

    def loss_fn(rng):
        images, targets = draw(data, rng, BATCH)
        embeddings = model.encoder(images)
        kind = rng.choice(["point", "box", "box+point", "points"], p=[0.35, 0.35, 0.1, 0.2])
        coords, labels = prompts(targets, rng, kind)
        full = torch.from_numpy(targets).float()
        small = F.adaptive_avg_pool2d(full[:, None], side)[:, 0]
        none = torch.zeros(1, 1, side, side)
        loss, iou, low = one_pass(model, embeddings, coords, labels, none, torch.zeros(1), small)
        if rng.random() < 0.25:  # again, with the mask of the first pass
            again = low[:, rng.integers(4)][:, None].detach()
            second, _, _ = one_pass(model, embeddings, coords, labels, again, torch.ones(1), small)
            loss = (loss + second) / 2
        return {"loss": loss, "iou0": iou[:, 0].mean(), "iou3": iou[:, 3].mean()}

    done = trainer.fit(model, loss_fn, steps, minutes, ckpt, lr=1.5e-3)
    report(model, folder)
    sam.export(model, out)
    return done


@torch.no_grad()
def report(model, folder):
    """Mean IoU at the low resolution on the validation scenes, per prompt kind."""
    model.eval()
    data = scenes.load(folder, "val", model.cfg.img_size)
    side = 4 * model.cfg.grid
    for kind in ["point", "box", "points"]:
        scores = []
        for i in range(0, 96, 8):
            rng = np.random.default_rng(i)
            sub = {k: v[i : i + 8] for k, v in data.items()}
            images, targets = draw(sub, rng, 8)
            keep = np.array([t.any() for t in targets])
            coords, labels = prompts(targets, rng, kind)
            small = F.adaptive_avg_pool2d(torch.from_numpy(targets).float()[:, None], side)[:, 0]
            low, pred = model.decode(model.encoder(images), coords, labels, torch.zeros(1, 1, side, side), torch.zeros(1))
            _, iou = mask_losses(low, small)
            scores.append(torch.cat([iou, (pred - iou).abs()], 1)[keep])
        print("val", kind, "IoU per token, |IoU error| per token:", torch.cat(scores).mean(0).numpy().round(3), flush=True)
