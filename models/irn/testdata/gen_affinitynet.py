"""Writes what AffinityNet and its loss are compared with.

    python gen_affinitynet.py          # PyTorch 2.13

psa's network/resnet38_aff.py and vgg16_aff.py (docs/sources.md §11.3) with 1/64 of
the backbone's width and an eighth of the branches'; pairs, labels and losses as in
tool/pyutils.py, voc12/data.py and train_aff.py.

affinity_wrn38.pth, affinity_vgg16.pth   random weights, psa's names
affinitynet.pth                          inputs, features, losses, gradients
"""
import os
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../deeplab/testdata"))
from backbones import VGG16, WRN38  # noqa: E402

WIDTH, HEAD, RADIUS, CLASSES = 1 / 64, 1 / 8, 4, 4
GRADS = {
    "wrn38": ["b5_1.conv_branch2a.weight", "b4.conv_branch1.weight", "f8_3.weight", "f8_5.weight", "f9.weight"],
    "vgg16": ["conv4_1.weight", "fc6.weight", "gn8_4.weight", "f8_4.weight", "f9.weight"],
}


def build(kind):
    torch.manual_seed(5)
    net = {"wrn38": WRN38, "vgg16": VGG16}[kind](WIDTH, fc6=4)
    inputs, outs = net.channels[1:], [int(c * HEAD) for c in (64, 128, 256)]
    for i, (a, b) in enumerate(zip(inputs, outs)):
        setattr(net, "f8_%d" % (3 + i), nn.Conv2d(a, b, 1, bias=False))
        if kind == "vgg16":
            setattr(net, "gn8_%d" % (3 + i), nn.GroupNorm(8 << i, b))
    net.f9 = nn.Conv2d(sum(outs), sum(outs), 1, bias=False)
    for m in net.modules():
        if isinstance(m, (nn.BatchNorm2d, nn.GroupNorm)):
            m.weight.data.uniform_(0.5, 1)
            m.bias.data.uniform_(-0.1, 0.1)
            if isinstance(m, nn.BatchNorm2d):
                m.running_mean.uniform_(-0.1, 0.1)
                m.running_var.uniform_(0.7, 1.3)
        elif isinstance(m, nn.Conv2d):
            m.weight.data.normal_(0, (2 / m.weight[0].numel()) ** 0.5)
            if m.bias is not None:
                m.bias.data.uniform_(0, 0.1)
    return net.eval()


def features(net, x):
    parts = []
    for i, s in enumerate(net.stages(x)[1:]):
        y = getattr(net, "f8_%d" % (3 + i))(s)
        if hasattr(net, "gn8_3"):
            y = getattr(net, "gn8_%d" % (3 + i))(y)
        parts.append(F.elu(y))
    return F.elu(net.f9(torch.cat(parts, 1)))


def losses(f, label):
    r = RADIUS - 1
    near = [(0, x) for x in range(1, RADIUS)]
    near += [(y, x) for y in range(1, RADIUS) for x in range(-r, RADIUS) if x * x + y * y < RADIUS * RADIUS]
    h, w = label.shape[1] - r, label.shape[2] - 2 * r
    at = lambda v, y, x: v[..., y:y + h, r + x:r + x + w]
    aff = torch.stack([torch.exp(-torch.mean(torch.abs(at(f, y, x) - at(f, 0, 0)), 1)) for y, x in near], 1)
    to = torch.stack([at(label, y, x) for y, x in near], 1)
    start = at(label, 0, 0)[:, None]
    known = (to < 255) & (start < 255)
    equal = to == start
    bg = (equal & (start == 0)).float()
    fg = (equal & (start != 0) & known).float()
    neg = (~equal & known).float()
    bg_loss = torch.sum(-bg * torch.log(aff + 1e-5)) / (bg.sum() + 1e-5)
    fg_loss = torch.sum(-fg * torch.log(aff + 1e-5)) / (fg.sum() + 1e-5)
    neg_loss = torch.sum(-neg * torch.log(1.0 + 1e-5 - aff)) / (neg.sum() + 1e-5)
    return bg_loss, fg_loss, neg_loss, bg_loss / 4 + fg_loss / 4 + neg_loss / 2


if __name__ == "__main__":
    g = torch.Generator().manual_seed(2)
    x = torch.randn(2, 3, 80, 96, generator=g)
    rng = np.random.default_rng(1)
    label = torch.from_numpy(np.repeat(np.repeat(rng.choice([0, 1, 3, 255], (2, 5, 6)), 2, 1), 2, 2)).long()
    values = {"images": x.permute(0, 2, 3, 1), "labels": label.int()}
    for kind, names in GRADS.items():
        net = build(kind)
        torch.save({k: v for k, v in net.state_dict().items() if not k.endswith("tracked")}, os.path.join(HERE, "affinity_%s.pth" % kind))
        f = features(net, x)
        parts = losses(f, label)
        parts[3].backward()
        values[kind + "/features"] = f.detach().permute(0, 2, 3, 1)
        values[kind + "/losses"] = torch.stack(parts).detach()
        params = dict(net.named_parameters())
        for n in names:
            values[kind + "/grad/" + n] = params[n].grad
        print(kind, [float(p) for p in parts])
    torch.save({k: v.contiguous().clone() for k, v in values.items()}, os.path.join(HERE, "affinitynet.pth"))
