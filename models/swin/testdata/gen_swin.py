"""Writes a tiny Swin of transformers with random weights, and what it gives for a
made-up picture: tiny.safetensors and parity.safetensors. names.json has the names
and shapes of the tensors of Swin-T in the files of Hugging Face and timm.

    python gen_swin.py    (torch, transformers, timm, safetensors)
"""
import json
import torch
from safetensors.torch import save_file
from transformers import SwinConfig, SwinBackbone, SwinModel

torch.manual_seed(1)


def picture(h, w):
    y, x, c = torch.meshgrid(torch.arange(h), torch.arange(w), torch.arange(3), indexing="ij")
    return (((x * 7 + y * 3 + c * 40 + x * y // 8) % 256) / 128.0 - 1).permute(2, 0, 1)[None].float()


config = SwinConfig(embed_dim=4, depths=[2, 2, 2, 1], num_heads=[1, 2, 2, 4], window_size=3, drop_path_rate=0.0,
                    out_features=["stage1", "stage2", "stage3", "stage4"])
net = SwinBackbone(config).eval()
for p in net.parameters():
    p.data = torch.randn_like(p) * (0.3 if p.dim() > 1 else 0.1) + (1.0 if p.dim() == 1 and p.mean() > 0.5 else 0.0)
net.requires_grad_(True)
# As save_pretrained writes them: the names of Hugging Face's published files.
net.save_pretrained("/tmp/gen_swin")
from safetensors.torch import load_file
import os
stored = load_file("/tmp/gen_swin/model.safetensors")
stored = {k: v for k, v in stored.items() if not k.startswith("layernorm") and "swin.layernorm" not in k}
save_file(stored, "tiny.safetensors")
out = {}
for name, (h, w) in {"even": (64, 96), "odd": (45, 67)}.items():
    maps = net(picture(h, w)).feature_maps
    for i, m in enumerate(maps):
        out[f"stage{i}.{name}"] = m.detach().permute(0, 2, 3, 1).contiguous()
    if name == "odd":
        sum((m * torch.linspace(-1, 1, m.shape[1])[None, :, None, None]).sum() for m in maps).backward()
swin = net.swin
block = swin.encoder.layers[1].blocks[1]
a = block.attention
out["grad.layers.1.blocks.1.attn.qkv.weight"] = torch.cat([a.q_proj.weight.grad, a.k_proj.weight.grad, a.v_proj.weight.grad])
out["grad.layers.1.blocks.1.attn.relative_position_bias_table"] = a.relative_position_bias.relative_position_bias_table.grad
out["grad.layers.0.downsample.reduction.weight"] = swin.encoder.layers[0].downsample.reduction.weight.grad
out["grad.patch_embed.proj.weight"] = swin.embeddings.patch_embeddings.projection.weight.grad
out["grad.layers.3.blocks.0.mlp.fc1.bias"] = swin.encoder.layers[3].blocks[0].mlp.fc1.bias.grad
save_file({k: v.contiguous() for k, v in out.items()}, "parity.safetensors")

import timm
names = {"huggingface": {}, "timm": {}}
hf = SwinModel(SwinConfig(embed_dim=96, depths=[2, 2, 6, 2], num_heads=[3, 6, 12, 24], window_size=7))
hf.save_pretrained("/tmp/gen_swin_t")
for k, v in load_file("/tmp/gen_swin_t/model.safetensors").items():
    names["huggingface"][k] = list(v.shape)
for k, v in timm.create_model("swin_tiny_patch4_window7_224", pretrained=False).state_dict().items():
    names["timm"][k] = list(v.shape)
json.dump(names, open("names.json", "w"), indent=0, sort_keys=True)
print(os.path.getsize("tiny.safetensors"), os.path.getsize("parity.safetensors"), os.path.getsize("names.json"))
print([k for k in stored][:12])
print([k for k in names["timm"] if "downsample" in k], [k for k in names["huggingface"]][:20])
