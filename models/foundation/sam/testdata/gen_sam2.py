"""Writes sam2_*.onnx and sam2.json: a small SAM 2 of transformers with random
weights, exported with the signature of samexporter's files, its decoder with that of
onnx-community's too, and what transformers itself
makes of an image and prompts.

    python gen_sam2.py
"""
import base64, json, os, warnings

import numpy as np
import torch
from torch import nn
from transformers import Sam2Config, Sam2Model, Sam2HieraDetConfig, Sam2VisionConfig
from transformers.models.sam2.configuration_sam2 import Sam2MaskDecoderConfig, Sam2PromptEncoderConfig

warnings.filterwarnings("ignore")
here = os.path.dirname(os.path.abspath(__file__))
SIDE, WIDTH = 64, 16
torch.manual_seed(3)

backbone = Sam2HieraDetConfig(
    hidden_size=8, num_attention_heads=1, image_size=[SIDE, SIDE], blocks_per_stage=[1, 1, 2, 1], embed_dim_per_stage=[8, 16, 32, 64],
    num_attention_heads_per_stage=[1, 2, 4, 8], window_size_per_stage=[8, 4, 4, 2], global_attention_blocks=[3],
    window_positional_embedding_background_size=[4, 4])
vision = Sam2VisionConfig(backbone_config=backbone, backbone_channel_list=[64, 32, 16, 8], fpn_hidden_size=WIDTH,
                          backbone_feature_sizes=[[SIDE // 4] * 2, [SIDE // 8] * 2, [SIDE // 16] * 2])
config = Sam2Config(vision_config=vision,
                    prompt_encoder_config=Sam2PromptEncoderConfig(hidden_size=WIDTH, image_size=SIDE, patch_size=16, mask_input_channels=8),
                    mask_decoder_config=Sam2MaskDecoderConfig(hidden_size=WIDTH, mlp_dim=32, num_attention_heads=2, iou_head_hidden_dim=16))
config._attn_implementation = "eager"
for c in (config.vision_config, config.vision_config.backbone_config, config.mask_decoder_config, config.prompt_encoder_config):
    c._attn_implementation = "eager"
model = Sam2Model(config).eval()
with torch.no_grad():
    for name, p in model.named_parameters():  # larger than a start, so that masks differ
        if p.dim() > 1:
            p.copy_(torch.randn_like(p) * (0.3 if "hyper" in name else 0.13))
        elif "norm" not in name:
            p.copy_(torch.randn_like(p) * 0.1)
    model.no_memory_embedding.copy_(torch.randn_like(model.no_memory_embedding) * 0.2)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.m = model

    def forward(self, image):
        a, b, c = self.m.get_image_embeddings(image)
        return a, b, c


class MetaDecoder(nn.Module):
    """The steps of samexporter's decoder on transformers' modules."""

    def __init__(self):
        super().__init__()
        self.m = model

    def forward(self, image_embed, high_res_feats_0, high_res_feats_1, point_coords, point_labels, mask_input, has_mask_input):
        p = self.m.prompt_encoder
        coords = torch.cat([point_coords + 0.5, torch.zeros((point_coords.shape[0], 1, 2))], dim=1)
        labels = torch.cat([point_labels, -torch.ones((point_labels.shape[0], 1))], dim=1).unsqueeze(-1)
        e = p.shared_embedding(coords[None], (SIDE, SIDE))[0]
        e = e * (labels != -1) + p.not_a_point_embed.weight * (labels == -1)
        for i in range(4):
            e = e + p.point_embed.weight[i] * (labels == i)
        dense = has_mask_input * p.mask_embed(mask_input) + (1 - has_mask_input) * p.no_mask_embed.weight.reshape(1, -1, 1, 1)
        pe = self.m.get_image_wide_positional_embeddings()
        # One image with several prompts is a batch of them here, as samexporter has it.
        n = e.shape[0]
        every = lambda x: x + torch.zeros((n, 1, 1, 1))
        masks, iou, _, _ = self.m.mask_decoder(
            image_embeddings=every(image_embed), image_positional_embeddings=every(pe), sparse_prompt_embeddings=e[:, None],
            dense_prompt_embeddings=dense, multimask_output=True, high_resolution_features=[every(high_res_feats_0), every(high_res_feats_1)])
        return masks[:, 0].clamp(-32, 32), iou[:, 0]


class CommunityDecoder(nn.Module):
    """transformers' own forward, with points and a box."""

    def __init__(self):
        super().__init__()
        self.m = model

    def forward(self, input_points, input_labels, input_boxes, e0, e1, e2):
        out = self.m(image_embeddings=[e0, e1, e2], input_points=input_points, input_labels=input_labels, input_boxes=input_boxes, multimask_output=True)
        return out.iou_scores, out.pred_masks, out.object_score_logits


rng = np.random.default_rng(1)
W, H = 50, 40
yy, xx = np.mgrid[:H, :W]
img = np.stack([xx * 5, yy * 6, (xx * yy) % 256], -1).astype(np.uint8)
img[10:25, 15:35] = [220, 60, 40]
from torchvision.transforms import Normalize, Resize, ToTensor

# As the sam2 package prepares photos: resized as floats.
pixels = Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])(Resize((SIDE, SIDE))(ToTensor()(img)))[None]
with torch.no_grad():
    e = model.get_image_embeddings(pixels)
    prompts, n = [], 0
    for points, labels, box in [([[20, 15]], [1], None), ([[20, 15], [40, 35]], [1, 0], None), (None, None, [14, 9, 36, 26])]:
        kw = {}
        scale = np.array([SIDE / W, SIDE / H])
        if points:
            kw = dict(input_points=torch.tensor((np.array(points) * scale)[None, None].astype(np.float32)), input_labels=torch.tensor([[labels]]))
        else:
            kw = dict(input_boxes=torch.tensor((np.array(box).reshape(2, 2) * scale).reshape(1, 1, 4).astype(np.float32)))
        out = model(image_embeddings=e, multimask_output=True, **kw)
        step = model(image_embeddings=e, multimask_output=True, input_masks=out.pred_masks[0, :, 1].unsqueeze(1).clamp(-32, 32), **kw)
        prompts.append({"points": points, "labels": labels, "box": box, "iou": out.iou_scores[0, 0].tolist(),
                        "low": [round(v, 6) for v in out.pred_masks[0, 0].clamp(-32, 32).flatten().tolist()],
                        "again": [round(v, 6) for v in step.pred_masks[0, 0].clamp(-32, 32).flatten().tolist()]})

    def export(m, args, name, inputs, outputs, dynamic):
        torch.onnx.export(m, args, os.path.join(here, name), input_names=inputs, output_names=outputs, dynamic_axes=dynamic, opset_version=17, dynamo=False)

    export(Encoder(), (pixels,), "sam2_encoder.onnx", ["image"], ["high_res_feats_0", "high_res_feats_1", "image_embed"], {})
    points, labels = torch.rand(2, 3, 2) * SIDE, torch.tensor([[1.0, 0, -1], [2, 3, -1]])
    free = {"point_coords": {0: "num_labels", 1: "num_points"}, "point_labels": {0: "num_labels", 1: "num_points"}, "mask_input": {0: "num_labels"}, "has_mask_input": {0: "num_labels"}}
    export(MetaDecoder(), (e[2], e[0], e[1], points[:1], labels[:1], torch.zeros(1, 1, SIDE // 4, SIDE // 4), torch.zeros(1)), "sam2_decoder.onnx",
           ["image_embed", "high_res_feats_0", "high_res_feats_1", "point_coords", "point_labels", "mask_input", "has_mask_input"], ["masks", "iou_predictions"], free)
    names = ["input_points", "input_labels", "input_boxes", "image_embeddings.0", "image_embeddings.1", "image_embeddings.2"]
    free = {n: {0: "batch"} for n in names} | {"input_points": {0: "batch", 2: "points"}, "input_labels": {0: "batch", 2: "points"}, "input_boxes": {0: "batch", 1: "boxes"}}
    export(CommunityDecoder(), (points[None, :1], labels[None, :1].long(), torch.tensor([[[3.0, 4, 30, 40]]]), e[0], e[1], e[2]), "sam2_community_decoder.onnx", names,
           ["iou_scores", "pred_masks", "object_score_logits"], free)
json.dump({"width": W, "height": H, "side": SIDE, "photo": base64.b64encode(img.tobytes()).decode(), "prompts": prompts}, open(os.path.join(here, "sam2.json"), "w"))
print([ (p["iou"], min(p["low"]), max(p["low"])) for p in prompts])
