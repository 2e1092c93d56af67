"""Writes sgd.json: losses and weights of a few SGD updates by PyTorch.

A two-layer network with two logit maps (as MSC has several), cross-entropy
summed over them, ignore index 255, three parameter groups, two accumulation
steps, and a poly schedule that moves every second update.

Run: python3 gen_sgd.py   (PyTorch 1.13)
"""
import json
import torch
import torch.nn.functional as F

torch.manual_seed(1)
C, SIDE, BATCH, ACC, STEPS, EVERY = 3, 8, 2, 2, 6, 2
LR, HEAD, BIAS, WD, MOM, POWER = 0.05, 10.0, 20.0, 5e-4, 0.9, 0.9

conv = torch.nn.Conv2d(3, 4, 3, padding=1)
head = torch.nn.Conv2d(4, C, 1)
with torch.no_grad():
    for p in list(conv.parameters()) + list(head.parameters()):
        p.copy_(torch.randn_like(p) * 0.2)

hwio = lambda t: t.detach().permute(2, 3, 1, 0).flatten().tolist()
out = {"initial": [hwio(conv.weight), conv.bias.tolist(), hwio(head.weight), head.bias.tolist()], "updates": []}
opt = torch.optim.SGD([
    {"params": [conv.weight, conv.bias], "mult": 1.0, "weight_decay": WD},
    {"params": [head.weight], "mult": HEAD, "weight_decay": WD},
    {"params": [head.bias], "mult": BIAS, "weight_decay": 0.0},
], lr=LR, momentum=MOM)
for step in range(STEPS):
    for g in opt.param_groups:
        g["lr"] = LR * g["mult"] * (1 - (step // EVERY * EVERY) / STEPS) ** POWER
    opt.zero_grad()
    batches, total = [], 0.0
    for _ in range(ACC):
        x = torch.randn(BATCH, 3, SIDE, SIDE)
        y = torch.randint(0, C, (BATCH, SIDE, SIDE))
        y[torch.rand(y.shape) < 0.2] = 255
        small = y[:, 1::2, 1::2].clone()
        logits = head(F.relu(conv(x)))
        shrunk = F.interpolate(logits, size=(SIDE // 2, SIDE // 2), mode="bilinear", align_corners=False)
        loss = F.cross_entropy(logits, y, ignore_index=255) + F.cross_entropy(shrunk, small, ignore_index=255)
        (loss / ACC).backward()
        total += loss.item() / ACC
        batches.append({"images": [round(v, 6) for v in x.permute(0, 2, 3, 1).flatten().tolist()],
                        "labels": y.flatten().tolist(), "small": small.flatten().tolist()})
    opt.step()
    out["updates"].append({"batches": batches, "loss": total})
out["final"] = [hwio(conv.weight), conv.bias.tolist(), hwio(head.weight), head.bias.tolist()]
json.dump(out, open("sgd.json", "w"))
