#!/usr/bin/python3
"""Times training steps of DeepLab-v2 in PyTorch: prints seconds and CPU
seconds per step.

    step.py size batch steps

The network is the one of the parity fixtures.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../models/deeplab/testdata"))
sys.dont_write_bytecode = True
import torch
import torch.nn as nn
import torch.nn.functional as F

import gen_parity

size, batch, steps = map(int, sys.argv[1:4])
torch.set_num_threads(os.cpu_count())
net = gen_parity.V2(101, 1, 8, True, False).eval()  # evaluation mode: batch norm frozen
for m in net.modules():
    if isinstance(m, nn.BatchNorm2d):
        m.weight.requires_grad = m.bias.requires_grad = False
groups = [{"params": [p for p in net.backbone.parameters() if p.requires_grad]},
          {"params": [p for p in net.aspp.parameters()], "lr": 2.5e-3}]
sgd = torch.optim.SGD(groups, lr=2.5e-4, momentum=0.9, weight_decay=5e-4)
x = torch.randn(batch, 3, size, size)
for _ in range(steps):
    start, cpu = time.perf_counter(), time.process_time()
    sgd.zero_grad(set_to_none=True)
    y = net(x)[0]
    label = torch.arange(y.shape[0] * y.shape[2] * y.shape[3]).reshape(y.shape[0], *y.shape[2:]) % 21
    F.cross_entropy(y, label, ignore_index=255).backward()
    sgd.step()
    print(time.perf_counter() - start, time.process_time() - cpu, flush=True)
