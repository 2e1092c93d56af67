"""Trains the tiny CLIP on scenes: whole pictures and crops of objects against
prompts of all classes; the classes present share the target."""
import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from . import bpe, clip, scenes, trainer

MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
BATCH = 24
TEMPLATES = ["a photo of a {}.", "a picture of a {}.", "a {}.", "a clean origami {}."]


def cut(image, box, rng, size):
    """A square around the box, resized; what is outside the picture is black."""
    side = max(box[2] - box[0], box[3] - box[1]) * rng.uniform(1.0, 1.4)
    cx, cy = ((box[i] + box[i + 2]) / 2 + rng.uniform(-0.08, 0.08) * side for i in (0, 1))
    region = (cx - side / 2, cy - side / 2, cx + side / 2, cy + side / 2)
    return np.asarray(Image.fromarray(image).transform((size, size), Image.EXTENT, region, Image.BILINEAR))


def draw(data, rng, batch, classes, size, crops=0.6):
    images, target = [], np.zeros((batch, classes), np.float32)
    for k, i in enumerate(rng.integers(len(data["images"]), size=batch)):
        h, w = data["sizes"][i]
        found = data["objects"][i]
        if found and rng.random() < crops:
            _, c, box = found[rng.integers(len(found))]
            image = cut(data["images"][i], box, rng, size)
            target[k, c] = 1
        else:
            side = min(h, w)
            x, y = (w - side) // 2, (h - side) // 2
            image = np.asarray(Image.fromarray(data["images"][i]).resize((size, size), Image.BICUBIC, (x, y, x + side, y + side)))
            for _, c, box in found:
                seen = min(box[2], x + side) - max(box[0], x) > 4 and min(box[3], y + side) - max(box[1], y) > 4
                target[k, c] = seen or target[k, c]
        images.append(image[:, ::-1] if rng.random() < 0.5 else image)
    keep = target.sum(1) > 0
    pixels = (torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255 - MEAN) / STD
    return pixels[keep], torch.from_numpy(target[keep])


def run(folder, ckpt, steps, minutes, out):
    torch.manual_seed(0)
    names = scenes.names(folder)
    words = ["photo", "of", "a", "picture", "clean", "origami", "."] + names
    vocab = bpe.Vocabulary(words)
    model = clip.CLIP(clip.Config(vocab=vocab.size))
    data = scenes.load(folder, "train", 128)

    def prompts(template):
        return torch.tensor([vocab.encode(template.format(n), model.cfg.context) for n in names])

    def loss_fn(rng):
        images, target = draw(data, rng, BATCH, len(names), model.cfg.size)
        logits = model(images, prompts(TEMPLATES[rng.integers(len(TEMPLATES))]))
        share = target / target.sum(1, keepdim=True)
        right = target.gather(1, logits.argmax(1, keepdim=True)).mean()
        return {"loss": -(share * F.log_softmax(logits, 1)).sum(1).mean(), "right": right}

    done = trainer.fit(model, loss_fn, steps, minutes, ckpt, lr=1e-3)
    model.eval()
    val = scenes.load(folder, "val", 128)
    for crops in (1.0, 0.0):
        rng = np.random.default_rng(1)
        images, target = draw(val, rng, 400, len(names), model.cfg.size, crops)
        with torch.no_grad():
            best = model(images, prompts(TEMPLATES[0])).argmax(1, keepdim=True)
        print("val", "crops" if crops else "pictures", "top-1 present:", float(target.gather(1, best).mean()), flush=True)
    clip.export(model, out)
    vocab.write(f"{out}/clip_merges.txt")
    return done
