"""Writes sam2.pt, a small SAM 2.1 with random weights under Meta's names, video
parts included; sam2.safetensors and sam2_config.json, the same weights under those
of Hugging Face; and sam2_values.pth, what the sam2 package makes of random inputs,
photos and prompts. transformers must agree.

    pip install torch torchvision transformers sam2   # or sam2's repository in PYTHONPATH
    python sam2_small.py
"""
import json
import re

import numpy as np
import torch
from safetensors.torch import save_file
from sam2.automatic_mask_generator import SAM2AutomaticMaskGenerator
from sam2.modeling.backbones.hieradet import Hiera
from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder
from sam2.modeling.memory_attention import MemoryAttention, MemoryAttentionLayer
from sam2.modeling.memory_encoder import CXBlock, Fuser, MaskDownSampler, MemoryEncoder
from sam2.modeling.position_encoding import PositionEmbeddingSine
from sam2.modeling.sam.mask_decoder import MaskDecoder
from sam2.modeling.sam.transformer import RoPEAttention, TwoWayTransformer
from sam2.modeling.sam2_base import SAM2Base
from sam2.sam2_image_predictor import SAM2ImagePredictor
from transformers import Sam2Config, Sam2HieraDetConfig, Sam2Model, Sam2VisionConfig
from transformers.models.sam2.configuration_sam2 import Sam2MaskDecoderConfig, Sam2PromptEncoderConfig

from random_weights import randomise, save

# A map of 32 places and windows that leave a rest, as the published 14 of 64 do.
SIDE, WIDTH, GRID = 128, 32, 8
BLOCKS, WINDOWS, GLOBAL = [1, 2, 3, 1], [8, 4, 6, 3], [4]


def rope(**kw):
    return RoPEAttention(rope_theta=10000.0, feat_sizes=(GRID, GRID), embedding_dim=WIDTH, num_heads=1, downsample_rate=1, dropout=0.1, **kw)


def small():
    trunk = Hiera(embed_dim=8, num_heads=1, stages=BLOCKS, window_spec=WINDOWS, global_att_blocks=GLOBAL, window_pos_embed_bkg_spatial_size=(5, 5))
    sine = lambda n: PositionEmbeddingSine(num_pos_feats=n, normalize=True, scale=None, temperature=10000)
    neck = FpnNeck(position_encoding=sine(WIDTH), d_model=WIDTH, backbone_channel_list=[64, 32, 16, 8], fpn_top_down_levels=[2, 3], fpn_interp_model="nearest")
    layer = MemoryAttentionLayer(activation="relu", dim_feedforward=16, dropout=0.1, pos_enc_at_attn=False, self_attention=rope(), d_model=WIDTH,
                                 pos_enc_at_cross_attn_keys=True, pos_enc_at_cross_attn_queries=False, cross_attention=rope(rope_k_repeat=True, kv_in_dim=8))
    encoder = MemoryEncoder(out_dim=8, in_dim=WIDTH, position_encoding=sine(8), mask_downsampler=MaskDownSampler(embed_dim=WIDTH, kernel_size=3, stride=2, padding=1),
                            fuser=Fuser(CXBlock(dim=WIDTH, kernel_size=7, padding=3, layer_scale_init_value=1e-6, use_dwconv=True), num_layers=1))
    model = SAM2Base(image_encoder=ImageEncoder(trunk=trunk, neck=neck, scalp=1), memory_attention=MemoryAttention(d_model=WIDTH, pos_enc_at_input=True, layer=layer, num_layers=1),
                     memory_encoder=encoder, num_maskmem=7, image_size=SIDE, backbone_stride=16, directly_add_no_mem_embed=True, use_high_res_features_in_sam=True,
                     multimask_output_in_sam=True, iou_prediction_use_sigmoid=True, use_obj_ptrs_in_encoder=True, pred_obj_scores=True, pred_obj_scores_mlp=True,
                     fixed_no_obj_ptr=True, no_obj_embed_spatial=True, use_multimask_token_for_obj_ptr=True)
    # SAM2Base fixes these sizes.
    model.sam_mask_decoder = MaskDecoder(
        num_multimask_outputs=3, transformer=TwoWayTransformer(depth=2, embedding_dim=WIDTH, mlp_dim=48, num_heads=8), transformer_dim=WIDTH, iou_head_depth=3,
        iou_head_hidden_dim=24, use_high_res_features=True, iou_prediction_use_sigmoid=True, pred_obj_scores=True, pred_obj_scores_mlp=True,
        use_multimask_token_for_obj_ptr=True, dynamic_multimask_via_stability=True, dynamic_multimask_stability_delta=0.05, dynamic_multimask_stability_thresh=0.98)
    return model


