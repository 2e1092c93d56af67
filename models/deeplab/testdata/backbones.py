"""wide ResNet-38 and VGG-16 in PyTorch, by docs/sources.md §11.7 and §11.8, with
psa's module names; width scales all channels."""
import numpy as np
import torch.nn as nn
import torch.nn.functional as F


class Plain(nn.Module):
    def __init__(self, i, mid, out, stride, first, dilation):
        super().__init__()
        self.same = i == out and stride == 1
        self.bn_branch2a = nn.BatchNorm2d(i)
        self.conv_branch2a = nn.Conv2d(i, mid, 3, stride, first, first, bias=False)
        self.bn_branch2b1 = nn.BatchNorm2d(mid)
        self.conv_branch2b1 = nn.Conv2d(mid, out, 3, 1, dilation, dilation, bias=False)
        if not self.same:
            self.conv_branch1 = nn.Conv2d(i, out, 1, stride, bias=False)

    def forward(self, x):
        seen = F.relu(self.bn_branch2a(x))
        y = self.conv_branch2b1(F.relu(self.bn_branch2b1(self.conv_branch2a(seen))))
        return y + (x if self.same else self.conv_branch1(seen)), seen


class Bottleneck(nn.Module):
    def __init__(self, i, quarter, half, out, stride, dilation):
        super().__init__()
        self.bn_branch2a = nn.BatchNorm2d(i)
        self.conv_branch2a = nn.Conv2d(i, quarter, 1, stride, bias=False)
        self.bn_branch2b1 = nn.BatchNorm2d(quarter)
        self.conv_branch2b1 = nn.Conv2d(quarter, half, 3, 1, dilation, dilation, bias=False)
        self.bn_branch2b2 = nn.BatchNorm2d(half)
        self.conv_branch2b2 = nn.Conv2d(half, out, 1, bias=False)
        self.conv_branch1 = nn.Conv2d(i, out, 1, stride, bias=False)

    def forward(self, x):
        seen = F.relu(self.bn_branch2a(x))
        y = self.conv_branch2b1(F.relu(self.bn_branch2b1(self.conv_branch2a(seen))))
        return self.conv_branch2b2(F.relu(self.bn_branch2b2(y))) + self.conv_branch1(seen), seen


class WRN38(nn.Module):
    """late: the first dilated block keeps the dilation before it, as psa's."""

    def __init__(self, width, output_stride=8, late=True, **_):
        super().__init__()
        ch = lambda c: max(1, int(np.floor(c * width + 0.5)))
        self.conv1a = nn.Conv2d(3, ch(64), 3, padding=1, bias=False)
        i, reached, dilation = ch(64), 1, 1
        self.order = []
        for g, (n, mid, out) in enumerate([(3, 128, 128), (3, 256, 256), (6, 512, 512), (3, 512, 1024), (1, 512, 2048), (1, 1024, 4096)]):
            stride, before = 1, dilation
            if g < 5:
                if reached < max(8, output_stride):
                    stride, reached = 2, reached * 2
                else:
                    dilation *= 2
            for k in range(n):
                name = "b%d" % (g + 2) + ("_%d" % k if k else "")
                s = stride if k == 0 else 1
                if g < 4:
                    first = before if late and k == 0 else dilation
                    b = Plain(i, ch(mid), ch(out), s, first, dilation)
                else:
                    b = Bottleneck(i, ch(mid), ch(out // 2), ch(out), s, dilation)
                self.add_module(name, b)
                self.order.append(name)
                i = ch(out)
        self.bn7 = nn.BatchNorm2d(i)
        self.channels = [ch(256), ch(512), ch(1024), ch(4096)]

    def stages(self, x):
        x = self.conv1a(x)
        seen = {}
        for name in self.order:
            x, seen[name] = self._modules[name](x)
        return [seen["b4"], seen["b5"], seen["b6"], F.relu(self.bn7(x))]

    def forward(self, x):
        s = self.stages(x)
        return s[0], s[3]


class VGG16(nn.Module):
    """fc6 None: DeepLab-LargeFOV's, with its pools; else its dilation as psa's."""

    def __init__(self, width, output_stride=8, ceil=False, fc6=None, **_):
        super().__init__()
        ch = lambda c: max(1, int(np.floor(c * width + 0.5)))
        self.ceil, self.large, i, reached, dilation = ceil, fc6 is None, 3, 1, 1
        self.plan = []
        for g, (n, c) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]):
            for k in range(n):
                name = "conv%d_%d" % (g + 1, k + 1)
                self.add_module(name, nn.Conv2d(i, ch(c), 3, padding=dilation, dilation=dilation))
                self.plan.append(name)
                i = ch(c)
            if g < 4:
                if reached < max(8, output_stride):
                    self.plan.append("halve")
                    reached *= 2
                else:
                    self.plan.append("keep")
                    dilation *= 2
        rate = 12 * 8 // output_stride if fc6 is None else fc6
        self.fc6 = nn.Conv2d(i, ch(1024), 3, padding=rate, dilation=rate)
        self.fc7 = nn.Conv2d(ch(1024), ch(1024), 1)
        self.channels = [ch(256), ch(512), ch(512), ch(1024)]

    def stages(self, x):
        out = []
        for name in self.plan:
            if name == "halve":
                x = F.max_pool2d(x, 3, 2, 1, ceil_mode=self.ceil)
            elif name == "keep":
                x = F.max_pool2d(x, 3, 1, 1)
            else:
                x = F.relu(self._modules[name](x))
                if name in ("conv3_3", "conv4_3", "conv5_3"):
                    out.append(x)
        if self.large:
            x = F.avg_pool2d(F.max_pool2d(x, 3, 1, 1), 3, 1, 1)
        return out + [F.relu(self.fc7(F.relu(self.fc6(x))))]

    def forward(self, x):
        s = self.stages(x)
        return s[0], s[3]
