"""Writes what IRN's network and loss are compared with.

    python gen_irn.py          # PyTorch 2.13, torchvision

The network of IRN's net/resnet50_irn.py (docs/sources.md §11.2) on a ResNet-50 of
1/32 of the width, branches of a quarter, under the names that res50_irn.pth has;
pairs and losses as in misc/indexing.py, voc12/dataloader.py and step/train_irn.py.

res50_irn.pth   random weights
parity.pth      inputs, outputs, gradients, losses of SGD updates
"""
import os
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../camnet/testdata"))
from gen_camnet import MEAN, STD, ResNet  # noqa: E402

C, RADIUS, CLASSES, LR, STEPS = 64, 4, 4, 0.02, 5


def branch(i, o, groups, up):
    parts = [nn.Conv2d(i, o, 1, bias=False), nn.GroupNorm(groups, o)]
    if up > 1:
        parts.append(nn.Upsample(scale_factor=up, mode="bilinear", align_corners=False))
    return nn.Sequential(*parts, nn.ReLU())


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        r = self.resnet50 = ResNet()
        self.stage1 = nn.Sequential(r.conv1, r.bn1, r.relu, r.maxpool)
        self.stage2, self.stage3, self.stage4, self.stage5 = (nn.Sequential(s) for s in (r.layer1, r.layer2, r.layer3, r.layer4))
        self.fc_edge1, self.fc_edge2 = branch(2, 8, 4, 1), branch(8, 8, 4, 1)
        self.fc_edge3, self.fc_edge4, self.fc_edge5 = branch(16, 8, 4, 2), branch(32, 8, 4, 4), branch(64, 8, 4, 4)
        self.fc_edge6 = nn.Conv2d(40, 1, 1)
        self.fc_dp1, self.fc_dp2, self.fc_dp3 = branch(2, 16, 8, 1), branch(8, 32, 16, 1), branch(16, 64, 16, 1)
        self.fc_dp4, self.fc_dp5, self.fc_dp6 = branch(32, 64, 16, 2), branch(64, 64, 16, 2), branch(192, 64, 16, 2)
        self.fc_dp7 = nn.Sequential(nn.Conv2d(112, 64, 1, bias=False), nn.GroupNorm(16, 64), nn.ReLU(), nn.Conv2d(64, 2, 1, bias=False))
        self.mean_shift = nn.Module()
        self.mean_shift.register_buffer("running_mean", torch.zeros(2))

    def forward(self, x):
        x1 = self.stage1(x).detach()
        x2 = self.stage2(x1).detach()
        x3 = self.stage3(x2).detach()
        x4 = self.stage4(x3).detach()
        x5 = self.stage5(x4).detach()
        cut = lambda a, b: a[..., :b.size(2), :b.size(3)]
        e2 = self.fc_edge2(x2)
        edge = self.fc_edge6(torch.cat([self.fc_edge1(x1), e2, cut(self.fc_edge3(x3), e2), cut(self.fc_edge4(x4), e2), cut(self.fc_edge5(x5), e2)], 1))
        d2, d3 = self.fc_dp2(x2), self.fc_dp3(x3)
        up = cut(self.fc_dp6(torch.cat([d3, cut(self.fc_dp4(x4), d3), cut(self.fc_dp5(x5), d3)], 1)), d2)
        return edge, self.fc_dp7(torch.cat([self.fc_dp1(x1), d2, up], 1))


def paths(radius):
    dirs = [(0, x) for x in range(1, radius)]
    dirs += [(y, x) for y in range(1, radius) for x in range(-radius + 1, radius) if x * x + y * y < radius ** 2]
    out = []
    for dy, dx in dirs:
        coords = [(y, x) for y in range(min(0, dy), max(0, dy) + 1) for x in range(min(0, dx), max(0, dx) + 1)
                  if (dy * x - dx * y) ** 2 / (dy * dy + dx * dx) < 1]
        out.append(((dy, dx), coords))
    return out


