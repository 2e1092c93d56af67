"""Writes gdino.pth, a small Grounding-DINO with random weights under the names of
the authors' checkpoint, and gdino_values.pth, what transformers'
GroundingDinoForObjectDetection makes of a random image and two captions; and
mm_gdino.safetensors with mm_gdino_values.pth, the same of
MMGroundingDinoForObjectDetection (MM-Grounding-DINO, LLMDet) by transformers' names.

    pip install torch transformers
    python gdino.py
"""
import re
import tempfile

import torch
import transformers
from safetensors.torch import load_file, save_file

from random_weights import randomise, save

QUERIES = 20

# transformers' name → the authors'. Those of packed projections are joined below.
NAMES = [
    (r"model\.backbone\.conv_encoder\.model\.(?:swin\.)?embeddings\.patch_embeddings\.projection\.", "backbone.0.patch_embed.proj."),
    (r"model\.backbone\.conv_encoder\.model\.(?:swin\.)?embeddings\.norm\.", "backbone.0.patch_embed.norm."),
    (r"model\.backbone\.conv_encoder\.model\.(?:swin\.)?encoder\.layers\.(\d+)\.blocks\.(\d+)\.", r"backbone.0.layers.\1.blocks.\2."),
    (r"model\.backbone\.conv_encoder\.model\.(?:swin\.)?encoder\.layers\.(\d+)\.downsample\.", r"backbone.0.layers.\1.downsample."),
    (r"model\.backbone\.conv_encoder\.model\.hidden_states_norms\.stage(\d)\.", lambda m: f"backbone.0.norm{int(m[1]) - 1}."),
    (r"(backbone\.0\..*)\.layernorm_before\.", r"\1.norm1."), (r"(backbone\.0\..*)\.layernorm_after\.", r"\1.norm2."),
    (r"(backbone\.0\..*)\.attention\.self\.relative_position_bias_table", r"\1.attn.relative_position_bias_table"),
    (r"(backbone\.0\..*)\.attention\.self\.(query|key|value)\.", r"\1.attn.\2."),
    (r"(backbone\.0\..*)\.attention\.output\.dense\.", r"\1.attn.proj."),
    (r"(backbone\.0\..*)\.attention\.relative_position_bias\.relative_position_bias_table", r"\1.attn.relative_position_bias_table"),
    (r"(backbone\.0\..*)\.attention\.(query|key|value|q_proj|k_proj|v_proj)\.", r"\1.attn.\2."),
    (r"(backbone\.0\..*)\.attention\.(?:o_proj|proj)\.", r"\1.attn.proj."),
    (r"(backbone\.0\..*)\.intermediate\.dense\.", r"\1.mlp.fc1."), (r"(backbone\.0\..*\.blocks\.\d+)\.output\.dense\.", r"\1.mlp.fc2."),
    (r"model\.input_proj_vision\.", "input_proj."), (r"model\.text_backbone\.", "bert."), (r"model\.text_projection\.", "feat_map."),
    (r"model\.query_position_embeddings\.", "transformer.tgt_embed."), (r"model\.level_embed", "transformer.level_embed"),
    (r"model\.enc_output\.", "transformer.enc_output."), (r"model\.enc_output_norm\.", "transformer.enc_output_norm."),
    (r"model\.encoder_output_bbox_embed\.", "transformer.enc_out_bbox_embed."),
    (r"model\.encoder\.layers\.(\d+)\.text_enhancer_layer\.", r"transformer.encoder.text_layers.\1."),
    (r"model\.encoder\.layers\.(\d+)\.fusion_layer\.", r"transformer.encoder.fusion_layers.\1."),
    (r"model\.encoder\.layers\.(\d+)\.deformable_layer\.", r"transformer.encoder.layers.\1."),
    (r"(text_layers.*)\.layer_norm_before\.", r"\1.norm1."), (r"(text_layers.*)\.layer_norm_after\.", r"\1.norm2."),
    (r"(fusion_layers.*)\.layer_norm_vision\.", r"\1.layer_norm_v."), (r"(fusion_layers.*)\.layer_norm_text\.", r"\1.layer_norm_l."),
    (r"(fusion_layers.*)\.vision_param", r"\1.gamma_v"), (r"(fusion_layers.*)\.text_param", r"\1.gamma_l"),
    (r"(fusion_layers.*attn\.)(.*)vision_proj", r"\1\2v_proj"), (r"(fusion_layers.*attn\.)(.*)text_proj", r"\1\2l_proj"),
    (r"(encoder\.layers.*)\.self_attn_layer_norm\.", r"\1.norm1."), (r"(encoder\.layers.*)\.final_layer_norm\.", r"\1.norm2."),
    (r"model\.decoder\.layer_norm\.", "transformer.decoder.norm."),
    (r"model\.decoder\.reference_points_head\.", "transformer.decoder.ref_point_head."),
    (r"model\.decoder\.", "transformer.decoder."),
    (r"(decoder\.layers.*)\.self_attn_layer_norm\.", r"\1.norm2."), (r"(decoder\.layers.*)\.encoder_attn_layer_norm\.", r"\1.norm1."),
    (r"(decoder\.layers.*)\.encoder_attn_text_layer_norm\.", r"\1.catext_norm."), (r"(decoder\.layers.*)\.final_layer_norm\.", r"\1.norm3."),
    (r"(decoder\.layers.*)\.encoder_attn_text\.", r"\1.ca_text."), (r"(decoder\.layers.*)\.encoder_attn\.", r"\1.cross_attn."),
    (r"(transformer\..*)\.fc([12])\.", r"\1.linear\2."),
]
PACKED = ("query", "key", "value"), ("q_proj", "k_proj", "v_proj")


