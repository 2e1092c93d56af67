"""Writes meta.pkl, a small Mask2Former with the names and in the form of Meta's
published checkpoints (Detectron2's model zoo): python3 gen_pkl.py

The names are those of the modules of facebookresearch/Mask2Former: D2SwinTransformer,
MSDeformAttnPixelDecoder, MultiScaleMaskedTransformerDecoder and SetCriterion. The
sizes are of the smallest network that has one of each; every value of a tensor is
its place among the tensors.
"""
import os
import pickle

import numpy as np

EMBED, DEPTHS, HEADS, WINDOW = 4, (1, 1, 1, 1), (1, 2, 2, 4), 3
CHANNELS, ATTENTION, LEVELS, POINTS, CLASSES, QUERIES, INNER, FFN, ENCODER, DECODER = 32, 4, 3, 4, 4, 3, 8, 12, 1, 1
STAGES = [EMBED << i for i in range(4)]  # channels of the backbone's maps
model = {}


def add(name, *shape, dtype=np.float32):
    model[name] = np.full(shape, len(model), dtype=dtype)


def affine(name, out, into=None, *kernel):
    add(name + ".weight", *([out] if into is None else [out, into, *kernel]))
    add(name + ".bias", out)


def swin():
    at = "backbone."
    affine(at + "patch_embed.proj", EMBED, 3, 4, 4)
    affine(at + "patch_embed.norm", EMBED)
    for stage in range(4):
        c = EMBED << stage
        for i in range(DEPTHS[stage]):
            b = f"{at}layers.{stage}.blocks.{i}."
            affine(b + "norm1", c)
            add(b + "attn.relative_position_bias_table", (2 * WINDOW - 1) ** 2, HEADS[stage])
            add(b + "attn.relative_position_index", WINDOW**2, WINDOW**2, dtype=np.int64)
            affine(b + "attn.qkv", 3 * c, c)
            affine(b + "attn.proj", c, c)
            affine(b + "norm2", c)
            affine(b + "mlp.fc1", 4 * c, c)
            affine(b + "mlp.fc2", c, 4 * c)
        if stage < 3:
            add(f"{at}layers.{stage}.downsample.reduction.weight", 2 * c, 4 * c)
            affine(f"{at}layers.{stage}.downsample.norm", 4 * c)
    for stage in range(4):
        affine(f"{at}norm{stage}", EMBED << stage)


def resnet(depth):
    """Detectron2's, with frozen batch normalisation."""

    def conv(name, out, into, side):
        add(name + ".weight", out, into, side, side)
        for stat in ("weight", "bias", "running_mean", "running_var"):
            add(f"{name}.norm.{stat}", out)

    at = "backbone."
    conv(at + "stem.conv1", 64, 3, 7)
    into = 64
    for stage, blocks in enumerate({50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}[depth]):
        inner, out = 64 << stage, 256 << stage
        for i in range(blocks):
            b = f"{at}res{stage + 2}.{i}."
            if i == 0:
                conv(b + "shortcut", out, into, 1)
            conv(b + "conv1", inner, into, 1)
            conv(b + "conv2", inner, inner, 3)
            conv(b + "conv3", out, inner, 1)
            into = out


def pixel_decoder():
    at = "sem_seg_head.pixel_decoder."
    for i in range(LEVELS):
        affine(f"{at}input_proj.{i}.0", CHANNELS, STAGES[3 - i], 1, 1)
        affine(f"{at}input_proj.{i}.1", CHANNELS)
    add(at + "transformer.level_embed", LEVELS, CHANNELS)
    for i in range(ENCODER):
        layer = f"{at}transformer.encoder.layers.{i}."
        affine(layer + "self_attn.sampling_offsets", ATTENTION * LEVELS * POINTS * 2, CHANNELS)
        affine(layer + "self_attn.attention_weights", ATTENTION * LEVELS * POINTS, CHANNELS)
        affine(layer + "self_attn.value_proj", CHANNELS, CHANNELS)
        affine(layer + "self_attn.output_proj", CHANNELS, CHANNELS)
        affine(layer + "norm1", CHANNELS)
        affine(layer + "linear1", INNER, CHANNELS)
        affine(layer + "linear2", CHANNELS, INNER)
        affine(layer + "norm2", CHANNELS)
    affine(at + "mask_features", CHANNELS, CHANNELS, 1, 1)
    for name, into, side in (("adapter_1", STAGES[0], 1), ("layer_1", CHANNELS, 3)):
        add(f"{at}{name}.weight", CHANNELS, into, side, side)
        affine(f"{at}{name}.norm", CHANNELS)


def predictor(static):
    at = "sem_seg_head.predictor."
    for i in range(DECODER):
        for kind, module in (("self", "self_attn"), ("cross", "multihead_attn")):
            layer = f"{at}transformer_{kind}_attention_layers.{i}."
            add(f"{layer}{module}.in_proj_weight", 3 * CHANNELS, CHANNELS)
            add(f"{layer}{module}.in_proj_bias", 3 * CHANNELS)
            affine(f"{layer}{module}.out_proj", CHANNELS, CHANNELS)
            affine(layer + "norm", CHANNELS)
        layer = f"{at}transformer_ffn_layers.{i}."
        affine(layer + "linear1", FFN, CHANNELS)
        affine(layer + "linear2", CHANNELS, FFN)
        affine(layer + "norm", CHANNELS)
    affine(at + "decoder_norm", CHANNELS)
    add(at + ("static_query" if static else "query_feat") + ".weight", QUERIES, CHANNELS)
    add(at + "query_embed.weight", QUERIES, CHANNELS)
    add(at + "level_embed.weight", LEVELS, CHANNELS)
    affine(at + "class_embed", CLASSES + 1, CHANNELS)
    for i in range(3):
        affine(f"{at}mask_embed.layers.{i}", CHANNELS, CHANNELS)
    add("criterion.empty_weight", CLASSES + 1)


if __name__ == "__main__":
    swin()
    pixel_decoder()
    predictor(static=False)
    # Of half the tensors half precision, which keeps the file small.
    for name in list(model)[::2]:
        if model[name].dtype == np.float32:
            model[name] = model[name].astype(np.float16)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "meta.pkl"), "wb") as f:
        pickle.dump({"model": model, "__author__": "Meta"}, f, protocol=4)
