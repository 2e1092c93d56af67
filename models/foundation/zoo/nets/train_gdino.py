"""Trains the tiny Grounding-DINO on scenes. Every location inside an object is
taught its box and words (rather than one per object, matched), which learns in
minutes what matching learns in days; duplicates are left to suppression."""
import numpy as np
import torch
from torch.nn import functional as F

from . import gdino, scenes, text, trainer

MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
BATCH = 6
RANGES = ((0, 0.35), (0.25, 0.6), (0.5, 9))  # larger side of the objects of each level


def normalise(images):
    return (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - MEAN) / STD


def draw(data, rng, batch, names, vocab):
    """A batch: images, objects [(class, box cxcywh in 0..1)], one caption for all."""
    picks = rng.integers(len(data["images"]), size=batch)
    images, objects = [], []
    for i in picks:
        image, found = data["images"][i], [(c, np.array(b) / image_side(data)) for _, c, b in data["objects"][i]]
        if rng.random() < 0.5:
            image = image[:, ::-1]
            found = [(c, np.array([1 - b[2], b[1], 1 - b[0], b[3]])) for c, b in found]
        images.append(image)
        objects.append([(c, np.array([(b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0], b[3] - b[1]])) for c, b in found])
    count = len(names) if rng.random() < 0.5 else rng.integers(1, len(names) + 1)
    asked = rng.permutation(len(names))[:count]
    ids, spans = text.caption([names[c] for c in asked], vocab)
    return normalise(np.stack(images)), objects, words(ids, vocab, batch), {c: s for c, s in zip(asked, spans)}


def image_side(data):
    return data["images"].shape[1]


def words(ids, vocab, batch):
    attend, position = text.phrases(ids, vocab)
    n = len(ids)
    return (torch.tensor([ids] * batch), torch.ones(batch, n, dtype=torch.bool), torch.tensor([position] * batch),
            torch.zeros(batch, n, dtype=torch.int64), torch.tensor([attend] * batch))


def assign(objects, spans, shapes, tokens):
    """Per location: the box it is taught, the tokens that are right, whether it counts."""
    total = sum(h * w for h, w in shapes)
    boxes = np.zeros((len(objects), total, 4), np.float32)
    hot = np.zeros((len(objects), total, tokens), np.float32)
    taught = np.zeros((len(objects), total), bool)
    start = 0
    for level, (h, w) in enumerate(shapes):
        y, x = np.mgrid[0:h, 0:w]
        x, y = (x.ravel() + 0.5) / w, (y.ravel() + 0.5) / h
        for b, found in enumerate(objects):
            for c, box in sorted(found, key=lambda o: -o[1][2] * o[1][3]):  # the smallest wins
                large = max(box[2], box[3])
                if not RANGES[level][0] <= large < RANGES[level][1]:
                    continue
                near = (np.abs(x - box[0]) < max(0.3 * box[2], 0.6 / w)) & (np.abs(y - box[1]) < max(0.3 * box[3], 0.6 / h))
                at = start + np.nonzero(near)[0]
                hot[b, at] = 0
                taught[b, at] = c in spans
                boxes[b, at] = box
                if c in spans:
                    hot[b, at, spans[c][0]:spans[c][1]] = 1
        start += h * w
    return torch.from_numpy(boxes), torch.from_numpy(hot), torch.from_numpy(taught)


