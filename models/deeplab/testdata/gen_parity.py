#!/usr/bin/python3
"""Writes parity.json: logits and SGD losses of DeepLab in PyTorch.

    OMP_NUM_THREADS=2 /usr/bin/python3 gen_parity.py [row …]

With numbers of rows it computes those alone and keeps the others.

The networks are written out here from docs/sources.md §8; weights, images and
labels come from a hash of (name, position), so that Go makes the same ones and
nothing large is stored.
"""
import json
import os
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from backbones import VGG16, WRN38

HERE = os.path.dirname(os.path.abspath(__file__))
CLASSES = 21
SAMPLES = 60
BLOCKS = {18: [2, 2, 2, 2], 50: [3, 4, 6, 3], 101: [3, 4, 23, 3]}


def fnv(name):
    h = 14695981039346656037
    for b in name.encode():
        h = ((h ^ b) * 1099511628211) % 2**64
    return h


def bits(name, n):
    """n 64-bit integers: splitmix64 in counter mode, keyed by the name."""
    with np.errstate(over="ignore"):
        z = np.uint64(fnv(name)) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def uniform(name, shape):
    """float32 multiples of 2^-23 in [-1, 1)."""
    u = (bits(name, int(np.prod(shape))) >> np.uint64(40)).astype(np.float64) / 2.0**23 - 1
    return torch.from_numpy(u.astype(np.float32)).reshape(shape)


def initialise(net):
    modules = dict(net.named_modules())
    for name, v in list(net.named_parameters()) + list(net.named_buffers()):
        if name.endswith("num_batches_tracked"):
            continue
        u = uniform(name, tuple(v.shape))
        module, leaf = name.rsplit(".", 1)
        if leaf == "running_mean":
            u = 0.1 * u
        elif leaf == "running_var":
            u = 1 + 0.3 * u
        elif leaf == "bias":
            u = 0.1 * u
        elif isinstance(modules[module], nn.BatchNorm2d):
            u = 0.75 + 0.25 * u
        else:
            u = u * float(np.float32(np.sqrt(3 / np.prod(v.shape[1:]))))
        v.data.copy_(u)


