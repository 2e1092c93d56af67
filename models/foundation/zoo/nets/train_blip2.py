"""Trains the tiny BLIP-2 on scenes: which word fits a crop, of all classes and
"background" for crops beside the objects. Its vision transformer starts as the
tiny CLIP's, which is trained first, as BLIP-2 starts from a trained CLIP."""
import os

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from . import blip2, scenes, text, trainer
from .train_clip import MEAN, STD

BATCH = 12
SIDE = 64


def draw(data, rng, batch, classes):
    """Crops, squashed to a square, and their class; the last is the background."""
    images, target = [], []
    for i in rng.integers(len(data["images"]), size=batch):
        h, w = data["sizes"][i]
        found = data["objects"][i]
        if found and rng.random() < 0.8:
            _, c, box = found[rng.integers(len(found))]
            grow = rng.uniform(0, 0.15, 4) * np.array([box[2] - box[0], box[3] - box[1]] * 2)
            box = np.array(box) + grow * [-1, -1, 1, 1]
        else:
            c, box = classes, beside(data["instances"][i][:h, :w], rng)
            if box is None:
                continue
        box = np.clip(box, 0, [w, h, w, h]).round().astype(int)
        image = np.asarray(Image.fromarray(data["images"][i]).resize((SIDE, SIDE), Image.BICUBIC, tuple(box)))
        images.append(image[:, ::-1] if rng.random() < 0.5 else image)
        target.append(c)
    pixels = (torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255 - MEAN) / STD
    return pixels, torch.tensor(target)


def beside(instances, rng):
    """A box with little of any object; None where none was found."""
    h, w = instances.shape
    for _ in range(10):
        bw, bh = rng.integers(16, w // 2), rng.integers(16, h // 2)
        x, y = rng.integers(w - bw), rng.integers(h - bh)
        if (instances[y:y + bh, x:x + bw] > 0).mean() < 0.15:
            return np.array([x, y, x + bw, y + bh])
    return None


def run(folder, ckpt, steps, minutes, out):
    torch.manual_seed(0)
    names = scenes.names(folder)
    words = names + ["background"]
    vocab = text.vocabulary(words)
    ids = torch.tensor([[vocab.index(t) for t in ("[CLS]", w, "[SEP]")] for w in words])
    model = blip2.BLIP2(len(vocab))
    trained = torch.load(os.path.join(os.path.dirname(ckpt), "clip.pt"))["model"]
    own = model.state_dict()
    model.load_state_dict({k: trained.get(k, v) for k, v in own.items()})
    data = scenes.load(folder, "train", 128)

    def scores(images):
        """How much better each word matches than it does not, [images, words]."""
        n, k = len(images), len(words)
        seen = model.image(images).repeat_interleave(k, 0)
        logits = model.qformer(seen, ids.repeat(n, 1), torch.ones(n * k, ids.shape[1]))
        return (logits[:, 1] - logits[:, 0]).view(n, k)

    def loss_fn(rng):
        images, target = draw(data, rng, BATCH, len(names))
        s = scores(images)
        match = F.binary_cross_entropy_with_logits(s, F.one_hot(target, len(words)).float())
        return {"loss": F.cross_entropy(s, target) + match, "right": (s.argmax(1) == target).float().mean()}

    done = trainer.fit(model, loss_fn, steps, minutes, ckpt, lr=1e-3, average=0.99)
    model.eval()
    with torch.no_grad():
        images, target = draw(scenes.load(folder, "val", 128), np.random.default_rng(1), 400, len(names))
        best = torch.cat([scores(b) for b in images.split(25)]).argmax(1)
    objects = target < len(names)
    print(f"val: {float((best == target)[objects].float().mean()):.3f} of crops of objects, "
          f"{float((best == target)[~objects].float().mean()):.3f} of others named right", flush=True)
    blip2.export(model, out)
    text.write(f"{out}/blip2_vocab.txt", words)
    return done