def corners(b):
    return torch.cat([b[..., :2] - b[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2], -1)


def giou(a, b):
    a, b = corners(a), corners(b)
    lo, hi = torch.max(a[..., :2], b[..., :2]), torch.min(a[..., 2:], b[..., 2:])
    both = (hi - lo).clamp(min=0).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - both
    hull = (torch.max(a[..., 2:], b[..., 2:]) - torch.min(a[..., :2], b[..., :2])).prod(-1)
    iou = both / union.clamp(min=1e-6)
    return iou, iou - (hull - union) / hull.clamp(min=1e-6)


def losses(logits, boxes, want_box, hot, taught, soft, asked):
    """Focal loss over tokens, with the box's quality as target where soft; which of
    the asked phrases it is, at the places that are taught one; box losses."""
    iou, g = giou(boxes, want_box)
    target = hot * iou.detach().clamp(min=0).unsqueeze(-1) if soft else hot
    p = logits.sigmoid()
    weight = torch.where(hot > 0, torch.full_like(p, 0.75) * (target - p).abs().pow(1.0), 0.5 * p.pow(2)).detach()
    count = taught.sum().clamp(min=1)
    words = (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * weight).sum() / count
    place = ((boxes - want_box).abs().sum(-1) * 5 + 2 * (1 - g))[taught].sum() / count
    which = logits[..., asked][taught]
    kind = F.cross_entropy(which, hot[..., asked][taught].argmax(-1)) if len(which) else 0
    return 2 * words + place + 3 * kind, iou[taught].mean() if taught.any() else torch.zeros(())


def run(folder, ckpt, steps, minutes, out):
    torch.manual_seed(0)
    names = scenes.names(folder)
    vocab = text.vocabulary(names)
    cfg = gdino.Config(vocab=len(vocab))
    model = gdino.GroundingDINO(cfg)
    print(sum(p.numel() for p in model.parameters()), "parameters", flush=True)
    data = scenes.load(folder, "train", cfg.side, squash=True)
    shapes = [(cfg.side // s, cfg.side // s) for s in (8, 16, 32)]

    def loss_fn(rng):
        images, objects, caption, spans = draw(data, rng, BATCH, names, vocab)
        result = model(images, *caption)
        want, hot, taught = assign(objects, spans, shapes, caption[0].shape[1])
        asked = [a for a, _ in spans.values()]
        loss, iou0 = losses(result["dense"], result["proposals"], want, hot, taught, False, asked)
        at = result["picked"].unsqueeze(-1)
        want = torch.gather(want, 1, at.expand(-1, -1, 4))
        hot = torch.gather(hot, 1, at.expand(-1, -1, hot.shape[-1]))
        taught = torch.gather(taught, 1, result["picked"])
        for logits, boxes in zip(result["logits"], result["boxes"]):
            more, iou = losses(logits, boxes, want, hot, taught, True, asked)
            loss = loss + more
        hits = (logits[..., asked].argmax(-1) == hot[..., asked].argmax(-1))[taught].float()
        right = hits.sum() / max(1, len(hits))
        return {"loss": loss, "dense": iou0, "iou": iou, "right": right}

    done = trainer.fit(model, loss_fn, steps, minutes, ckpt, lr=2e-3)
    report(model, folder, names, vocab)
    gdino.export(model, out)
    text.write(f"{out}/gdino_vocab.txt", names)
    return done


@torch.no_grad()
def report(model, folder, names, vocab):
    """Recall and precision at IoU 0.5 of the boxes above 0.3, all classes in one caption."""
    model.eval()
    data = scenes.load(folder, "val", model.cfg.side, squash=True)
    right = boxes_found = truth = 0
    ids, spans = text.caption(names, vocab)
    for i in range(0, 100, 10):
        result = model(normalise(data["images"][i:i + 10]), *words(ids, vocab, 10))
        scores = result["logits"][-1].sigmoid()
        by_class = torch.stack([scores[..., a:b].max(-1)[0] for a, b in spans], -1)
        for k in range(10):
            objects = data["objects"][i + k]
            truth += len(objects)
            score, label = by_class[k].max(-1)
            order = [q for q in score.argsort(descending=True).tolist() if score[q] > 0.3]
            kept = []
            for q in order:
                box = result["boxes"][-1][k, q]
                if all(label[q] != label[r] or giou(box, result["boxes"][-1][k, r])[0] < 0.5 for r in kept):
                    kept.append(q)
            boxes_found += len(kept)
            free = list(objects)
            for q in kept:
                box = result["boxes"][-1][k, q]
                for o in free:
                    b = torch.tensor(o[2], dtype=torch.float32) / model.cfg.side
                    want = torch.cat([(b[:2] + b[2:]) / 2, b[2:] - b[:2]])
                    if o[1] == label[q] and giou(box, want)[0] > 0.5:
                        right += 1
                        free.remove(o)
                        break
    print(f"val: {right} of {truth} objects found, {boxes_found} boxes", flush=True)
    model.train()
