"""Writes a small SAM 3 of transformers with random weights as three graphs, with the
inputs and outputs of usls' second export (images; input_ids, attention_mask; features,
input_boxes, input_boxes_labels) and the semantic map beside them, and sam3_values.pth:
what transformers itself makes of a photo, words and boxes, and class maps after
SegEarth-OV3.

    pip install torch torchvision transformers onnx
    python gen_sam3.py
"""
import os
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from transformers import CLIPTextConfig, Sam3Config, Sam3Model
from transformers.models.sam3 import modeling_sam3

warnings.filterwarnings("ignore")
here = os.path.dirname(os.path.abspath(__file__))
SIDE, WIDTH, CONTEXT = 112, 32, 8
START, END = 512, 513  # of a vocabulary without merges


def small():
    layer = dict(hidden_size=WIDTH, num_attention_heads=4, intermediate_size=48)
    config = Sam3Config(
        vision_config=dict(
            backbone_config=dict(model_type="sam3_vit_model", hidden_size=WIDTH, intermediate_size=64, num_hidden_layers=3, num_attention_heads=2, image_size=SIDE, patch_size=14,
                                 window_size=3, global_attn_indexes=[1], pretrain_image_size=56),
            fpn_hidden_size=WIDTH, backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]]),
        text_config=CLIPTextConfig(vocab_size=END + 1, hidden_size=24, intermediate_size=48, projection_dim=16, num_hidden_layers=2, num_attention_heads=2,
                                   max_position_embeddings=CONTEXT, hidden_act="gelu", bos_token_id=START, eos_token_id=END, pad_token_id=END).to_dict(),
        geometry_encoder_config=layer | dict(num_layers=1, roi_size=3), detr_encoder_config=layer | dict(num_layers=2),
        detr_decoder_config=layer | dict(num_layers=2, num_queries=6), mask_decoder_config=dict(hidden_size=WIDTH, num_attention_heads=4, num_upsampling_stages=3))
    config._attn_implementation = "eager"
    model = Sam3Model._from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            noise = torch.randn_like(p)
            if p.dim() == 1 and name.endswith("weight"):
                p.copy_(1 + noise * 0.1)
            elif "query_embed" in name or "reference_points" in name:  # else all queries answer alike
                p.copy_(noise * 3)
            elif "dot_product_scoring" in name and name.endswith("proj.weight"):
                p.copy_(noise * 0.3)
            elif p.dim() > 1 and "embed" not in name:
                p.copy_(noise / p[0].numel() ** 0.5)
            else:
                p.copy_(noise * 0.3)
    return model


class Vision(nn.Module):
    def __init__(self, m):
        super().__init__()
        self.m = m

    def forward(self, images):
        v = self.m.vision_encoder(images)
        return v.fpn_hidden_states[0], v.fpn_hidden_states[1], v.fpn_hidden_states[2], v.fpn_position_encoding[2]


class Words(nn.Module):
    def __init__(self, m):
        super().__init__()
        self.m = m

    def forward(self, input_ids, attention_mask):
        states = self.m.text_encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return self.m.text_projection(states), attention_mask > 0


class Decoder(nn.Module):
    """transformers' forward behind the encoders, with boxes that may all be padding."""

    def __init__(self, m):
        super().__init__()
        self.m = m

    def forward(self, f0, f1, f2, pos, text, text_mask, boxes, labels):
        m = self.m
        real = labels != -10
        g = m.geometry_encoder(box_embeddings=boxes, box_mask=real, box_labels=torch.where(real, labels, torch.zeros_like(labels)), img_feats=(f0, f1, f2), img_pos_embeds=(pos, pos, pos))
        prompts = torch.cat([text, g.last_hidden_state], 1)
        mask = torch.cat([text_mask, real, real.any(1, keepdim=True)], 1)
        e = m.detr_encoder(vision_features=[f2], text_features=prompts, vision_pos_embeds=[pos], text_mask=mask)
        d = m.detr_decoder(vision_features=e.last_hidden_state, text_features=e.text_features, vision_pos_encoding=e.pos_embeds_flattened, text_mask=mask, spatial_shapes=e.spatial_shapes)
        offsets = m.detr_decoder.box_head(d.intermediate_hidden_states)
        pred_boxes = modeling_sam3.box_cxcywh_to_xyxy((modeling_sam3.inverse_sigmoid(d.reference_boxes) + offsets).sigmoid())
        logits = m.dot_product_scoring(decoder_hidden_states=d.intermediate_hidden_states, text_features=e.text_features, text_mask=mask).squeeze(-1)
        out = m.mask_decoder(decoder_queries=d.intermediate_hidden_states[-1], backbone_features=[f0, f1, f2], encoder_hidden_states=e.last_hidden_state, prompt_features=prompts, prompt_mask=mask)
        return out.pred_masks, pred_boxes[-1], logits[-1], d.presence_logits[-1], out.semantic_seg


