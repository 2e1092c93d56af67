#!/usr/bin/env python3
"""Writes what package owl is compared with.

    pip install torch transformers safetensors onnx onnxscript
    python gen_owl.py

owlv2.safetensors    a tiny OWLv2's weights, random, as float16
parity.safetensors   what transformers makes of two made-up photos: the vectors of
                     the patches, the logits of the second photo for queries taken
                     from the first one, and the boxes
optimum.onnx, dynamo.onnx
                     the same network as optimum exports it for zero-shot-object-detection,
                     texts and all: by PyTorch's tracing exporter with open sizes, as optimum
                     does (optimum-onnx, exporters/onnx/model_configs.py, OwlViTOnnxConfig),
                     and by its newer one
"""
import os

import onnx
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

HERE = os.path.dirname(os.path.abspath(__file__))
SIDE, PATCH = 48, 8
QUERIES = [3, 20]  # patches of the first photo


def picture(seed):
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    planes = [((x * (7 + seed) + y * 3 + c * 40 + x * y // 8) % 256).float() / 128 - 1 for c in range(3)]
    return torch.stack(planes)[None]


class Export(torch.nn.Module):
    """The network with optimum's inputs and outputs."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, input_ids, pixel_values, attention_mask):
        out = self.net(input_ids=input_ids, pixel_values=pixel_values, attention_mask=attention_mask)
        return out.logits, out.pred_boxes, out.text_embeds, out.image_embeds


def export(net):
    ids = torch.tensor([[1, 2, 3, 4], [1, 5, 3, 4]])
    given = (ids, picture(0), torch.ones_like(ids))
    names = dict(input_names=["input_ids", "pixel_values", "attention_mask"],
                 output_names=["logits", "pred_boxes", "text_embeds", "image_embeds"], opset_version=18)
    text = {0: "text_batch_size", 1: "sequence_length"}
    torch.onnx.export(Export(net), given, os.path.join(HERE, "optimum.onnx"), dynamo=False, dynamic_axes={
        "input_ids": text, "attention_mask": text,
        "pixel_values": {0: "batch_size", 1: "num_channels", 2: "height", 3: "width"},
        "logits": {0: "image_batch_size", 2: "num_queries"}, "pred_boxes": {0: "image_batch_size", 1: "num_boxes"},
        "text_embeds": {0: "text_batch_size", 1: "max_text_queries"}, "image_embeds": {0: "image_batch_size"}}, **names)
    torch.onnx.export(Export(net), given, os.path.join(HERE, "dynamo.onnx"), dynamo=True, external_data=False, **names)
    slim = onnx.load(os.path.join(HERE, "dynamo.onnx"))
    for one in [slim.graph, *slim.graph.node, *slim.graph.value_info]:
        del one.metadata_props[:]  # where in the source each node was made
    onnx.save(slim, os.path.join(HERE, "dynamo.onnx"))


def main():
    torch.manual_seed(0)
    kw = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2)
    config = hf.Owlv2Config(
        text_config=dict(vocab_size=20, max_position_embeddings=4, **{**kw, "hidden_size": 24}),
        vision_config=dict(image_size=SIDE, patch_size=PATCH, **kw), projection_dim=24)
    net = hf.Owlv2ForObjectDetection(config)
    for name, p in sorted(net.named_parameters()):
        if p.dim() > 1:
            torch.nn.init.normal_(p, std=0.15)
        elif name.endswith("bias"):
            torch.nn.init.normal_(p, std=0.3)
        else:
            torch.nn.init.uniform_(p, 0.5, 1.5)
        p.data = p.data.half().float()
    net.eval()
    net.save_pretrained("/tmp/owl-parity")
    named = load_file("/tmp/owl-parity/model.safetensors")
    save_file({k: v.half() for k, v in named.items()}, os.path.join(HERE, "owlv2.safetensors"))
    with torch.no_grad():
        first, second = (net.image_embedder(picture(s))[0] for s in (0, 5))
        flat = [m.reshape(1, -1, m.shape[-1]) for m in (first, second)]
        vectors = net.class_predictor(flat[0])[1]
        logits, _ = net.class_predictor(flat[1], vectors[:, QUERIES])
        boxes = [net.box_predictor(f, m) for f, m in zip(flat, (first, second))]
    export(net)
    save_file({
        "vectors": torch.nn.functional.normalize(vectors, dim=-1).contiguous(),
        "logits": logits.contiguous(), "boxes.first": boxes[0].contiguous(), "boxes": boxes[1].contiguous(),
    }, os.path.join(HERE, "parity.safetensors"))


if __name__ == "__main__":
    main()