def hugging_config():
    backbone = Sam2HieraDetConfig(
        hidden_size=8, num_attention_heads=1, image_size=[SIDE, SIDE], blocks_per_stage=BLOCKS, embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 2, 4, 8], window_size_per_stage=WINDOWS, global_attention_blocks=GLOBAL, window_positional_embedding_background_size=[5, 5])
    vision = Sam2VisionConfig(backbone_config=backbone, backbone_channel_list=[64, 32, 16, 8], fpn_hidden_size=WIDTH,
                              backbone_feature_sizes=[[4 * GRID] * 2, [2 * GRID] * 2, [GRID] * 2])
    return Sam2Config(vision_config=vision, prompt_encoder_config=Sam2PromptEncoderConfig(hidden_size=WIDTH, image_size=SIDE, patch_size=16),
                      mask_decoder_config=Sam2MaskDecoderConfig(hidden_size=WIDTH, mlp_dim=48, iou_head_hidden_dim=24))


def hugging_names(state):
    """Meta's names to those of transformers' modules."""
    rules = [(r"^image_encoder\.trunk\.patch_embed\.proj", "vision_encoder.backbone.patch_embed.projection"), (r"^image_encoder\.trunk", "vision_encoder.backbone"),
             (r"^image_encoder\.neck\.convs\.(\d)\.conv", r"vision_encoder.neck.convs.\1"), (r"^sam_mask_decoder", "mask_decoder"), (r"^sam_prompt_encoder", "prompt_encoder"),
             (r"\.norm(\d)\.", r".layer_norm\1."), (r"norm_final_attn", "layer_norm_final_attn"), (r"out_proj", "o_proj"), (r"^no_mem_embed", "no_memory_embedding"),
             (r"\.mlp\.layers\.0", ".mlp.proj_in"), (r"\.mlp\.layers\.1", ".mlp.proj_out"),
             (r"(head|mlps\.\d)\.layers\.0", r"\1.proj_in"), (r"(head|mlps\.\d)\.layers\.2", r"\1.proj_out"), (r"(head|mlps\.\d)\.layers\.1", r"\1.layers.0"),
             (r"output_upscaling\.0", "upscale_conv1"), (r"output_upscaling\.1", "upscale_layer_norm"), (r"output_upscaling\.3", "upscale_conv2"),
             (r"mask_downscaling\.0", "mask_embed.conv1"), (r"mask_downscaling\.1", "mask_embed.layer_norm1"), (r"mask_downscaling\.3", "mask_embed.conv2"),
             (r"mask_downscaling\.4", "mask_embed.layer_norm2"), (r"mask_downscaling\.6", "mask_embed.conv3"),
             (r"pe_layer\.positional_encoding_gaussian_matrix", "shared_embedding.positional_embedding")]
    out = {}
    for name, v in state.items():
        for pattern, new in rules:
            name = re.sub(pattern, new, name)
        out[name] = v
    points = "prompt_encoder.point_embeddings."
    out["prompt_encoder.point_embed.weight"] = torch.cat([out.pop(f"{points}{i}.weight") for i in range(4)])
    out["shared_image_embedding.positional_embedding"] = out["prompt_encoder.shared_embedding.positional_embedding"].clone()
    return out