def ids(text):
    """CLIP's tokens of a lower-case word without any merge."""
    word = [START] + [ord(c) - 33 for c in text[:-1]] + [256 + ord(text[-1]) - 33, END]
    return torch.tensor([word + [END] * (CONTEXT - len(word))]), torch.tensor([[1] * len(word) + [0] * (CONTEXT - len(word))])


def class_map(out, w, h, confidence):
    """SegEarth-OV3's map of one word (its segmentor and Meta's processor)."""
    presence = out.presence_logits.sigmoid()
    scores = (out.pred_logits.sigmoid() * presence)[0]
    up = lambda x: F.interpolate(x, (h, w), mode="bilinear", align_corners=False).sigmoid()
    masks = up(out.pred_masks)[0]
    seg = torch.zeros(h, w)
    for score, mask in zip(scores, masks):
        if score > confidence:
            seg = torch.maximum(seg, mask * score)
    seg = torch.maximum(seg, up(out.semantic_seg)[0, 0])
    return seg * presence[0, 0]


@torch.no_grad()
def main():
    torch.manual_seed(4)
    model = small()
    w, h = 90, 60
    yy, xx = np.mgrid[:h, :w]
    img = np.stack([xx * 255 // w, yy * 255 // h, (xx * yy) % 256], -1).astype(np.uint8)
    img[15:40, 30:60] = [220, 60, 40]
    square = np.asarray(Image.fromarray(img).resize((SIDE, SIDE), Image.BILINEAR)).astype(np.float32)
    pixels = torch.tensor(square / 255 * 2 - 1).permute(2, 0, 1)[None]
    values = {"photo": torch.from_numpy(img)}
    boxes = torch.tensor([[[30.0, 15, 60, 40], [5, 5, 25, 20]]])
    values["boxes"] = boxes[0]
    scaled = boxes / torch.tensor([w, h, w, h])
    centred = torch.cat([(scaled[..., :2] + scaled[..., 2:]) / 2, scaled[..., 2:] - scaled[..., :2]], -1)
    for name, word, given, confidence in [("word", "cat", None, 0.21), ("both", "dog", ([0, 1], [1, 0]), 0.17), ("boxes", "visual", ([0], [1]), 0.15)]:
        tokens, mask = ids(word)
        kw = {}
        if given:
            kw = dict(input_boxes=centred[:, given[0]], input_boxes_labels=torch.tensor([given[1]]))
        out = model(pixel_values=pixels, input_ids=tokens, attention_mask=mask, **kw)
        values |= {f"{name}_masks": out.pred_masks[0], f"{name}_logits": out.pred_logits[0], f"{name}_presence": out.presence_logits[0], f"{name}_semantic": out.semantic_seg[0, 0]}
        values[f"{name}_map"] = class_map(out, w, h, confidence)
        scores = (out.pred_logits.sigmoid() * out.presence_logits.sigmoid())[0]
        print(name, "scores", scores.numpy().round(3), "presence", out.presence_logits.sigmoid().item(), "masks", (out.pred_masks > 0).float().mean((0, 2, 3)).numpy().round(2), out.pred_masks.abs().max().item(),
              "semantic", (out.semantic_seg > 0).float().mean().item(), "map", values[f"{name}_map"].min().item(), values[f"{name}_map"].max().item())
        assert (scores - confidence).abs().min() > 0.01 and (scores > confidence).any()

    # Padded boxes may stand before the class token: order means nothing here.
    modeling_sam3.concat_padded_sequences = lambda a, am, b, bm: (torch.cat([a, b], 1), torch.cat([am, bm], 1))

    def export(m, args, name, inputs, outputs, free):
        torch.onnx.export(m, args, os.path.join(here, name), input_names=inputs, output_names=outputs, dynamic_axes=free, opset_version=17, dynamo=False)

    features = ["fpn_feat_0", "fpn_feat_1", "fpn_feat_2", "fpn_pos_2"]
    free = {n: {0: "batch"} for n in ["images", "input_ids", "attention_mask", "text_features", "text_mask"] + features}
    export(Vision(model), (pixels,), "vision.onnx", ["images"], features, free)
    tokens, mask = ids("cat")
    export(Words(model), (tokens, mask), "text.onnx", ["input_ids", "attention_mask"], ["text_features", "text_mask"], free)
    text, text_mask = Words(model)(tokens, mask)
    f = Vision(model)(pixels)
    boxes_free = {"input_boxes": {0: "batch", 1: "boxes"}, "input_boxes_labels": {0: "batch", 1: "boxes"}}
    export(Decoder(model), (*f, text, text_mask, centred, torch.tensor([[1, 0]])), "decoder.onnx", features + ["text_features", "text_mask", "input_boxes", "input_boxes_labels"],
           ["pred_masks", "pred_boxes", "pred_logits", "presence_logits", "semantic_seg"], free | boxes_free)
    torch.save({k: v.contiguous().clone() for k, v in values.items()}, os.path.join(here, "sam3_values.pth"))


if __name__ == "__main__":
    main()
