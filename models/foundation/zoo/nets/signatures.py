"""The other signatures that SAM is published in (docs/sources.md §3.4, §3.4b), over
the same network: Hugging Face's pair, EfficientSAM's pair, and Meta's decoder
that returns a single mask. Used for small test files with random weights."""
import os

import torch
from torch import nn
from torch.nn import functional as F

from . import onnxout, sam
from .compact import compact


class HFVision(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        positions = self.model.prompts.dense_positions()
        return self.model.encoder(pixel_values), positions.repeat(pixel_values.shape[0], 1, 1, 1)


class HFDecoder(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, image_embeddings, image_positional_embeddings, input_points, input_labels):
        b, p = input_points.shape[:2]
        points = torch.cat([input_points, torch.zeros(b, p, 1, 2)], 2).flatten(0, 1)
        labels = torch.cat([input_labels, -torch.ones(b, p, 1, dtype=torch.int64)], 2).flatten(0, 1)
        prompts = self.model.prompts
        dense = prompts.no_mask.reshape(1, -1, 1, 1)
        low, iou = self.model.decoder(image_embeddings, image_positional_embeddings[:1], prompts.points(points, labels), dense)
        side = low.shape[-1]
        return iou[:, 1:].view(b, p, 3), low[:, 1:].reshape(b, p, 3, side, side)


class EfficientEncoder(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def forward(self, batched_images):
        side = self.model.cfg.img_size
        x = F.interpolate(batched_images, (side, side), mode="bilinear", align_corners=False)
        return self.model.encoder((x - self.mean) / self.std)


class EfficientDecoder(nn.Module):
    most = 6

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, image_embeddings, batched_point_coords, batched_point_labels, orig_im_size):
        b, q, n = batched_point_coords.shape[:3]
        side = self.model.cfg.img_size
        h, w = orig_im_size[0], orig_im_size[1]
        x, y = batched_point_coords[..., 0], batched_point_coords[..., 1]
        gone = torch.tensor(-1.0)
        points = torch.stack([torch.where(x >= 0, x * side / w, gone), torch.where(y >= 0, y * side / h, gone)], -1)
        points = F.pad(points, (0, 0, 0, self.most - n), value=-1.0).flatten(0, 1)
        labels = F.pad(batched_point_labels, (0, self.most - n), value=-1.0).flatten(0, 1)
        prompts = self.model.prompts
        dense = prompts.no_mask.reshape(1, -1, 1, 1)
        low, iou = self.model.decoder(image_embeddings, prompts.dense_positions(), prompts.points(points, labels), dense)
        out = F.interpolate(low[:, 1:], (h, w), mode="bicubic", align_corners=False)
        return out.view(b, q, 3, h, w), iou[:, 1:].view(b, q, 3)


def export(out):
    """Writes the test files: one network, four signatures."""
    torch.manual_seed(3)
    cfg = sam.Config(img_size=64, patch=16, dim=16, heads=2, depth=2, global_at=(1,), window=3, embed=16, decoder_mlp=16,
                     decoder_heads=2, mask_channels=8)
    model = sam.SAM(cfg).eval()
    for p in model.parameters():
        p.data += torch.randn_like(p) * 0.1
    g, low = cfg.grid, 4 * cfg.grid
    image, emb = torch.zeros(1, 3, 64, 64), torch.randn(1, cfg.embed, g, g)

    def save(name, module, args, inputs, outputs, axes):
        onnxout.export(module.eval(), args, os.path.join(out, name), 17, inputs, outputs, axes)
        compact(os.path.join(out, name))

    coords, labels = torch.rand(1, 3, 2) * 60, torch.tensor([[1.0, 0, 1]])
    meta = (emb, coords, labels, torch.zeros(1, 1, low, low), torch.zeros(1), torch.tensor([48.0, 64.0]))
    names = ["image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input", "orig_im_size"]
    outs = ["masks", "iou_predictions", "low_res_masks"]
    free = {"point_coords": {1: "n"}, "point_labels": {1: "n"}}
    save("meta_encoder.onnx", model.encoder, image, ["images"], ["embeddings"], {})
    save("meta_decoder.onnx", sam.MetaDecoder(model), meta, names, outs, free)
    save("meta_single_decoder.onnx", sam.MetaDecoder(model, single=True), meta, names, outs, free)
    save("hf_encoder.onnx", HFVision(model), image, ["pixel_values"], ["image_embeddings", "image_positional_embeddings"], {})
    save("hf_decoder.onnx", HFDecoder(model), (emb, emb, coords[:, None], labels[:, None].long()),
         ["image_embeddings", "image_positional_embeddings", "input_points", "input_labels"], ["iou_scores", "pred_masks"],
         {"input_points": {1: "p", 2: "n"}, "input_labels": {1: "p", 2: "n"}})
    save("efficient_encoder.onnx", EfficientEncoder(model), torch.zeros(1, 3, 40, 50), ["batched_images"], ["image_embeddings"],
         {"batched_images": {2: "h", 3: "w"}})
    save("efficient_decoder.onnx", EfficientDecoder(model), (emb, coords[:, None], labels[:, None], torch.tensor([40, 50])),
         ["image_embeddings", "batched_point_coords", "batched_point_labels", "orig_im_size"], ["output_masks", "iou_predictions"],
         {"batched_point_coords": {1: "q", 2: "n"}, "batched_point_labels": {1: "q", 2: "n"}})
