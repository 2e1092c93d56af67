"""Writes what ReCAM's loss and maps are compared with.

    python gen_recam.py        # PyTorch 2.13, torchvision

The network and parity.pth's images and tags are those of gen_camnet.py; class
features, second classifier and losses as in ReCAM's net/resnet50_cam.py and
step/train_recam.py (docs/sources.md §11.6).

recam.pth     the second classifier, its logits, the loss, gradients, maps
"""
import os

import torch
import torch.nn as nn
import torch.nn.functional as F

from gen_camnet import CLASSES, HERE, build

if __name__ == "__main__":
    net = build()
    given = torch.load(os.path.join(HERE, "parity.pth"))
    x, y = given["images"].permute(0, 3, 1, 2), given["targets"]
    torch.manual_seed(5)
    second = nn.Conv2d(net.classifier.in_channels, CLASSES, 1, bias=False)
    f = net.features(x)
    logits = net.classifier(f.mean((2, 3), keepdim=True)).flatten(1)
    maps = F.relu(net.classifier(f))
    maps = maps / (F.adaptive_max_pool2d(maps, 1) + 1e-5)
    of = (maps.unsqueeze(2) * f.unsqueeze(1)).flatten(3).mean(-1)  # [batch, class, channel]
    loss_ce = 0
    outs = []
    for i in range(len(x)):
        present = torch.nonzero(y[i]).squeeze(1)
        out = second(of[i][:, :, None, None]).flatten(1)
        outs.append(out)
        loss_ce = loss_ce + F.cross_entropy(out[present], present)
    loss = F.multilabel_soft_margin_loss(logits, y) + loss_ce / len(x)
    loss.backward()
    values = {"second": second.weight.data, "of_classes": torch.stack(outs).detach(), "loss": loss.detach()[None]}
    for name in ("resnet50.layer4.2.conv3.weight", "classifier.weight"):
        values["grad/" + name] = dict(net.named_parameters())[name].grad
    values["grad/recam.weight"] = second.weight.grad
    with torch.no_grad():
        values["maps"] = F.relu(F.conv2d(net.features(x), second.weight * net.classifier.weight)).permute(0, 2, 3, 1)
    torch.save({k: v.contiguous() for k, v in values.items()}, os.path.join(HERE, "recam.pth"))
    print(float(loss))
