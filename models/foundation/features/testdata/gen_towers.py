#!/usr/bin/env python3
"""Writes what package features is compared with: exports of image towers as the
manifest's rows have them, tiny and with random weights, and what transformers
makes of a made-up photo with them.

    pip install torch transformers onnx safetensors
    python gen_towers.py

siglip2.onnx         SigLIP 2 at one size: pixel_values → last_hidden_state
radio.onnx           C-RADIO: pixel_values → features
dinov3.onnx          DINOv3: pixel_values → last_hidden_state, class token and registers first
towers.safetensors   the patches' features of each, [1, patches, channels]
"""
import os

import torch
import transformers as hf
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
KW = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2)
H, W = 32, 48
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def picture(h, w):
    """Bytes, as a photo has them."""
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    return torch.stack([((x * 7 + y * 3 + c * 40 + x * y // 8) % 256).float() for c in range(3)])[None] / 255


def shake(net):
    for name, p in sorted(net.named_parameters()):
        if p.dim() > 1:
            torch.nn.init.normal_(p, std=0.15)
        elif name.endswith("bias"):
            torch.nn.init.normal_(p, std=0.3)
        else:
            torch.nn.init.uniform_(p, 0.5, 1.5)
    return net.eval()


class Only(torch.nn.Module):
    """The one output of a network that the row names."""

    def __init__(self, net, name):
        super().__init__()
        self.net, self.name = net, name

    def forward(self, pixel_values):
        return getattr(self.net(pixel_values=pixel_values), self.name)


@torch.no_grad()
def main():
    torch.manual_seed(0)
    out = {}
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    nets = {
        "siglip2": (hf.SiglipVisionModel(hf.SiglipVisionConfig(image_size=W, patch_size=8, intermediate_size=64, **KW)), "last_hidden_state", (picture(W, W) - 0.5) / 0.5, 0),
        "radio": (hf.RadioModel(hf.RadioConfig(image_size=W, patch_size=8, max_img_size=96, mlp_ratio=2.0, **KW)), "features", picture(H, W), 0),
        "dinov3": (hf.DINOv3ViTModel(hf.DINOv3ViTConfig(image_size=W, patch_size=8, intermediate_size=64, num_register_tokens=4, **KW)), "last_hidden_state", (picture(H, W) - mean) / std, 5),
    }
    for kind, (net, output, pixels, prefix) in nets.items():
        net = Only(shake(net), output).eval()
        torch.onnx.export(net, (pixels,), os.path.join(HERE, kind + ".onnx"), input_names=["pixel_values"], output_names=[output],
                          dynamic_axes={"pixel_values": {0: "batch"}, output: {0: "batch"}}, opset_version=17, dynamo=False)
        out[kind] = net(pixels)[:, prefix:].contiguous().clone()
    save_file(out, os.path.join(HERE, "towers.safetensors"))


if __name__ == "__main__":
    main()
