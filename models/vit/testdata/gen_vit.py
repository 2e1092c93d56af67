#!/usr/bin/env python3
"""Writes what package vit is compared with.

    pip install torch transformers timm safetensors
    python gen_vit.py

<kind>.safetensors, facebook.pth   a tiny network's weights, random, as float16
openai.pt                          those of clip.safetensors in an archive of TorchScript by
                                   OpenAI's names, beside a tower of texts
parity.safetensors                 its tokens for made-up pictures, and gradients
"""
import os

import timm
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

HERE = os.path.dirname(os.path.abspath(__file__))
KW = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2)


def picture(h, w):
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    planes = [((x * 7 + y * 3 + c * 40 + x * y // 8) % 256).float() / 128 - 1 for c in range(3)]
    return torch.stack(planes)[None]


def shake(net):
    for name, p in sorted(net.named_parameters()):
        if p.dim() > 1:
            torch.nn.init.normal_(p, std=0.15)
        elif name.endswith("bias"):
            torch.nn.init.normal_(p, std=0.3)
        else:
            torch.nn.init.uniform_(p, 0.5, 1.5)
        p.data = p.data.half().float()
    return net.eval()


def save(net, kind):
    """The names of the hub, not those of the modules."""
    net.save_pretrained("/tmp/vit-parity")
    named = load_file("/tmp/vit-parity/model.safetensors")
    save_file({k: v.half() for k, v in named.items()}, os.path.join(HERE, kind + ".safetensors"))


class Tree(torch.nn.Module):
    """Modules that hold tensors by their dotted names."""

    def __init__(self, named):
        super().__init__()
        below = {}
        for k, v in named.items():
            head, _, rest = k.partition(".")
            if rest:
                below.setdefault(head, {})[rest] = v
            else:
                self.register_parameter(head, torch.nn.Parameter(v)) if v.is_floating_point() else self.register_buffer(head, v)
        for head, rest in below.items():
            self.add_module(head, Tree(rest))

    def forward(self, x: torch.Tensor):
        return x


def openai():
    old, named = load_file(os.path.join(HERE, "clip.safetensors")), {}
    for k, v in old.items():
        k = k.removeprefix("vision_model.").replace("encoder.layers.", "transformer.resblocks.").replace("layer_norm", "ln_").replace("mlp.fc1", "mlp.c_fc").replace("mlp.fc2", "mlp.c_proj")
        k = k.replace("self_attn.out_proj", "attn.out_proj").replace("pre_layrnorm", "ln_pre").replace("post_layernorm", "ln_post")
        k = {"embeddings.class_embedding": "class_embedding", "embeddings.position_embedding.weight": "positional_embedding", "embeddings.patch_embedding.weight": "conv1.weight"}.get(k, k)
        named[k] = v
    for k in [k for k in named if "self_attn.q_proj" in k]:
        named[k.replace("self_attn.q_proj.", "attn.in_proj_")] = torch.cat([named.pop(k.replace("q_proj", p + "_proj")) for p in "qkv"])
    named = {"visual." + k: v for k, v in named.items()} | {"visual.proj": torch.zeros(32, 8)}
    named |= {"transformer.resblocks.0.ln_1.weight": torch.ones(24), "transformer.resblocks.0.attn.in_proj_weight": torch.zeros(72, 24), "positional_embedding": torch.zeros(9, 24),
              "token_embedding.weight": torch.zeros(12, 24), "ln_final.weight": torch.ones(24), "text_projection": torch.zeros(24, 8), "logit_scale": torch.tensor(1.0), "input_resolution": torch.tensor(40)}
    torch.jit.script(Tree(named)).save(os.path.join(HERE, "openai.pt"))


def main():
    torch.manual_seed(0)
    out = {}
    dino = shake(hf.Dinov2Model(hf.Dinov2Config(image_size=35, patch_size=7, mlp_ratio=2, **KW)))
    save(dino, "dinov2")
    regs = shake(hf.Dinov2WithRegistersModel(hf.Dinov2WithRegistersConfig(image_size=35, patch_size=7, mlp_ratio=2, num_register_tokens=3, **KW)))
    save(regs, "registers")
    plain = shake(hf.ViTModel(hf.ViTConfig(image_size=40, patch_size=8, intermediate_size=64, layer_norm_eps=1e-6, **KW), add_pooling_layer=False))
    save(plain, "vit")
    for kind, net, p in [("dinov2", dino, 7), ("registers", regs, 7), ("vit", plain, 8)]:
        for size, (h, w) in {"same": (5, 5), "wide": (4, 9), "small": (2, 3)}.items():
            kw = {"interpolate_pos_encoding": True} if kind == "vit" else {}
            y = net(pixel_values=picture(h * p, w * p), **kw).last_hidden_state
            out[f"{kind}.{size}"] = y.detach()
    # Gradients of the mean square of all tokens.
    x = picture(28, 42)
    regs.zero_grad()
    regs(pixel_values=x).last_hidden_state.square().mean().backward()
    for ours, theirs in [("pos_embed", regs.embeddings.position_embeddings), ("patch_embed.proj.weight", regs.embeddings.patch_embeddings.projection.weight),
                         ("register_tokens", regs.embeddings.register_tokens), ("blocks.0.ls1.gamma", regs.encoder.layer[0].layer_scale1.lambda1),
                         ("blocks.0.norm1.weight", regs.encoder.layer[0].norm1.weight), ("blocks.1.mlp.fc1.weight", regs.encoder.layer[1].mlp.fc1.weight)]:
        out["grad." + ours] = theirs.grad
    a = regs.encoder.layer[0].attention
    out["grad.blocks.0.attn.qkv.weight"] = torch.cat([a.q_proj.weight.grad, a.k_proj.weight.grad, a.v_proj.weight.grad])

    clip = shake(hf.CLIPVisionModel(hf.CLIPVisionConfig(image_size=40, patch_size=8, intermediate_size=64, **KW)))
    save(clip, "clip")
    last = clip(pixel_values=picture(32, 72), interpolate_pos_encoding=True).last_hidden_state
    out["clip.wide"] = clip.post_layernorm(last).detach()

    small = dict(img_size=40, patch_size=8, embed_dim=32, depth=2, num_heads=2, mlp_ratio=2, num_classes=0, global_pool="")
    timm_regs = shake(timm.models.VisionTransformer(reg_tokens=3, no_embed_class=True, init_values=1.0, dynamic_img_size=True, **small))
    save_file({k: v.half() for k, v in timm_regs.state_dict().items()}, os.path.join(HERE, "timm.safetensors"))
    out["timm.wide"] = timm_regs.forward_features(picture(32, 72)).detach()

    # The names of Facebook's dinov2 for the network with registers, as its
    # training writes them.
    named, old = {}, regs.state_dict()
    for k in old:
        new = k.replace("encoder.layer.", "blocks.0.").replace("layer_scale", "ls").replace("lambda1", "gamma").replace("layernorm", "norm")
        new = new.replace("embeddings.patch_embeddings.projection", "patch_embed.proj").replace("embeddings.position_embeddings", "pos_embed")
        new = new.replace("embeddings.", "").replace("attention.o_proj", "attn.proj")
        if "q_proj" in new:
            named[new.replace("attention.q_proj", "attn.qkv")] = torch.cat([old[k], old[k.replace("q_proj", "k_proj")], old[k.replace("q_proj", "v_proj")]])
        elif "k_proj" not in new and "v_proj" not in new:
            named[new] = old[k]
    torch.save({"teacher": {"backbone." + k: v.half().clone() for k, v in named.items()}}, os.path.join(HERE, "facebook.pth"))
    save_file({k: v.contiguous().clone() for k, v in out.items()}, os.path.join(HERE, "parity.safetensors"))
    openai()


if __name__ == "__main__":
    main()
