#!/usr/bin/python3
"""Writes what CAM networks on wide ResNet-38 and VGG-16 are compared with.

    OMP_NUM_THREADS=2 /usr/bin/python3 gen_backbones.py

wrn38_cam.pth, vgg16_cam.pth   random weights of narrow networks, psa's names
backbones.pth                  an input, and their logits, maps and gradients
"""
import os
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "deeplab", "testdata"))
from backbones import VGG16, WRN38  # noqa: E402

CLASSES = 3
GRADS = {
    "wrn38": ["b3_1.conv_branch2a.weight", "b5.conv_branch1.weight", "b6.conv_branch2b1.weight", "b4.bn_branch2a.weight", "bn7.bias", "fc8.weight"],
    "vgg16": ["conv3_2.weight", "conv4_3.bias", "conv5_1.weight", "fc6.weight", "fc7.bias", "fc8.weight"],
}


def build(kind):
    torch.manual_seed(11)
    net = {"wrn38": WRN38, "vgg16": VGG16}[kind](1 / 32, fc6=1)
    net.fc8 = nn.Conv2d(net.channels[3], CLASSES, 1, bias=False)
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.weight.data.uniform_(0.5, 1)
            m.bias.data.uniform_(-0.1, 0.1)
            m.running_mean.uniform_(-0.1, 0.1)
            m.running_var.uniform_(0.7, 1.3)
        elif isinstance(m, nn.Conv2d):
            m.weight.data.normal_(0, (2 / m.weight[0].numel()) ** 0.5)
            if m.bias is not None:
                m.bias.data.uniform_(0, 0.1)
    return net.eval()


if __name__ == "__main__":
    g = torch.Generator().manual_seed(3)
    x = torch.randn(2, 3, 41, 58, generator=g)
    y = torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    values = {"images": x.permute(0, 2, 3, 1), "targets": y}
    for kind, names in GRADS.items():
        net = build(kind)
        torch.save({k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}, os.path.join(HERE, kind + "_cam.pth"))
        f = net.stages(x)[3]
        logits = net.fc8(f.mean((2, 3), keepdim=True)).flatten(1)
        maps = F.relu(net.fc8(f))
        if kind == "vgg16":
            maps = maps.sqrt()
        F.multilabel_soft_margin_loss(logits, y).backward()
        values[kind + "/logits"], values[kind + "/maps"] = logits.detach(), maps.detach().permute(0, 2, 3, 1)
        params = dict(net.named_parameters())
        for n in names:
            values[kind + "/grad/" + n] = params[n].grad
    torch.save({k: v.contiguous().clone() for k, v in values.items()}, os.path.join(HERE, "backbones.pth"))
