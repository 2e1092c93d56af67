#!/usr/bin/python3
"""Writes the checkpoints of the tests, in both formats: /usr/bin/python3 gen_pth.py"""
import collections
import os
import zipfile

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
count = lambda *shape: torch.arange(float(torch.Size(shape).numel())).reshape(shape)
base = count(4, 6)
state = collections.OrderedDict()
state["plain"] = count(2, 3)
state["transposed"] = count(2, 3).t()
state["strided"] = base[1:3, ::2]
state["shared"] = base[0]
state["parameter"] = torch.nn.Parameter(count(2))
state["scalar"] = torch.tensor(7)
state["empty"] = torch.zeros(0, 3)
for name in "float64 float16 bfloat16 int64 int32 int16 int8 uint8".split():
    state[name] = torch.arange(4).to(getattr(torch, name))
state["bool"] = torch.tensor([True, False])
state._metadata = collections.OrderedDict([("", {"version": 1})])
nested = {"epoch": 3, "state_dict": state, "optimizer": {"state": {0: {"momentum_buffer": count(2)}}, "param_groups": [{"lr": 0.1}]}}


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/wsss-evil-pth",)


class Inner(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(count(2, 3))
        self.register_buffer("mean", count(2).half())

    def forward(self, x):
        return x @ self.weight.t() + self.mean.float()


class Outer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.visual = torch.nn.Sequential(Inner())
        self.scale = torch.nn.Parameter(torch.tensor(7.0))
        self.sizes = [1, 2]

    def forward(self, x):
        return self.visual(x) * self.scale


if __name__ == "__main__":
    torch.jit.script(Outer()).save(os.path.join(HERE, "script.pt"))
    torch.save(nested, os.path.join(HERE, "zip.pth"))
    torch.save(nested, os.path.join(HERE, "legacy.pth"), _use_new_zipfile_serialization=False)
    torch.save({"x": Evil(), "weight": count(2)}, os.path.join(HERE, "evil.pth"))
    torch.save({"epoch": 3, "when": "today"}, os.path.join(HERE, "empty.pth"))
    torch.save(torch.nn.ReLU(), os.path.join(HERE, "module.pth"))
    with zipfile.ZipFile(os.path.join(HERE, "zip.pth")) as old, \
            zipfile.ZipFile(os.path.join(HERE, "deflated.pth"), "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name), old.read(name), zipfile.ZIP_DEFLATED)
