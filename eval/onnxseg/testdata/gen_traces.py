"""Writes segmenters of transformers with few, random weights as ONNX, traced as transformers'
and optimum's exports are, and the label maps that the same networks give in PyTorch:

    python gen_traces.py    (torch, transformers, onnx, onnxruntime, safetensors)

NAME.onnx.gz has a SegFormer, a MaskFormer on Swin, a Mask2Former on Swin and an EoMT on a ViT.
labels.safetensors has NAME.HxW: the class of each pixel of picture(H, W), padded with the mean
colour to multiples of 32, 255 where two classes are about as likely.
"""
import gzip
import os
import sys
import tempfile
import warnings

import onnxruntime
import torch
from safetensors.torch import save_file
from transformers import (
    EomtConfig, EomtForUniversalSegmentation, Mask2FormerConfig, Mask2FormerForUniversalSegmentation, MaskFormerConfig, MaskFormerForInstanceSegmentation,
    SegformerConfig, SegformerForSemanticSegmentation, SwinConfig,
)

warnings.filterwarnings("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
CLASSES = 4
CLOSE = 1e-3  # of the highest score


def picture(h, w):
    """Three rectangles on a ramp, bytes [h, w, 3]; traces_test.go makes the same."""
    y, x, c = torch.meshgrid(torch.arange(h), torch.arange(w), torch.arange(3), indexing="ij")
    out = (x * 90 // w + y * 60 // h + c * 30)
    for i, (x0, y0, x1, y1) in enumerate([(1, 1, 5, 6), (6, 2, 11, 5), (3, 7, 9, 11)]):
        inside = (x * 12 >= x0 * w) & (x * 12 < x1 * w) & (y * 12 >= y0 * h) & (y * 12 < y1 * h)
        out = torch.where(inside, torch.where(c == i, 240, 20 + 10 * i), out)
    return out.to(torch.uint8)


def pixels(h, w):
    """picture as the networks take it, padded."""
    x = picture(h, w).permute(2, 0, 1)[None].float() / 255
    x = (x - MEAN) / STD
    return torch.nn.functional.pad(x, (0, -w % 32, 0, -h % 32))


def swin():
    return SwinConfig(embed_dim=4, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=4, drop_path_rate=0.0, mlp_ratio=2.0, out_features=["stage1", "stage2", "stage3", "stage4"])


def segformer():
    return SegformerForSemanticSegmentation(SegformerConfig(
        depths=[1, 1, 1, 1], hidden_sizes=[8, 8, 16, 16], num_attention_heads=[1, 1, 2, 2], mlp_ratios=[2, 2, 2, 2], decoder_hidden_size=16, num_labels=CLASSES))


def maskformer():
    from transformers import DetrConfig

    detr = DetrConfig(d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, num_queries=6)
    return MaskFormerForInstanceSegmentation(MaskFormerConfig(fpn_feature_size=32, mask_feature_size=32, backbone_config=swin(), decoder_config=detr, num_labels=CLASSES))


def mask2former():
    return Mask2FormerForUniversalSegmentation(Mask2FormerConfig(
        backbone_config=swin(), feature_size=32, mask_feature_size=32, hidden_dim=32, encoder_feedforward_dim=16, encoder_layers=1, decoder_layers=2,
        num_attention_heads=2, dim_feedforward=16, num_queries=6, num_labels=CLASSES))


def eomt():
    return EomtForUniversalSegmentation(EomtConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=64, patch_size=8, num_blocks=1, num_upscale_blocks=1, num_queries=6,
        num_register_tokens=1, num_labels=CLASSES))


def randomise(net, seed):
    """Weights so large that there is something to see."""
    r = torch.Generator().manual_seed(seed)
    for name, p in net.named_parameters():
        if p.dim() > 1:
            fan = p[0].numel()
            p.data = torch.randn(p.shape, generator=r) * (1.4 / fan ** 0.5)
        else:
            p.data = p.data + 0.1 * torch.randn(p.shape, generator=r)
        if "quer" in name and "embed" in name:
            p.data *= 4
        if name.startswith(("class_predictor", "decode_head.classifier")):
            p.data *= 3
        p.data = p.data.bfloat16().float()  # which gzip makes half as large
    if hasattr(net, "class_predictor"):  # each class is that of some query
        with torch.no_grad():
            classes = net.eval()(pixels(64, 64)).class_queries_logits[0]
        net.class_predictor.bias.data = (net.class_predictor.bias.data - classes.mean(0)).bfloat16().float()
    return net.eval()


class Outputs(torch.nn.Module):
    """The outputs of a network that an export has."""

    def __init__(self, net, names):
        super().__init__()
        self.net, self.names = net, names

    def forward(self, pixel_values):
        out = self.net(pixel_values=pixel_values)
        return tuple(getattr(out, n) for n in self.names)


QUERIES = ["class_queries_logits", "masks_queries_logits"]
NETS = {  # how it is made, its outputs, the sizes of pictures; one size: the file takes no other
    "segformer": (segformer, ["logits"], [(64, 96), (50, 70)]),
    "maskformer": (maskformer, QUERIES, [(64, 96), (50, 70)]),
    "mask2former": (mask2former, QUERIES, [(64, 96), (50, 70)]),
    "eomt": (eomt, QUERIES, [(64, 64)]),
}


def scores(outputs, h, w, size):
    """Of each class, [classes, h, w], of the photo: as the authors' code makes them."""
    def resize(x):
        return torch.nn.functional.interpolate(x, size=size, mode="bilinear", align_corners=False)

    if len(outputs) == 1:
        s = resize(outputs[0])[0].softmax(0)
    else:
        s = torch.einsum("qc,qhw->chw", outputs[0][0].softmax(-1)[:, :-1], resize(outputs[1])[0].sigmoid())
    return s[:, :h, :w]


def labels(s):
    best = s.topk(2, 0)
    out = best.indices[0].to(torch.uint8)
    out[best.values[0] - best.values[1] < CLOSE * best.values[0]] = 255
    return out


def main(only):
    kept = {}
    for name, (make, outputs, sizes) in NETS.items():
        if only and name not in only:
            continue
        for seed in range(200):
            net = Outputs(randomise(make(), seed), outputs)
            with torch.no_grad():
                maps = [labels(scores(net(pixels(*s)), *s, pixels(*s).shape[2:])) for s in sizes]
            if all((torch.bincount(m.flatten(), minlength=CLASSES)[:CLASSES] > m.numel() // 10).sum() >= 2 and (m == 255).float().mean() < 0.01 for m in maps):
                break
        else:
            sys.exit(f"{name}: no seed gives two classes")
        path = os.path.join(tempfile.mkdtemp(), name + ".onnx")
        axes = {"pixel_values": {0: "batch_size", 1: "num_channels", 2: "height", 3: "width"}} if len(sizes) > 1 else None
        torch.onnx.export(net, (pixels(*sizes[0]),), path, input_names=["pixel_values"], output_names=outputs, dynamic_axes=axes, opset_version=17, dynamo=False)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        for s, m in zip(sizes, maps):
            got = [torch.from_numpy(v) for v in session.run(None, {"pixel_values": pixels(*s).numpy()})]
            same = labels(scores(got, *s, pixels(*s).shape[2:]))
            print(name, s, "seed", seed, "classes", torch.bincount(m.flatten(), minlength=256)[[*range(CLASSES), 255]].tolist(), "pixels that differ in ONNX Runtime", int((same != m).sum()))
            kept[f"{name}.{s[0]}x{s[1]}"] = m
        with open(path, "rb") as f, gzip.GzipFile(os.path.join(HERE, name + ".onnx.gz"), "wb", mtime=0) as z:
            z.write(f.read())
    save_file(kept, os.path.join(HERE, "labels.safetensors"))


if __name__ == "__main__":
    main(sys.argv[1:])
