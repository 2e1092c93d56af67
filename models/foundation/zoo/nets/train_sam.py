"""Trains the tiny SAM on scenes: boxes, points and masks of earlier passes."""
import numpy as np
import torch
from torch.nn import functional as F

from . import sam, scenes, trainer

MEAN = torch.tensor([123.675, 116.28, 103.53])[:, None, None]
STD = torch.tensor([58.395, 57.12, 57.375])[:, None, None]
BATCH = 1  # images
PER_IMAGE = 6  # prompts per image
KINDS = {"box": 0.45, "loose box": 0.15, "point": 0.12, "points": 0.15, "strokes": 0.13}
SLOTS = 16  # points per prompt, at most
COARSE = sam.Config(patch=8, heads=5, global_at=(1, 3), window=6)
COARSE_STEPS = 2800


def normalise(images, sizes):
    """uint8 [B,S,S,3] → normalised [B,3,S,S], padding 0 after normalisation."""
    x = (torch.from_numpy(images).permute(0, 3, 1, 2).float() - MEAN) / STD
    for i, (h, w) in enumerate(sizes):
        x[i, :, h:] = 0
        x[i, :, :, w:] = 0
    return x


def inside(mask, rng, count=1):
    """Points (x, y) of a mask, drawn evenly."""
    ys, xs = np.nonzero(mask)
    j = rng.integers(len(ys), size=count)
    return [(float(xs[k]), float(ys[k])) for k in j]


def box_prompt(mask, rng, noise):
    ys, xs = np.nonzero(mask)
    box = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], float)
    span = np.array([box[2] - box[0], box[3] - box[1]] * 2)
    box += np.clip(rng.normal(0, noise, 4) * span, -10, 10)
    return [(box[0], box[1]), (box[2], box[3])], [2, 3]


def class_prompt(inst, owner, label, rng, each):
    """Points on every object of a label, points of the other labels against it;
    owner maps objects to labels."""
    coords, labels = [], []
    for k, c in owner.items():
        points = inside(inst == k, rng, rng.integers(1, each + 1))
        coords += points
        labels += [int(c == label)] * len(points)
    if rng.random() < 0.5 and (inst == 0).any():  # a click on the background
        coords += inside(inst == 0, rng, rng.integers(1, each + 1))
        labels += [0] * (len(coords) - len(labels))
    order = sorted(range(len(labels)), key=lambda i: -labels[i])[:SLOTS]
    return [coords[i] for i in order], [labels[i] for i in order]


def draw(data, rng, batch, kinds=None):
    """A batch: images; per prompt the target mask and its points with labels.
    Prompts of a batch are padded to the same length with label -1."""
    picks = rng.integers(len(data["images"]), size=batch)
    images, targets, coords, labels = [], [], [], []
    for i in picks:
        h, w = data["sizes"][i]
        image, inst = data["images"][i].copy(), data["instances"][i].copy()
        if rng.random() < 0.5:
            image[:h, :w] = image[:h, :w][:, ::-1]
            inst[:h, :w] = inst[:h, :w][:, ::-1]
        images.append(image)
        frame = inst[:h, :w]
        owner = {k: c for k, c, _ in data["objects"][i] if (frame == k).any()}
        for _ in range(PER_IMAGE):
            k = list(owner)[rng.integers(len(owner))]
            kind = rng.choice(list(KINDS), p=list(KINDS.values())) if kinds is None else kinds
            want = [k]
            if kind in ("box", "loose box"):
                c, l = box_prompt(frame == k, rng, 0.08 if kind == "loose box" else 0.01)
            elif kind == "point":
                c, l = inside(frame == k, rng), [1]
            else:  # the class of the object, or it alone
                groups = owner if rng.random() < 0.5 else {j: j for j in owner}
                want = [j for j, o in groups.items() if o == groups[k]]
                c, l = class_prompt(frame, groups, groups[k], rng, 1 if kind == "points" else 5)
            if kind not in ("box", "loose box"):  # the place of the absent box
                c, l = c + [(0.0, 0.0)], l + [-1]
            targets.append(np.isin(inst, want))
            coords.append(c)
            labels.append(l)
    longest = max(map(len, labels))
    coords = [c + [(0.0, 0.0)] * (longest - len(c)) for c in coords]
    labels = [l + [-1] * (longest - len(l)) for l in labels]
    return (normalise(np.stack(images), data["sizes"][picks]), torch.from_numpy(np.stack(targets)).float(),
            torch.tensor(coords, dtype=torch.float32), torch.tensor(labels, dtype=torch.float32))


