#!/usr/bin/python3
"""Times training steps of DeepLab in PyTorch: prints seconds and CPU seconds
per step, the first of which warms up; on a GPU the peak of its memory in GiB
goes to stderr.

    step.py torch|torch-channels-last|torch-compile|torch-cuda|torch-cuda-compile -arch A -msc=true -size N -batch N -steps N [-width W]

-precision, -recompute and -devices are ignored: they are choices of wsss.

The networks are those of the parity fixtures.
"""
import argparse
import contextlib
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../models/deeplab/testdata"))
sys.dont_write_bytecode = True
import torch
import torch.nn as nn
import torch.nn.functional as F

import gen_parity

p = argparse.ArgumentParser()
p.add_argument("engine")
p.add_argument("-arch", default="deeplab-v2")
p.add_argument("-msc", default="false")
p.add_argument("-width", type=float, default=1)
p.add_argument("-precision")
p.add_argument("-recompute")
p.add_argument("-devices")
for k in ("size", "batch", "steps"):
    p.add_argument("-" + k, type=int)
a = p.parse_args()

torch.set_num_threads(os.cpu_count())
cuda = a.engine.startswith("torch-cuda")
channels_last = a.engine != "torch"
if a.arch == "deeplab-v2":
    net = gen_parity.V2("resnet101", a.width, 8, True, a.msc == "true")
else:
    net = gen_parity.V3Plus("resnet101", a.width, 16, False, False)
net.eval()  # evaluation mode: batch norm frozen
for m in net.modules():
    if isinstance(m, nn.BatchNorm2d):
        m.weight.requires_grad = m.bias.requires_grad = False
if cuda:
    torch.backends.cudnn.benchmark = True
    net = net.cuda()
if channels_last:
    net = net.to(memory_format=torch.channels_last)
body = [q for q in net.backbone.parameters() if q.requires_grad]
head = [q for n, q in net.named_parameters() if q.requires_grad and not n.startswith("backbone.")]
sgd = torch.optim.SGD([{"params": body}, {"params": head, "lr": 2.5e-3}], lr=2.5e-4, momentum=0.9, weight_decay=5e-4)
run = torch.compile(net) if a.engine.endswith("compile") else net
x = torch.randn(a.batch, 3, a.size, a.size)
if cuda:
    x = x.cuda()
if channels_last:
    x = x.to(memory_format=torch.channels_last)
for _ in range(a.steps + 1):
    start, cpu = time.perf_counter(), time.process_time()
    sgd.zero_grad(set_to_none=True)
    with torch.autocast("cuda", torch.bfloat16) if cuda else contextlib.nullcontext():
        out = run(x)
        loss = 0
        for y in out if isinstance(out, (list, tuple)) else [out]:
            label = torch.arange(y.shape[0] * y.shape[2] * y.shape[3], device=y.device).reshape(y.shape[0], *y.shape[2:]) % 21
            loss = loss + F.cross_entropy(y.float(), label, ignore_index=255)
    loss.backward()
    sgd.step()
    if cuda:
        torch.cuda.synchronize()
    print(time.perf_counter() - start, time.process_time() - cpu, flush=True)
if cuda:
    print(f"{a.engine}: peak GPU memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB", file=sys.stderr)