def losses(net, x, label):
    """The four losses, by IRN's definitions written with slices."""
    edge, dp = net(x)
    edge = torch.sigmoid(edge)[:, 0]
    r = RADIUS - 1
    h, w = edge.shape[1] - r, edge.shape[2] - 2 * r
    at = lambda a, y, x: a[..., y:y + h, r + x:r + x + w]
    terms = []
    aff, way, to, lab = [], [], [], []
    for (dy, dx), coords in paths(RADIUS):
        aff.append(1 - torch.stack([at(edge, y, x) for y, x in coords]).max(0)[0])
        way.append(at(dp, 0, 0) - at(dp, dy, dx))
        to.append((dy, dx))
        lab.append(at(label, dy, dx))
    aff, way, lab = torch.stack(aff, 1), torch.stack(way, 2), torch.stack(lab, 1)
    src = at(label, 0, 0)[:, None]
    known = (src < CLASSES) & (lab < CLASSES)
    same = (src == lab) & known
    bg, fg, neg = (same & (src == 0)).float(), (same & (src > 0)).float(), ((src != lab) & known).float()
    pos_loss, neg_loss = -torch.log(aff + 1e-5), -torch.log(1. + 1e-5 - aff)
    target = torch.tensor(to).float().T[None, :, :, None, None]
    dp_fg, dp_bg = (way - target).abs(), way.abs()
    pos = (bg * pos_loss).sum() / (bg.sum() + 1e-5) / 2 + (fg * pos_loss).sum() / (fg.sum() + 1e-5) / 2
    return (pos, (neg * neg_loss).sum() / (neg.sum() + 1e-5),
            (dp_fg * fg[:, None]).sum() / (2 * fg.sum() + 1e-5), (dp_bg * bg[:, None]).sum() / (2 * bg.sum() + 1e-5))


if __name__ == "__main__":
    torch.manual_seed(9)
    net = Net()
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.weight.data.uniform_(0.5, 1)
            m.bias.data.uniform_(-0.1, 0.1)
            m.running_mean.uniform_(-0.1, 0.1)
            m.running_var.uniform_(0.7, 1.3)
        elif isinstance(m, nn.GroupNorm):
            m.weight.data.uniform_(0.5, 1.5)
            m.bias.data.uniform_(-0.2, 0.2)
        elif isinstance(m, nn.Conv2d):
            m.weight.data.normal_(0, (2 / m.weight[0].numel()) ** 0.5)
    net.eval()
    net.mean_shift.running_mean[:] = torch.tensor([0.3, -0.2])
    torch.save(net.state_dict(), os.path.join(HERE, "res50_irn.pth"))
    g = torch.Generator().manual_seed(3)
    x = torch.randn(2, 3, 80, 72, generator=g)
    coarse = torch.randint(0, CLASSES + 1, (2, 1, 5, 6), generator=g).float()
    coarse[coarse == CLASSES] = 255
    label = F.interpolate(coarse, (80, 72))[:, 0]
    reduced = label[:, 2::4, 2::4]
    values = {"images": x.permute(0, 2, 3, 1), "labels": label}
    with torch.no_grad():
        edge, dp = net(x)
        values["edges"], values["displacements"] = edge.permute(0, 2, 3, 1), dp.permute(0, 2, 3, 1)
    from PIL import Image
    photo = np.asarray(Image.open(os.path.join(HERE, "../../camnet/testdata/photo.png")).convert("RGB"))
    p = (photo.astype(np.float64) / 255 - MEAN) / STD
    p = torch.from_numpy(p.transpose(2, 0, 1).astype(np.float32))
    h, w = p.shape[1:]
    both = F.pad(torch.stack([p, p.flip(-1)]), [0, 96 - w, 0, 96 - h])
    with torch.no_grad():
        e = net(both)[0][..., :(h - 1) // 4 + 1, :(w - 1) // 4 + 1]
        values["photo"] = torch.sigmoid(e[0] / 2 + e[1].flip(-1) / 2)[0]
    params = [[p for n, p in net.named_parameters() if n.startswith(k)] for k in ("fc_edge", "fc_dp")]
    sgd = torch.optim.SGD([{"params": params[0], "lr": LR}, {"params": params[1], "lr": 10 * LR}], lr=LR, weight_decay=1e-4)
    start, log = [LR, 10 * LR], []
    for step in range(STEPS):
        for group, lr in zip(sgd.param_groups, start):
            group["lr"] = lr * (1 - step / STEPS) ** 0.9
        terms = losses(net, x, reduced)
        total = (terms[0] + terms[1]) / 2 + (terms[2] + terms[3]) / 2
        sgd.zero_grad()
        total.backward()
        if step == 0:
            for name in ("fc_edge1.0.weight", "fc_edge3.1.bias", "fc_edge6.bias", "fc_dp5.0.weight", "fc_dp7.3.weight"):
                values["grad/" + name] = dict(net.named_parameters())[name].grad.clone()
        sgd.step()
        log.append([float(t) for t in terms] + [float(total)])
    values["losses"] = torch.tensor(log)
    torch.save({k: v.contiguous() for k, v in values.items()}, os.path.join(HERE, "parity.pth"))
    print(log[0], log[-1])