def focus(targets):
    """Pixel weights that sum to 1: more of it near the object, whatever its size."""
    near = F.max_pool2d(F.max_pool2d(targets[:, None], (17, 1), 1, (8, 0)), (1, 17), 1, (0, 8))[:, 0]
    weight = near + 0.4
    return weight / weight.sum((-1, -2), keepdim=True)


def mask_losses(low, targets):
    """Per prompt and token: cross-entropy plus dice; and the true IoU."""
    t = targets[:, None].expand_as(low)
    bce = F.binary_cross_entropy_with_logits(low, t, reduction="none")
    p = low.sigmoid()
    dice = 1 - (2 * (p * t).sum((-1, -2)) + 1) / (p.sum((-1, -2)) + t.sum((-1, -2)) + 1)
    hard, true = low > 0, t > 0.5
    iou = (hard & true).sum((-1, -2)) / (hard | true).sum((-1, -2)).clamp(min=1)
    return 2 * (bce * focus(targets)[:, None]).sum((-1, -2)) + 2 * dice, iou


def one_pass(model, embeddings, coords, labels, masks, has, targets):
    low, iou_pred = model.decode(embeddings, coords, labels, masks, has)
    loss, iou = mask_losses(low, targets)
    # Tokens 0 and 3 mean the whole object; 1 and 2 compete, as real ones do.
    total = loss[:, 0].mean() + loss[:, 3].mean() + 0.5 * loss[:, 1:3].min(1).values.mean()
    total = total + (iou_pred - iou).pow(2).mean()
    return total, iou, low


def run(folder, ckpt, steps, minutes, out):
    """The first COARSE_STEPS are those of a network with patches of 8 pixels,
    which learns four times as fast what prompts mean."""
    torch.manual_seed(0)
    first = ckpt + ".coarse"
    coarse = sam.SAM(COARSE)
    if not fit(coarse, folder, first, COARSE_STEPS, minutes):
        return False
    model = sam.SAM()
    sam.refine(model, coarse.state_dict())
    done = fit(model, folder, ckpt, steps, minutes)
    report(model, folder)
    sam.export(model, out)
    return done


def fit(model, folder, ckpt, steps, minutes):
    data = scenes.load(folder, "train", model.cfg.img_size)
    side = 4 * model.cfg.grid

    def loss_fn(rng):
        images, targets, coords, labels = draw(data, rng, BATCH)
        embeddings = model.encoder(images)
        small = F.adaptive_avg_pool2d(targets[:, None], side)[:, 0]
        none = torch.zeros(1, 1, side, side)
        loss, iou, low = one_pass(model, embeddings, coords, labels, none, torch.zeros(1), small)
        if rng.random() < 0.15:  # again, with the mask of the first pass
            again = low[:, rng.integers(4)][:, None].detach()
            second, _, _ = one_pass(model, embeddings, coords, labels, again, torch.ones(1), small)
            loss = (loss + second) / 2
        return {"loss": loss, "iou0": iou[:, 0].mean(), "iou3": iou[:, 3].mean()}

    return trainer.fit(model, loss_fn, steps, minutes, ckpt, lr=1e-3, average=0.998)


@torch.no_grad()
def report(model, folder):
    """Mean IoU at the low resolution on the validation scenes, per prompt kind."""
    model.eval()
    data = scenes.load(folder, "val", model.cfg.img_size)
    side = 4 * model.cfg.grid
    for kind in KINDS:
        scores = []
        for i in range(0, 96, 8):
            sub = {k: v[i : i + 8] for k, v in data.items()}
            images, targets, coords, labels = draw(sub, np.random.default_rng(i), 8, kind)
            small = F.adaptive_avg_pool2d(targets[:, None], side)[:, 0]
            low, pred = model.decode(model.encoder(images), coords, labels, torch.zeros(1, 1, side, side), torch.zeros(1))
            _, iou = mask_losses(low, small)
            scores.append(torch.cat([iou, (pred - iou).abs()], 1))
        print("val", kind, "IoU per token, |IoU error| per token:", torch.cat(scores).mean(0).numpy().round(3), flush=True)
