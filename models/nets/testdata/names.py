"""Writes names.json.gz, the names and shapes of the tensors of published networks, as
their authors' packages make them, without values:

    SWIN=swin.git CLIP=clip.git python names.py    (torch, torchvision, transformers, timm)

SWIN and CLIP are clones of microsoft/Swin-Transformer and openai/CLIP. Microsoft's files hold
{"model": …} with the tables of their windows, OpenAI's are archives of TorchScript whose
three sizes are tensors, too. The cases are those of published_test.go.
"""
import gzip
import json
import os
import re
import subprocess
import sys
import types

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../mask2former/testdata"))

SWIN = {"t": (96, (2, 2, 6, 2), 3, 7), "s": (96, (2, 2, 18, 2), 3, 7), "b": (128, (2, 2, 18, 2), 4, 12), "l": (192, (2, 2, 18, 2), 6, 12)}
LEVELS = ["stage1", "stage2", "stage3", "stage4"]


def hugging_mask2former(size):
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, ResNetConfig, SwinConfig

    if size in SWIN:
        embed, depths, heads, window = SWIN[size]
        backbone = SwinConfig(image_size=384 if window == 12 else 224, embed_dim=embed, depths=list(depths), num_heads=[heads << i for i in range(4)], window_size=window, out_features=LEVELS)
    else:
        backbone = ResNetConfig(depths=[3, 4, 6 if size == "50" else 23, 3], out_features=LEVELS)
    return Mask2FormerForUniversalSegmentation(Mask2FormerConfig(backbone_config=backbone, num_labels=150))


def hugging_dinov2(size, registers):
    from transformers import Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel

    width, depth = {"s": (384, 12), "b": (768, 12), "l": (1024, 24)}[size]
    config, net = (Dinov2WithRegistersConfig, Dinov2WithRegistersModel) if registers else (Dinov2Config, Dinov2Model)
    return net(config(hidden_size=width, num_hidden_layers=depth, num_attention_heads=width // 64, image_size=518, patch_size=14))


def timm(name):
    import timm

    return timm.create_model(name)


def torchvision(name):
    import torchvision

    return torchvision.models.get_model(name)


def authors(clone, path):
    """A module of a clone, at its last commit."""
    code = subprocess.run(["git", "-C", os.environ[clone], "show", "HEAD:" + path], check=True, capture_output=True, text=True).stdout
    module = types.ModuleType(os.path.basename(path)[:-3])
    exec(compile(code, path, "exec"), module.__dict__)
    return module


def microsoft(name):
    """swin_SIZE_WINDOW_SIDE, of so many classes."""
    size, window, side, classes = name.split("_")
    embed, depths, heads, _ = SWIN[size]
    with torch.device("cpu"):  # its constructor reads values
        net = authors("SWIN", "models/swin_transformer.py").SwinTransformer(
            img_size=int(side), embed_dim=embed, depths=list(depths), num_heads=[heads << i for i in range(4)], window_size=int(window), num_classes=int(classes))
    return {"model." + name: t for name, t in net.state_dict().items()}


def openai(name):
    """The numbers are those of the published ViT-B/16, ViT-L/14 and ViT-L/14@336px."""
    embed, side, depth, width, patch, text = {"b16": (512, 224, 12, 768, 16, 512), "l14": (768, 224, 24, 1024, 14, 768), "l14-336": (768, 336, 24, 1024, 14, 768)}[name]
    out = authors("CLIP", "clip/model.py").CLIP(embed, side, depth, width, patch, 77, 49408, text, text // 64, 12).state_dict()
    return out | {size: torch.tensor(0) for size in ("input_resolution", "context_length", "vocab_size")}


def meta(size):
    """Meta's Mask2Former, by the names of gen_pkl.py."""
    import gen_pkl

    class Shape:
        def __init__(self, shape):
            self.shape = shape

    def add(name, *shape, dtype=None):
        gen_pkl.model[name] = Shape(shape)

    gen_pkl.model, gen_pkl.add = {}, add
    vars(gen_pkl).update(CHANNELS=256, ATTENTION=8, CLASSES=150, QUERIES=100, INNER=1024, FFN=2048, ENCODER=6, DECODER=9)
    if size in SWIN:
        gen_pkl.EMBED, gen_pkl.DEPTHS, heads, gen_pkl.WINDOW = SWIN[size]
        gen_pkl.HEADS = [heads << i for i in range(4)]
        gen_pkl.STAGES = [gen_pkl.EMBED << i for i in range(4)]
        gen_pkl.swin()
    else:
        gen_pkl.STAGES = [256 << i for i in range(4)]
        gen_pkl.resnet(int(size))
    gen_pkl.pixel_decoder()
    gen_pkl.predictor(static=False)
    return gen_pkl.model


def tensors(case):
    kind, _, rest = case.partition(":")
    if kind == "meta":
        return meta(rest)
    with torch.device("meta"):
        if kind == "hugging-mask2former":
            return hugging_mask2former(rest).state_dict()
        if kind == "hugging-dinov2":
            return hugging_dinov2(rest[0], rest.endswith("-reg")).state_dict()
        if kind in ("microsoft", "openai"):
            return {"microsoft": microsoft, "openai": openai}[kind](rest)
        return {"timm": timm, "torchvision": torchvision}[kind](rest).state_dict()


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "../published_test.go")) as f:
        cases = re.findall(r'\{"((?:hugging-mask2former|hugging-dinov2|meta|microsoft|openai|timm|torchvision):[^"]+)", "', f.read())
    out = {case: {name: list(t.shape) for name, t in tensors(case).items()} for case in cases}
    with gzip.GzipFile(os.path.join(here, "names.json.gz"), "wb", mtime=0) as f:
        f.write(json.dumps(out, separators=(",", ":")).encode())
