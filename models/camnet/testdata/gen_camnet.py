#!/usr/bin/python3
"""Writes what the CAM network and its training are compared with.

    OMP_NUM_THREADS=2 /usr/bin/python3 gen_camnet.py

A ResNet-50 of 1/32 of the width with strides 2, 2, 2, 1, put together from
torchvision's blocks, under the names that a file res50_cam.pth has:

res50_cam.pth        random weights
photo.png            a small picture
parity.pth           inputs, logits, maps, gradients, and the multi-scale CAMs of
                     photo.png by docs/sources.md §11.1
parity.json          losses of SGD updates
"""
import json
import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image
from torchvision.models.resnet import Bottleneck

HERE = os.path.dirname(os.path.abspath(__file__))
WIDTH, CLASSES, LR, STEPS = 1 / 32, 3, 0.003, 5
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        inside = planes = int(64 * WIDTH)
        self.conv1 = nn.Conv2d(3, planes, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for stage, (blocks, stride) in enumerate([(3, 1), (4, 2), (6, 2), (3, 1)]):
            list_ = []
            for i in range(blocks):
                out = planes << stage
                down = None
                if i == 0:
                    down = nn.Sequential(nn.Conv2d(inside, 4 * out, 1, stride, bias=False), nn.BatchNorm2d(4 * out))
                list_.append(Bottleneck(inside, out, stride if i == 0 else 1, down))
                inside = 4 * out
            setattr(self, "layer%d" % (stage + 1), nn.Sequential(*list_))
        self.channels = inside


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        r = self.resnet50 = ResNet()
        self.stage1 = nn.Sequential(r.conv1, r.bn1, r.relu, r.maxpool, r.layer1)
        self.stage2, self.stage3, self.stage4 = nn.Sequential(r.layer2), nn.Sequential(r.layer3), nn.Sequential(r.layer4)
        self.classifier = nn.Conv2d(r.channels, CLASSES, 1, bias=False)
        self.backbone = nn.ModuleList([self.stage1, self.stage2, self.stage3, self.stage4])
        self.newly_added = nn.ModuleList([self.classifier])

    def features(self, x):
        return self.stage4(self.stage3(self.stage2(self.stage1(x)).detach()))

    def logits(self, x):
        return self.classifier(self.features(x).mean((2, 3), keepdim=True)).flatten(1)

    def maps(self, x):
        return F.relu(self.classifier(self.features(x)))


def build():
    torch.manual_seed(7)
    net = Net()
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.weight.data.uniform_(0.5, 1)
            m.bias.data.uniform_(-0.1, 0.1)
            m.running_mean.uniform_(-0.1, 0.1)
            m.running_var.uniform_(0.7, 1.3)
        elif isinstance(m, nn.Conv2d):
            m.weight.data.normal_(0, (2 / m.weight[0].numel()) ** 0.5)
    return net.eval()  # running statistics, in training too


def losses(momentum, x, y):
    net = build()
    backbone = [p for n, p in net.resnet50.named_parameters() if not n.startswith(("conv1", "bn1"))]
    sgd = torch.optim.SGD([{"params": backbone, "lr": LR}, {"params": net.classifier.parameters(), "lr": 10 * LR}],
                          lr=LR, momentum=momentum, weight_decay=1e-4)
    start = [g["lr"] for g in sgd.param_groups]
    out, grads = [], {}
    for step in range(STEPS):
        for g, lr in zip(sgd.param_groups, start):
            g["lr"] = lr * (1 - step / STEPS) ** 0.9
        loss = F.multilabel_soft_margin_loss(net.logits(x), y)
        sgd.zero_grad()
        loss.backward()
        if step == 0:
            grads = {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}
        sgd.step()
        out.append(float(loss))
    return out, grads


def cam(net, img, scales):
    """Sums over scales of the maps at a quarter of the size and at full size."""
    w, h = img.size
    small, large = [], []
    for s in scales:
        scaled = img if s == 1 else img.resize((int(round(w * s)), int(round(h * s))), Image.BICUBIC)
        x = (np.asarray(scaled).astype(np.float64) / 255 - MEAN) / STD
        x = torch.from_numpy(x.transpose(2, 0, 1).astype(np.float32))
        with torch.no_grad():
            a, b = net.maps(torch.stack([x, x.flip(-1)]))
        m = (a + b.flip(-1))[None]
        up = lambda n, k: (n - 1) // k + 1
        small.append(F.interpolate(m, (up(h, 4), up(w, 4)), mode="bilinear", align_corners=False)[0])
        large.append(F.interpolate(m, (up(h, 16) * 16, up(w, 16) * 16), mode="bilinear", align_corners=False)[0, :, :h, :w])
    norm = lambda m: m / (m.flatten(1).max(1)[0][:, None, None] + 1e-5)
    return norm(sum(small)), norm(sum(large))


if __name__ == "__main__":
    net = build()
    torch.save(net.state_dict(), os.path.join(HERE, "res50_cam.pth"))
    g = torch.Generator().manual_seed(3)
    x = torch.randn(2, 3, 49, 70, generator=g)
    y = torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    rng = np.random.default_rng(5)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8))
    photo = coarse.resize((75, 58), Image.BILINEAR)
    photo.save(os.path.join(HERE, "photo.png"))
    values = {"images": x.permute(0, 2, 3, 1), "targets": y}
    with torch.no_grad():
        values["logits"], values["maps"] = net.logits(x), net.maps(x).permute(0, 2, 3, 1)
    values["cam"], values["high_res"] = cam(net, photo, (1.0, 0.5, 1.5, 2.0))
    result = {"lr": LR, "steps": STEPS, "losses": {}}
    for momentum in (1e-4, 0.9):
        result["losses"]["%g" % momentum], grads = losses(momentum, x, y)
    for name in ("resnet50.layer4.2.conv3.weight", "resnet50.layer3.0.bn1.weight", "resnet50.layer3.0.bn1.bias",
                 "resnet50.layer3.0.downsample.0.weight", "classifier.weight"):
        values["grad/" + name] = grads[name]
    result["trained"] = len(grads)
    torch.save({k: v.contiguous() for k, v in values.items()}, os.path.join(HERE, "parity.pth"))
    with open(os.path.join(HERE, "parity.json"), "w") as f:
        json.dump(result, f, indent=1)
        f.write("\n")
