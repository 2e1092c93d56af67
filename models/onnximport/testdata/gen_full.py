"""Exports networks of the real size, random weights, from the definitions that
the tiny members of ../../foundation/zoo are made of.

    python3 gen_full.py DIR sam_decoder|gdino

Each NAME.onnx goes with NAME.json: the inputs to run it with.
"""
import json
import os
import sys

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "foundation", "zoo"))
from nets import gdino, onnxout, sam  # noqa: E402


def port(dims, kind="float32", values=None):
    p = {"dims": dims, "type": kind}
    if values is not None:
        p["values"] = values
    return p


def sam_net():
    return sam.SAM(sam.Config(img_size=1024, patch=16, dim=768, heads=12, depth=0, global_at=(), window=14, embed=256,
                              decoder_mlp=2048, decoder_heads=8, mask_channels=16))


def gdino_net():
    return gdino.GroundingDINO(gdino.Config(
        side=800, dim=96, depths=(2, 2, 6, 2), heads=(3, 6, 12, 24), window=7, hidden=256, layers=6,
        nheads=8, points=4, ffn=2048, queries=900, text_layers=12, vocab=30522, max_text=256))


# What the files compute, to run in PyTorch.
NETWORKS = {"sam_decoder": lambda: sam.MetaDecoder(sam_net()), "gdino": lambda: gdino.Native(gdino_net())}


def sam_decoder(folder):
    sam.export(sam_net(), folder)
    os.remove(os.path.join(folder, "sam_encoder.onnx"))
    return {
        "image_embeddings": port([1, 256, 64, 64]),
        "point_coords": port([1, 5, 2], values=[100, 200, 300.5, 400, 20, 30, 700, 800, 0, 0]),
        "point_labels": port([1, 5], values=[1, 0, 2, 3, -1]),
        "mask_input": port([1, 1, 256, 256]),
        "has_mask_input": port([1], values=[1]),
        "orig_im_size": port([2], values=[375, 500]),
    }


def gdino_full(folder):
    if not onnxout.DYNAMO:
        onnxout.without_shape_inference()
    gdino.export(gdino_net(), folder, fold=False)
    n = 9
    eye = [int(i == j) for i in range(n) for j in range(n)]
    return {
        "img": port([1, 3, 800, 800]),
        "input_ids": port([1, n], "int64", [101, 4937, 1012, 3899, 1012, 2158, 1012, 102, 0]),
        "attention_mask": port([1, n], "bool", [1] * 8 + [0]),
        "position_ids": port([1, n], "int64", [0, 0, 1, 0, 1, 0, 1, 0, 0]),
        "token_type_ids": port([1, n], "int64", [0] * n),
        "text_token_mask": port([1, n, n], "bool", eye),
    }


if __name__ == "__main__":
    folder, name = sys.argv[1], sys.argv[2]
    torch.manual_seed(1)
    with torch.no_grad():
        spec = {"sam_decoder": sam_decoder, "gdino": gdino_full}[name](folder)
    with open(os.path.join(folder, name + ".json"), "w") as f:
        json.dump(spec, f)