def official(state):
    out = {}
    for name, v in state.items():
        if name.endswith(("relative_position_index", "num_batches_tracked", "position_ids")) or ".swin.layernorm." in name:
            continue
        for pattern, to in NAMES:
            name = re.sub("^" + pattern, to, name) if pattern.startswith("model") else re.sub(pattern, to, name)
        out[name] = v
    for name in [n for n in out if re.search(r"\.(query|q_proj)\.weight$", n) and not n.startswith("bert.")]:
        which = next(p for p in PACKED if name.endswith(p[0] + ".weight"))
        stem = name[: -len(which[0] + ".weight")]
        for leaf in ("weight", "bias"):
            joined = torch.cat([out.pop(stem + part + "." + leaf) for part in which])
            out[stem + ("qkv." + leaf if name.startswith("backbone") else "in_proj_" + leaf)] = joined
    return out


def small():
    swin = transformers.SwinConfig(image_size=96, patch_size=4, embed_dim=8, depths=[1, 2, 2, 1], num_heads=[1, 2, 2, 4], window_size=2, mlp_ratio=2.0,
                                   out_features=["stage2", "stage3", "stage4"])
    bert = transformers.BertConfig(hidden_size=48, intermediate_size=32, num_attention_heads=12, num_hidden_layers=2, vocab_size=40, max_position_embeddings=16)
    return transformers.GroundingDinoConfig(backbone_config=swin, text_config=bert, d_model=32, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=48, decoder_ffn_dim=40,
                                            num_queries=QUERIES, max_text_len=16, encoder_n_points=2, decoder_n_points=3, decoder_bbox_embed_share=True)


def small_mm():
    c = small()
    return transformers.MMGroundingDinoConfig(
        backbone_config=c.backbone_config, text_config=c.text_config, d_model=32, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=48, decoder_ffn_dim=40, num_queries=QUERIES,
        max_text_len=16, encoder_n_points=2, decoder_n_points=3, decoder_bbox_embed_share=False, decoder_cls_embed_share=False)


def ask(model):
    # [CLS], [SEP] and "." are tokens of their own in the caption "2 words . 1 word .".
    model.model.special_tokens = torch.tensor([1, 2, 3])
    values = {}
    for name, ids, h, w in [("a", [1, 10, 11, 3, 12, 3, 2], 96, 128), ("b", [1, 20, 3, 2, 0, 0], 104, 100)]:
        ids, image = torch.tensor([ids]), torch.randn(1, 3, h, w)
        there = (ids != 0).long()
        mask, places = transformers.models.grounding_dino.modeling_grounding_dino.generate_masks_with_special_tokens_and_transfer_map(ids, model.model.special_tokens)
        out = model(pixel_values=image, input_ids=ids, attention_mask=there)
        logits = out.logits[..., : ids.shape[1]]
        values |= {name + "_img": image, name + "_ids": ids, name + "_there": there, name + "_places": places, name + "_mask": mask.long(),
                   name + "_logits": torch.where(there.bool()[:, None], logits, torch.tensor(-10000.0)), name + "_boxes": out.pred_boxes}
    return values


@torch.no_grad()
def main():
    torch.manual_seed(4)
    model = transformers.GroundingDinoForObjectDetection(small()).eval()
    randomise(model)
    model.model.decoder.bbox_embed = model.bbox_embed
    values = ask(model)
    torch.save({"model": {"module." + k: v.contiguous().clone() for k, v in official(model.state_dict()).items()}}, "gdino.pth")
    save("gdino_values.pth", values)

    torch.manual_seed(5)
    model = transformers.MMGroundingDinoForObjectDetection(small_mm()).eval()
    randomise(model)
    for p in model.parameters():
        p.data = p.data.half().float()
    for i, bias in enumerate([-1.5, 0.75]):
        model.class_embed[i].bias.fill_(bias)
    model.model.encoder_output_class_embed.bias.fill_(0.5)
    model.model.decoder.bbox_embed, model.model.decoder.class_embed = model.bbox_embed, model.class_embed
    with tempfile.TemporaryDirectory() as folder:  # the names of the hub, not those of the modules
        model.save_pretrained(folder)
        named = load_file(folder + "/model.safetensors")
    save_file({k: v.half() if v.is_floating_point() else v for k, v in named.items()}, "mm_gdino.safetensors")
    save("mm_gdino_values.pth", ask(model))


if __name__ == "__main__":
    main()
