#!/usr/bin/python3
"""Writes checkpoints under the names of the usual repositories into a folder,
and what the networks in them compute: gen_weights.py FOLDER [full]

The networks are those of gen_parity.py, so that their logits are in
parity.json; torchvision's own ResNets come with the mean of every channel of
their last stage.
"""
import json
import re
import sys

sys.dont_write_bytecode = True
import torch
import torchvision

import gen_parity

MODULES = {"conv1": ("reduce", "conv"), "bn1": ("reduce", "bn"), "conv2": ("conv3x3", "conv"), "bn2": ("conv3x3", "bn"),
           "conv3": ("increase", "conv"), "bn3": ("increase", "bn"),
           "downsample.0": ("shortcut", "conv"), "downsample.1": ("shortcut", "bn")}


def caffe(name):
    """The name in deeplab-pytorch."""
    name = name.replace("backbone.", "")
    m = re.match(r"layer(\d)\.(\d+)\.(downsample\.\d|\w+)\.(\w+)$", name)
    if m:
        part, kind = MODULES[m[3]]
        return "layer%d.block%d.%s.%s.%s" % (int(m[1]) + 1, int(m[2]) + 1, part, kind, m[4])
    return re.sub(r"^bn1", "layer1.conv1.bn", re.sub(r"^conv1", "layer1.conv1.conv", name))


def isht7(name):
    return "Scale." + name.replace("backbone.", "").replace("aspp.c", "layer5.conv2d_list.")


def jfz(name):
    """The name in pytorch-deeplab-xception."""
    name = re.sub(r"^classifier\.aspp\.convs\.([0-3])\.0", lambda m: "aspp.aspp%d.atrous_conv" % (int(m[1]) + 1), name)
    name = re.sub(r"^classifier\.aspp\.convs\.([0-3])\.1", lambda m: "aspp.aspp%d.bn" % (int(m[1]) + 1), name)
    for a, b in (("aspp.convs.4", "aspp.global_avg_pool"), ("aspp.project.0", "aspp.conv1"), ("aspp.project.1", "aspp.bn1"),
                 ("project.0", "decoder.conv1"), ("project.1", "decoder.bn1"), ("classifier", "decoder.last_conv")):
        if name.startswith("classifier." + a + "."):
            return name.replace("classifier." + a, b, 1)
    return name


def main(folder, full):
    small = gen_parity.CASES[1]
    state = gen_parity.build(small).state_dict()
    torch.save({"module.base." + caffe(k): v for k, v in state.items()}, folder + "/caffe.pth")
    torch.save({isht7(k): v for k, v in state.items()}, folder + "/isht7.pth", _use_new_zipfile_serialization=False)
    head = {k: v for k, v in state.items() if "aspp" not in k}
    torch.save({caffe(k): v for k, v in head.items()}, folder + "/headless.pth")
    state = gen_parity.build(gen_parity.CASES[4]).state_dict()
    torch.save({"epoch": 1, "model_state": state, "optimizer_state": {"state": {0: {"momentum_buffer": torch.ones(2)}}}},
               folder + "/v3plus.pth")
    state = gen_parity.build(gen_parity.CASES[14]).state_dict()
    torch.save({"epoch": 1, "state_dict": {jfz(k): v for k, v in state.items()}, "best_pred": 0.5}, folder + "/multigrid.pth")

    depth, dilated = (101, [False, True, True]) if full else (18, None)
    torch.manual_seed(0)
    net = getattr(torchvision.models, "resnet%d" % depth)(replace_stride_with_dilation=dilated)
    for name, b in net.named_buffers():  # running statistics that are not the initial ones
        if name.endswith("running_mean"):
            b.data.copy_(torch.randn_like(b) * 0.1)
        elif name.endswith("running_var"):
            b.data.copy_(1 + torch.rand_like(b))
    torch.save(net.state_dict(), folder + "/torchvision.pth")
    net.eval()
    with torch.no_grad():
        x = gen_parity.uniform("image", (1, 97, 129, 3)).permute(0, 3, 1, 2).contiguous() * 2
        x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
        x = net.layer4(net.layer3(net.layer2(net.layer1(x))))
    with open(folder + "/torchvision.json", "w") as f:
        json.dump({"depth": depth, "output_stride": 8 if full else 32, "shape": list(x.shape), "means": x.mean((0, 2, 3)).tolist(),
                   "max": float(x.abs().max())}, f)


if __name__ == "__main__":
    torch.set_num_threads(2)
    main(sys.argv[1], sys.argv[2:] == ["full"])
