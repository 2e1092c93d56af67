#!/usr/bin/python3
"""Times a foundation model of the real size in PyTorch: prints seconds and CPU
seconds per run, the first of which warms up.

    run.py torch|torch-channels-last|torch-compile|torch-cuda|torch-cuda-bf16|torch-cuda-compile -runs N BASE

BASE.json are the inputs; its name picks the network, the one that the
generators export.
"""
import argparse
import contextlib
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../models/onnximport/testdata"))
sys.dont_write_bytecode = True
import torch

import gen_exports
import gen_full

p = argparse.ArgumentParser()
p.add_argument("engine")
p.add_argument("-runs", type=int)
p.add_argument("base")
a = p.parse_args()

torch.set_num_threads(os.cpu_count())
device = "cuda" if a.engine.startswith("torch-cuda") else "cpu"
half = a.engine in ("torch-cuda-bf16", "torch-cuda-compile")
torch.backends.cuda.matmul.allow_tf32 = True
name = os.path.basename(a.base)
net = gen_full.NETWORKS[name]() if name in gen_full.NETWORKS else gen_exports.MODELS[name][0]()
net = net.eval().to(device)
if a.engine in ("torch-channels-last", "torch-compile"):
    net = net.to(memory_format=torch.channels_last)
run = torch.compile(net) if a.engine.endswith("compile") else net
with open(a.base + ".json") as f:
    spec = json.load(f)
inputs = []
for port in spec.values():
    kind = getattr(torch, port["type"])
    x = torch.tensor(port["values"], dtype=kind).reshape(port["dims"]) if "values" in port else torch.randn(port["dims"])
    inputs.append(x.to(device))
with torch.no_grad(), torch.autocast("cuda", torch.bfloat16) if half else contextlib.nullcontext():
    for _ in range(a.runs + 1):
        start, cpu = time.perf_counter(), time.process_time()
        run(*inputs)
        if device == "cuda":
            torch.cuda.synchronize()
        print(time.perf_counter() - start, time.process_time() - cpu, flush=True)