def conv(i, o, k, stride=1, dilation=1, bias=False):
    return nn.Conv2d(i, o, k, stride, dilation * (k // 2), dilation, bias=bias)


class Block(nn.Module):
    def __init__(self, i, planes, stride, dilation, bottleneck, in1x1, project):
        super().__init__()
        out = planes * (4 if bottleneck else 1)
        if bottleneck:
            s1, s3 = (stride, 1) if in1x1 else (1, stride)
            sizes = [(i, planes, 1, s1, 1), (planes, planes, 3, s3, dilation), (planes, out, 1, 1, 1)]
        else:
            sizes = [(i, planes, 3, stride, dilation), (planes, planes, 3, 1, dilation)]
        self.n = len(sizes)
        for k, s in enumerate(sizes, 1):
            setattr(self, "conv%d" % k, conv(*s))
            setattr(self, "bn%d" % k, nn.BatchNorm2d(s[1]))
        self.downsample = nn.Sequential(conv(i, out, 1, stride), nn.BatchNorm2d(out)) if project else None

    def forward(self, x):
        y = x
        for k in range(1, self.n + 1):
            y = getattr(self, "bn%d" % k)(getattr(self, "conv%d" % k)(y))
            if k < self.n:
                y = F.relu(y)
        return F.relu(y + (self.downsample(x) if self.downsample else x))


class ResNet(nn.Module):
    def __init__(self, depth, width, output_stride, in1x1, ceil, late, multigrid=False):
        super().__init__()
        ch = lambda c: int(np.floor(c * width + 0.5))
        bottleneck = depth >= 50
        e = 4 if bottleneck else 1
        self.conv1 = nn.Conv2d(3, ch(64), 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(ch(64))
        self.pool = nn.MaxPool2d(3, 2, 1, ceil_mode=ceil)
        i, reached, dilation = ch(64), 4, 1
        self.channels = []
        for stage in range(4):
            stride, before, planes = 1, dilation, ch(64 << stage)
            if stage > 0:
                if reached < output_stride:
                    stride, reached = 2, reached * 2
                else:
                    dilation *= 2
            blocks = []
            for b in range(BLOCKS[depth][stage]):
                d = before if late and b == 0 else dilation
                if multigrid and stage == 3:
                    d *= [1, 2, 4][b]
                project = b == 0 and (stage > 0 or bottleneck)
                blocks.append(Block(i, planes, stride if b == 0 else 1, d, bottleneck, in1x1, project))
                i = planes * e
            setattr(self, "layer%d" % (stage + 1), nn.Sequential(*blocks))
            self.channels.append(i)

    def forward(self, x):
        x = self.pool(F.relu(self.bn1(self.conv1(x))))
        first = x = self.layer1(x)
        return first, self.layer4(self.layer3(self.layer2(x)))


def resize(x, size, corners=False):
    return F.interpolate(x, size=size, mode="bilinear", align_corners=corners)


def backbone(name, width, output_stride, in1x1, ceil, late, multigrid=False):
    if name.startswith("resnet"):
        return ResNet(int(name[6:]), width, output_stride, in1x1, ceil, late, multigrid)
    return {"wrn38": WRN38, "vgg16": VGG16}[name](width, output_stride=output_stride, late=late, ceil=ceil)


class V1(nn.Module):
    def __init__(self, name, width, output_stride, in1x1, msc):
        super().__init__()
        self.backbone = backbone(name, width, output_stride, in1x1, ceil=True, late=False)
        self.fc = nn.Conv2d(self.backbone.channels[3], CLASSES, 1)

    def forward(self, x):
        return [self.fc(self.backbone(x)[1])]


class V2(nn.Module):
    def __init__(self, depth, width, output_stride, in1x1, msc):
        super().__init__()
        self.msc = msc
        self.backbone = backbone(depth, width, output_stride, in1x1, ceil=True, late=False)
        self.aspp = nn.Module()
        for i, r in enumerate([6, 12, 18, 24]):
            setattr(self.aspp, "c%d" % i, conv(self.backbone.channels[3], CLASSES, 3, 1, r * 8 // output_stride, True))

    def scale(self, x):
        x = self.backbone(x)[1]
        return sum(getattr(self.aspp, "c%d" % i)(x) for i in range(4))

    def forward(self, x):
        first = self.scale(x)
        if not self.msc:
            return [first]
        h, w = x.shape[2:]
        all, best = [first], first
        for s in (0.5, 0.75):
            y = self.scale(resize(x, (int(h * s), int(w * s))))
            all.append(y)
            best = torch.max(best, resize(y, first.shape[2:]))
        return all + [best]


def unit(i, o, k, dilation=1):
    return nn.Sequential(conv(i, o, k, 1, dilation), nn.BatchNorm2d(o), nn.ReLU())


class V3Plus(nn.Module):
    def __init__(self, depth, width, output_stride, in1x1, msc):
        super().__init__()
        ch = lambda c: int(np.floor(c * width + 0.5))
        self.backbone = backbone(depth, width, output_stride, in1x1, ceil=False, late=True)
        i, c = self.backbone.channels[3], ch(256)
        head = self.classifier = nn.Module()
        head.project = unit(self.backbone.channels[0], ch(48), 1)
        head.aspp = nn.Module()
        branches = [unit(i, c, 1)] + [unit(i, c, 3, r * 8 // output_stride) for r in (12, 24, 36)]
        branches.append(nn.Sequential(nn.AdaptiveAvgPool2d(1), *unit(i, c, 1)))
        head.aspp.convs = nn.ModuleList(branches)
        head.aspp.project = unit(5 * c, c, 1)
        head.classifier = nn.Sequential(*unit(c + ch(48), c, 3), conv(c, CLASSES, 1, bias=True))

    def forward(self, image):
        first, x = self.backbone(image)
        head = self.classifier
        low = head.project(first)
        x = torch.cat([b(x) if i < 4 else b(x).expand(-1, -1, *x.shape[2:]) for i, b in enumerate(head.aspp.convs)], 1)
        x = resize(head.aspp.project(x), low.shape[2:])
        return [resize(head.classifier(torch.cat([low, x], 1)), image.shape[2:])]


class V3PlusMultiGrid(V3Plus):
    def __init__(self, depth, width, output_stride, in1x1, msc):
        super().__init__(depth, width, output_stride, in1x1, msc)
        self.backbone = backbone(depth, width, output_stride, in1x1, ceil=False, late=False, multigrid=True)
        head, c = self.classifier, self.classifier.aspp.project[0].out_channels
        head.classifier = nn.Sequential(*unit(head.classifier[0].in_channels, c, 3), nn.Dropout(0.5), *unit(c, c, 3),
                                        nn.Dropout(0.1), conv(c, CLASSES, 1, bias=True))

    def forward(self, image):
        first, x = self.backbone(image)
        head = self.classifier
        low = head.project(first)
        x = torch.cat([b(x) if i < 4 else b(x).expand(-1, -1, *x.shape[2:]) for i, b in enumerate(head.aspp.convs)], 1)
        x = resize(head.aspp.project(x), low.shape[2:], True)
        return [resize(head.classifier(torch.cat([x, low], 1)), image.shape[2:], True)]


def build(c):
    net = {"deeplab-v1": V1, "deeplab-v2": V2, "deeplab-v3plus": V3Plus, "deeplab-v3plus-multigrid": V3PlusMultiGrid}[c["arch"]](
        c["backbone"], c["width"], c["output_stride"], c["stride_in"] == "1x1", c["msc"])
    initialise(net)
    return net.eval()


def image(c):
    n, (h, w) = c["batch"], c["size"]
    return uniform("image", (n, h, w, 3)).permute(0, 3, 1, 2).contiguous() * 2


def logits(c):
    with torch.no_grad():
        y = build(c)(image(c))[-1].permute(0, 2, 3, 1).contiguous().numpy().ravel()
    at = bits("samples", SAMPLES) % np.uint64(y.size)
    return {"samples": [float("%.8g" % v) for v in y[at.astype(np.int64)]],
            "mean_abs": float(np.abs(y.astype(np.float64)).mean()), "max_abs": float(np.abs(y).max())}


def losses(c):
    """Some steps: the losses summed over the logit maps, batch norm frozen."""
    net = build(c)
    groups = []
    for name, p in net.named_parameters():
        norm = isinstance(dict(net.named_modules())[name.rsplit(".", 1)[0]], nn.BatchNorm2d)
        if norm:
            p.requires_grad = False
            continue
        head = not name.startswith("backbone.")
        bias = head and c["arch"] in ("deeplab-v1", "deeplab-v2") and name.endswith("bias")
        groups.append({"params": [p], "lr": c["lr"] * (20 if bias else 10 if head else 1),
                       "weight_decay": 0 if bias else 5e-4})
    sgd = torch.optim.SGD(groups, momentum=0.9)
    out = []
    for _ in range(c["steps"]):
        sgd.zero_grad()
        total = 0
        for i, y in enumerate(net(image(c))):
            n, k, h, w = y.shape
            label = (bits("label%d" % i, n * h * w) % np.uint64(CLASSES + 2)).astype(np.int64).reshape(n, h, w)
            label[label >= CLASSES] = 255
            total = total + F.cross_entropy(y, torch.from_numpy(label), ignore_index=255)
        total.backward()
        sgd.step()
        out.append(float(total))
    return {"losses": out}


def case(arch, backbone, width, stride, stride_in, msc, size, batch=1, lr=0, steps=5):
    return dict(arch=arch, backbone=backbone, width=width, output_stride=stride, stride_in=stride_in, msc=msc,
                size=list(size), batch=batch, lr=lr, steps=steps if lr else 0)


CASES = [
    case("deeplab-v2", "resnet18", 0.25, 8, "1x1", True, (65, 65), 2),
    case("deeplab-v2", "resnet50", 0.125, 8, "1x1", True, (57, 83)),
    case("deeplab-v2", "resnet50", 0.125, 16, "3x3", False, (83, 57)),
    case("deeplab-v3plus", "resnet18", 0.25, 16, "3x3", False, (65, 65), 2),
    case("deeplab-v3plus", "resnet50", 0.125, 8, "3x3", False, (57, 83)),
    case("deeplab-v2", "resnet18", 0.25, 8, "1x1", True, (49, 49), 2, 1e-3),
    case("deeplab-v3plus", "resnet50", 0.125, 16, "3x3", False, (49, 49), 2, 0.05),
    case("deeplab-v2", "resnet101", 1, 8, "1x1", False, (321, 321)),
    case("deeplab-v2", "resnet101", 1, 8, "1x1", True, (321, 321)),
    case("deeplab-v2", "resnet101", 1, 8, "1x1", True, (199, 277)),
    case("deeplab-v3plus", "resnet101", 1, 16, "3x3", False, (321, 321)),
    case("deeplab-v3plus", "resnet101", 1, 16, "3x3", False, (199, 277)),
    case("deeplab-v2", "resnet101", 1, 8, "1x1", True, (65, 65), 2, 2.5e-4, 50),
    case("deeplab-v3plus", "resnet101", 1, 16, "3x3", False, (65, 65), 2, 0.02, 50),
    case("deeplab-v3plus-multigrid", "resnet50", 0.125, 16, "3x3", False, (57, 83)),
    case("deeplab-v3plus-multigrid", "resnet101", 1, 16, "3x3", False, (199, 277)),
    case("deeplab-v2", "resnet18", 0.25, 8, "1x1", True, (49, 49), 2, 1e-3, 50),
    case("deeplab-v3plus", "resnet50", 0.125, 16, "3x3", False, (49, 49), 2, 0.05, 50),
    case("deeplab-v1", "resnet18", 0.25, 8, "1x1", False, (57, 83)),
    case("deeplab-v1", "vgg16", 0.0625, 8, "3x3", False, (57, 83)),
    case("deeplab-v1", "vgg16", 0.0625, 8, "3x3", False, (49, 49), 2, 2e-3),
    case("deeplab-v2", "vgg16", 0.0625, 16, "3x3", True, (83, 57)),
    case("deeplab-v2", "wrn38", 0.0625, 8, "3x3", False, (49, 49), 2, 1e-3),
    case("deeplab-v3plus", "wrn38", 0.0625, 16, "3x3", False, (57, 83)),
    case("deeplab-v1", "wrn38", 0.0625, 8, "3x3", False, (57, 83)),
    case("deeplab-v1", "vgg16", 1, 8, "3x3", False, (129, 129)),
    case("deeplab-v1", "wrn38", 1, 8, "3x3", False, (65, 65)),
]

if __name__ == "__main__":
    torch.set_num_threads(2)
    wanted = [int(v) for v in sys.argv[1:]] or range(len(CASES))
    rows = []
    if len(sys.argv) > 1:
        rows = open(os.path.join(HERE, "parity.json")).read().split("\n")[1:-2]
        rows = [r.rstrip(",") for r in rows]
    rows += [""] * (len(CASES) - len(rows))
    for i in wanted:
        c = CASES[i]
        c.update(losses(c) if c["lr"] else logits(c))
        rows[i] = "  " + json.dumps(c)
        print(rows[i], flush=True)
    with open(os.path.join(HERE, "parity.json"), "w") as f:
        f.write("[\n" + ",\n".join(rows) + "\n]\n")
