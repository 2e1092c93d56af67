"""Writes optim.json: losses and weights of a few updates by PyTorch.

A two-layer network with two logit maps (as MSC has several), cross-entropy
summed over them, ignore index 255, three parameter groups, two accumulation
steps, and a poly schedule that moves every second update; with SGD and AdamW.

Run: python3 gen_optim.py   (PyTorch 1.13)
"""
import json
import torch
import torch.nn.functional as F

torch.manual_seed(1)
C, SIDE, BATCH, ACC, STEPS, EVERY = 3, 8, 2, 2, 6, 2
HEAD, BIAS, POWER = 10.0, 20.0, 0.9
OPTIMIZERS = {
    "sgd": (0.05, 5e-4, lambda groups: torch.optim.SGD(groups, lr=1, momentum=0.9)),
    "adamw": (0.002, 0.1, lambda groups: torch.optim.AdamW(groups, lr=1)),
}

initial = [torch.randn(s) * 0.2 for s in [(4, 3, 3, 3), (4,), (C, 4, 1, 1), (C,)]]
batches = []
for _ in range(STEPS * ACC):
    x = torch.round(torch.randn(BATCH, 3, SIDE, SIDE), decimals=6)
    y = torch.randint(0, C, (BATCH, SIDE, SIDE))
    y[torch.rand(y.shape) < 0.2] = 255
    batches.append((x, y, y[:, 1::2, 1::2].clone()))


def layout(t):
    t = t.detach()
    return (t.permute(2, 3, 1, 0) if t.dim() == 4 else t).flatten().tolist()


def train(lr, decay, make):
    w1, b1, w2, b2 = params = [p.clone().requires_grad_() for p in initial]
    opt = make([
        {"params": [w1, b1], "mult": 1.0, "weight_decay": decay},
        {"params": [w2], "mult": HEAD, "weight_decay": decay},
        {"params": [b2], "mult": BIAS, "weight_decay": 0.0},
    ])
    losses = []
    for step in range(STEPS):
        for g in opt.param_groups:
            g["lr"] = lr * g["mult"] * (1 - (step // EVERY * EVERY) / STEPS) ** POWER
        opt.zero_grad()
        total = 0.0
        for x, y, small in batches[step * ACC:(step + 1) * ACC]:
            logits = F.conv2d(F.relu(F.conv2d(x, w1, b1, padding=1)), w2, b2)
            shrunk = F.interpolate(logits, size=(SIDE // 2, SIDE // 2), mode="bilinear", align_corners=False)
            loss = F.cross_entropy(logits, y, ignore_index=255) + F.cross_entropy(shrunk, small, ignore_index=255)
            (loss / ACC).backward()
            total += loss.item() / ACC
        opt.step()
        losses.append(total)
    return {"lr": lr, "decay": decay, "losses": losses, "final": [layout(p) for p in params]}


out = {
    "initial": [layout(p) for p in initial],
    "batches": [{"images": layout_x, "labels": y.flatten().tolist(), "small": s.flatten().tolist()}
                for (x, y, s) in batches for layout_x in [[round(v, 6) for v in x.permute(0, 2, 3, 1).flatten().tolist()]]],
    "runs": {name: train(*o) for name, o in OPTIMIZERS.items()},
}
json.dump(out, open("optim.json", "w"))
