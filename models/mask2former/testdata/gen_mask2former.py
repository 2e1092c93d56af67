"""Writes small Mask2Former networks of transformers with random weights, on a
Swin and on a ResNet, and what they give: logits, matching, terms of the loss,
norms of the gradients, and the losses of ten steps of gradient descent.

    python gen_mask2former.py        (torch, transformers, scipy, safetensors)
    python gen_mask2former.py 100    prints the sensitivity of 100 seeds each

NAME.safetensors are the weights as Hugging Face names them, NAME.parity.safetensors
what the network gives, NAME.json the rest. Points are no random numbers but those
of points(), the same for all masks, so that they need not be stored.
"""
import json
import os
import shutil
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, ResNetConfig, SwinConfig
from transformers.models.mask2former import modeling_mask2former as m2f

random = torch.rand
POINTS, CLASSES, SIDE = 112, 4, (64, 80)


def points(n):
    i = torch.arange(1, n + 1, dtype=torch.float64)
    x = (i * 0.7548776662466927 + n * 0.137) % 1
    y = (i * 0.5698402909980532 + n * 0.271) % 1
    return torch.stack([x, y], -1).float()


def rand(*shape, device=None):
    assert shape[-1] == 2
    return points(shape[-2]).expand(*shape).contiguous()


def picture(h, w):
    y, x, c = torch.meshgrid(torch.arange(h), torch.arange(w), torch.arange(3), indexing="ij")
    one = (((x * 7 + y * 3 + c * 40 + x * y // 8) % 256) / 128.0 - 1).permute(2, 0, 1)
    return torch.stack([one, one.flip(-1)])


def labels(h, w):
    """Classes 0, 1 and 3 in the first image, 2 and 0 in the second."""
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    first = torch.zeros(h, w, dtype=torch.long)
    first[10:40, 20:60] = 3
    first[(y - 45) ** 2 + (x - 20) ** 2 < 200] = 1
    second = torch.full((h, w), 2)
    second[(x + y) % 97 > 50] = 0
    return torch.stack([first, second])


def network(backbone, seed):
    torch.manual_seed(seed)
    config = Mask2FormerConfig(
        backbone_config=backbone, feature_size=32, mask_feature_size=32, hidden_dim=32, encoder_feedforward_dim=24,
        dim_feedforward=40, encoder_layers=2, decoder_layers=4, num_attention_heads=4, num_queries=12, num_labels=CLASSES,
        train_num_points=POINTS)
    net = Mask2FormerForUniversalSegmentation(config).eval()
    for k, p in net.named_parameters():
        if p.dim() > 1:
            p.data = torch.randn_like(p) * min(1.5 / (p[0].numel() ** 0.5), 0.5)
        elif "norm" in k and k.endswith("weight"):
            p.data = 1 + 0.1 * torch.randn_like(p)
        else:
            p.data = 0.1 * torch.randn_like(p)
        if "sampling_offsets.bias" in k:
            p.data = 1.5 * torch.randn_like(p)
    for k, b in net.named_buffers():
        if k.endswith("running_mean"):
            b.data = 0.1 * torch.randn_like(b)
        if k.endswith("running_var"):
            b.data = 1 + 0.3 * torch.rand(b.shape)
    return net


def losses_and_norms(net):
    """The loss and the norms of its gradients, in one row."""
    x, y = picture(*SIDE), labels(*SIDE)
    class_labels = [torch.unique(l) for l in y]
    mask_labels = [torch.stack([(l == c).float() for c in cs]) for l, cs in zip(y, class_labels)]
    net.zero_grad()
    torch.rand = rand
    loss = net(pixel_values=x, mask_labels=mask_labels, class_labels=class_labels, output_auxiliary_logits=True).loss
    torch.rand = random
    loss.backward()
    return torch.stack([loss.detach()] + [p.grad.norm() for p in net.parameters() if p.grad is not None])


def sensitivity(net):
    """The largest change of what losses_and_norms gives, of 1 or more, when weights
    change by rounding: large where a value lies at the corner of a ReLU, at the
    border of a pixel that is sampled, or at that of a mask."""
    want, old = losses_and_norms(net), [p.data.clone() for p in net.parameters()]
    worst = 0.0
    for trial in range(12):
        torch.manual_seed(trial)
        for p, o in zip(net.parameters(), old):
            p.data = o * (1 + 3e-6 * torch.randn_like(o))
        worst = max(worst, float(((losses_and_norms(net) - want).abs() / want.clamp(min=1)).max()))
    for p, o in zip(net.parameters(), old):
        p.data = o
    return worst


def one(name, backbone, seed):
    net = network(backbone, seed)
    net.save_pretrained("/tmp/gen_m2f")
    save_file(load_file("/tmp/gen_m2f/model.safetensors"), name + ".safetensors")
    shutil.rmtree("/tmp/gen_m2f")

    x, y = picture(*SIDE), labels(*SIDE)
    class_labels = [torch.unique(l) for l in y]
    mask_labels = [torch.stack([(l == c).float() for c in cs]) for l, cs in zip(y, class_labels)]
    matches = []
    plain = net.criterion.matcher.forward

    def matcher(*args, **kw):
        out = plain(*args, **kw)
        matches.append([sorted([int(class_labels[b][j]), int(i)] for i, j in zip(*pair)) for b, pair in enumerate(out)])
        return out

    net.criterion.matcher.forward = matcher
    torch.rand = rand
    out = net(pixel_values=x, mask_labels=mask_labels, class_labels=class_labels, output_auxiliary_logits=True)
    terms = net.get_loss_dict(out.masks_queries_logits, out.class_queries_logits, mask_labels, class_labels, out.auxiliary_logits)
    order = matches[: len(matches) // 2]
    order = order[1:] + order[:1]  # as the layers come
    out.loss.backward()
    want = {"classes": torch.stack([a["class_queries_logits"] for a in out.auxiliary_logits] + [out.class_queries_logits]),
            "masks": torch.stack([a["masks_queries_logits"] for a in out.auxiliary_logits] + [out.masks_queries_logits]).permute(0, 1, 3, 4, 2)}
    masks = torch.nn.functional.interpolate(out.masks_queries_logits, size=SIDE, mode="bilinear", align_corners=False)
    semantic = torch.einsum("bqc,bqhw->bhwc", out.class_queries_logits.softmax(-1)[..., :-1], masks.sigmoid())
    want["semantic"] = semantic[:, ::4, ::4]
    save_file({k: v.detach().contiguous() for k, v in want.items()}, name + ".parity.safetensors")
    norms = {k: float(p.grad.norm()) for k, p in net.named_parameters() if p.grad is not None}
    layers = len(order)
    keys = [f"_{i}" for i in range(layers - 1)] + [""]
    info = {"matching": order, "loss": float(out.loss), "norms": norms,
            "class": [float(terms["loss_cross_entropy" + k]) for k in keys],
            "mask": [float(terms["loss_mask" + k]) for k in keys], "dice": [float(terms["loss_dice" + k]) for k in keys]}
    steps = []
    frozen = [k for k, _ in net.named_modules() if "normalization" in k]
    params = [p for k, p in net.named_parameters() if not any(k.startswith(f + ".") for f in frozen)]
    sgd = torch.optim.SGD(params, lr=0.00002)
    for _ in range(10):
        sgd.zero_grad()
        loss = net(pixel_values=x, mask_labels=mask_labels, class_labels=class_labels).loss
        loss.backward()
        sgd.step()
        steps.append(float(loss))
    info["steps"] = steps
    torch.rand = random
    json.dump(info, open(name + ".json", "w"), indent=0)
    print(name, os.path.getsize(name + ".safetensors"), os.path.getsize(name + ".parity.safetensors"), info["class"], info["mask"], info["dice"], order, steps)


features = ["stage1", "stage2", "stage3", "stage4"]
backbones = {
    "swin": SwinConfig(embed_dim=4, depths=[2, 2, 2, 1], num_heads=[1, 2, 2, 4], window_size=3, drop_path_rate=0.0, out_features=features),
    "resnet": ResNetConfig(embedding_size=4, hidden_sizes=[4, 8, 16, 32], depths=[2, 2, 2, 2], layer_type="basic", out_features=features)}
if len(sys.argv) > 1:
    for name, backbone in backbones.items():
        for seed in range(int(sys.argv[1])):
            print(name, seed, "%.1e" % sensitivity(network(backbone, seed)), flush=True)
else:
    one("swin", backbones["swin"], 114)  # 1.9e-4, of seeds up to 125
    one("resnet", backbones["resnet"], 69)  # 7.8e-5, of seeds up to 99
