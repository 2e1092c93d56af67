#!/usr/bin/python3
"""Times fine-tuning steps of a CLIP image encoder in PyTorch: prints seconds and
CPU seconds per step, the first of which warms up; or exports the encoder.

    step.py torch|torch-compile|torch-cuda|torch-cuda-compile|export -dir D -size N -width N -blocks N -batch N -steps N

The network is that of the parity fixtures (train/clip/testdata), with random
weights.
"""
import argparse
import contextlib
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../train/clip/testdata"))
sys.dont_write_bytecode = True
import torch

import gen_finetune as g

CLASSES = 20
p = argparse.ArgumentParser()
p.add_argument("engine")
p.add_argument("-dir")
for k in ("size", "width", "blocks", "batch", "steps"):
    p.add_argument("-" + k, type=int)
a = p.parse_args()

torch.set_num_threads(os.cpu_count())
cuda = a.engine.startswith("torch-cuda")
g.SIZE, g.PATCH, g.WIDTH, g.BLOCKS, g.HEADS, g.EMBED, g.CLASSES = a.size, 16, a.width, a.blocks, a.width // 64, 512, CLASSES
torch.manual_seed(1)
net = g.Classifier()
if a.engine == "export":
    g.onnxout.export(net.encoder, torch.zeros(1, 3, a.size, a.size), os.path.join(a.dir, f"vit_{a.size}_{a.width}_{a.blocks}.onnx"),
                     16, ["pixel_values"], ["image_embeds"], {"pixel_values": {0: "batch"}, "image_embeds": {0: "batch"}}, fold=False)
    sys.exit()
targets = (torch.arange(a.batch * CLASSES) % 7 == 0).float().reshape(a.batch, CLASSES)
known = torch.ones_like(targets)
x = (torch.arange(a.batch * 3 * a.size * a.size) % 255).float().div(128).sub(1).reshape(a.batch, 3, a.size, a.size)
if cuda:
    net, x, targets, known = net.cuda(), x.cuda(), targets.cuda(), known.cuda()
adam = torch.optim.AdamW([{"params": [q], "weight_decay": 0.7 if q.dim() > 1 else 0} for q in net.parameters()], lr=2e-5)
run = torch.compile(net) if a.engine.endswith("compile") else net
for _ in range(a.steps + 1):
    start, cpu = time.perf_counter(), time.process_time()
    adam.zero_grad(set_to_none=True)
    with torch.autocast("cuda", torch.bfloat16) if cuda else contextlib.nullcontext():
        logits = run(x)
    loss = g.cost("bce", logits.float(), targets, known)
    loss.backward()
    adam.step()
    value = loss.item()
    print(time.perf_counter() - start, time.process_time() - cpu, flush=True)
    print(f"{a.engine}: loss {value}", file=sys.stderr)
if cuda:
    print(f"peak of the GPU's memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB", file=sys.stderr)