def photo(w, h, seed):
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[:h, :w]
    img = np.stack([xx * 255 // w, yy * 255 // h, (xx * yy) % 256], -1)
    for _ in range(4):
        x, y, r = rng.integers(0, w), rng.integers(0, h), rng.integers(8, h // 2)
        img[(xx - x) ** 2 + (yy - y) ** 2 < r * r] = rng.integers(0, 256, 3)
    return img.astype(np.uint8)


def raw(model, embed, s0, s1, coords, labels, mask):
    """All four masks, for points that the padding point follows."""
    sparse, dense = model.sam_prompt_encoder(points=(coords, labels), boxes=None, masks=mask)
    d = model.sam_mask_decoder
    low, iou, _, obj = d.predict_masks(embed, model.sam_prompt_encoder.get_dense_pe(), sparse, dense, repeat_image=coords.shape[0] > 1, high_res_features=[s0, s1])
    return low, iou, obj


@torch.no_grad()
def main():
    torch.manual_seed(7)
    model = randomise(small().eval(), 0.2)
    last = model.sam_mask_decoder.output_hypernetworks_mlps[0].layers[-1]
    last.weight.mul_(2), last.bias.mul_(2)  # so that some single masks are stable, and some are not
    state = {k: v.contiguous().clone() for k, v in model.state_dict().items() if "mask_downsampler" not in k}  # the largest part, of videos
    torch.save({"model": state}, "sam2.pt")
    hugging = Sam2Model(hugging_config()).eval()
    named = hugging_names(state)
    missing, unexpected = hugging.load_state_dict(named, strict=False)
    assert not missing, missing
    hugging_file = {k: v.contiguous() for k, v in hugging.state_dict().items()} | {"memory_attention.layer_norm.weight": torch.ones(WIDTH)}
    save_file(hugging_file, "sam2.safetensors", metadata={"format": "pt"})
    json.dump(hugging.config.to_dict(), open("sam2_config.json", "w"), indent=1, default=str)

    pixels = torch.randn(1, 3, SIDE, SIDE)
    values = {"pixels": pixels}
    predictor = SAM2ImagePredictor(model)
    predictor._bb_feat_sizes = sizes = [(4 * GRID,) * 2, (2 * GRID,) * 2, (GRID,) * 2]  # fixed there
    out = model.forward_image(pixels)
    _, feats, _, _ = model._prepare_backbone_features(out)
    feats[-1] = feats[-1] + model.no_mem_embed
    s0, s1, embed = [f.permute(1, 2, 0).reshape(1, -1, *s) for f, s in zip(feats, sizes)]
    values |= {"high_res_feats_0": s0, "high_res_feats_1": s1, "image_embed": embed}
    theirs = hugging.get_image_embeddings(pixels)
    print("transformers' encoder:", max((a - b).abs().max().item() for a, b in zip(theirs, (s0, s1, embed))))

    coords = torch.tensor([[[3.0, 5], [60, 33]], [[10.0, 12], [90, 110]]])
    labels = torch.tensor([[1, 0], [2, 3]])
    mask = torch.randn(2, 1, 4 * GRID, 4 * GRID) * 4
    values |= {"point_coords": coords, "point_labels": labels.float(), "mask_input": mask}
    for name, given in [("none", None), ("mask", mask)]:
        values[name + "_low"], values[name + "_iou"], values[name + "_object"] = raw(model, embed, s0, s1, coords, labels, given)
    kw = dict(image_embeddings=[s0, s1, embed], input_points=coords[:1][None], input_labels=labels[:1][None])
    three = hugging(multimask_output=True, **kw)
    print("transformers' decoder:", (three.pred_masks[0, 0] - values["none_low"][0, 1:]).abs().max().item(), "of", values["none_low"].abs().max().item(),
          (three.iou_scores[0, 0] - values["none_iou"][0, 1:]).abs().max().item(), (three.object_score_logits[0] - values["none_object"][0]).abs().max().item())
    boxed = hugging(image_embeddings=[s0, s1, embed], input_boxes=coords[1].reshape(1, 1, 4), multimask_output=True)
    print("transformers' decoder, a box:", (boxed.pred_masks[0, 0] - values["none_low"][1, 1:]).abs().max().item())

    # From photos to masks.
    for p, (w, h) in enumerate([(90, 60), (50, 75), (120, 90)]):
        img = photo(w, h, p)
        values[f"photo{p}"] = torch.from_numpy(img)
        predictor.set_image(img)
        prompts = {"point": dict(point_coords=[[w * 0.4, h * 0.3]], point_labels=[1]), "points": dict(point_coords=[[w // 2, h // 2], [5, 7]], point_labels=[1, 0]),
                   "box": dict(box=[w * 0.2, h * 0.1, w * 0.7, h * 0.9]), "both": dict(box=[4, 6, w - 9, h - 5], point_coords=[[w // 3, h // 2]], point_labels=[1])}
        for name, q in prompts.items():
            q = {k: np.array(v, dtype=np.float32) for k, v in q.items()}
            masks, iou, low = predictor.predict(**q, multimask_output=True)
            one, one_iou, one_low = predictor.predict(**q, multimask_output=False)
            at = f"photo{p}_{name}"
            again, again_iou, _ = predictor.predict(**q, mask_input=low[1:2], multimask_output=True)
            first = raw(model, predictor._features["image_embed"], *predictor._features["high_res_feats"], *[t for t in points_of(predictor, q)], None)
            single = model.sam_mask_decoder._get_stability_scores(first[0][:, :1])[0, 0].item()
            abs(single - 0.98) > 0.004, single
            values |= {at + "_masks": torch.from_numpy(masks.astype(np.uint8)), at + "_iou": torch.from_numpy(iou), at + "_one": torch.from_numpy(one.astype(np.uint8))}
            if p == 0:
                values |= {at + "_again": torch.from_numpy(again.astype(np.uint8)), at + "_again_iou": torch.from_numpy(again_iou)}
            print(at, "share", masks.mean((1, 2)).round(2), "iou", iou.round(3), "stability", round(single, 3), "one", one.mean().round(2), one_iou.round(3))
    auto = SAM2AutomaticMaskGenerator(model, points_per_side=3, pred_iou_thresh=0.0, stability_score_thresh=0.0, box_nms_thresh=1.0)
    auto.predictor._bb_feat_sizes = sizes
    found = auto.generate(photo(90, 60, 0))
    ious = np.array([f["predicted_iou"] for f in found])
    print("automatic:", len(found), "closest scores", np.diff(np.sort(ious)).min())
    values["auto_masks"] = torch.from_numpy(np.stack([f["segmentation"] for f in found]).astype(np.uint8))
    values["auto_iou"] = torch.tensor(ious, dtype=torch.float32)
    values["auto_stability"] = torch.tensor([f["stability_score"] for f in found])
    save("sam2_values.pth", values)


def points_of(predictor, q):
    """The coordinates and labels that predict gives the prompt encoder."""
    _, coords, labels, box = predictor._prep_prompts(q.get("point_coords"), q.get("point_labels"), q.get("box"), None, True)
    if box is None:
        return coords, labels
    corners, two = box.reshape(-1, 2, 2), torch.tensor([[2, 3]])
    if coords is None:
        return corners, two
    return torch.cat([corners, coords], 1), torch.cat([two, labels], 1)


if __name__ == "__main__":
    main()
