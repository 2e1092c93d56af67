"""Writes ram.pth and ram_plus.pth, small Recognize Anything taggers with random
weights under the official names, and ram_values.pth, what the reference code
makes of a random image.

    git clone https://github.com/xinyu1205/recognize-anything
    pip install torch timm scipy transformers
    RAM_REPOSITORY=recognize-anything python ram.py
"""
import importlib.util
import os
import sys

import torch
import transformers
from torch import nn

from random_weights import randomise, save


def reference(name):
    """A module of the repository alone: the package imports more than is needed, from older versions of its requirements."""
    import timm.layers
    sys.modules.setdefault("timm.models.layers", timm.layers)
    sys.modules.setdefault("transformers.file_utils", transformers.utils)
    utils = transformers.modeling_utils
    for missing in ("find_pruneable_heads_and_indices", "prune_linear_layer", "apply_chunking_to_forward"):
        if not hasattr(utils, missing):
            setattr(utils, missing, chunked)
    path = os.path.join(os.environ["RAM_REPOSITORY"], "ram", "models", name + ".py")
    spec = importlib.util.spec_from_file_location("ram_" + name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def chunked(forward, chunk_size, chunk_dim, *inputs):
    return forward(*inputs)


SWIN = dict(img_size=96, patch_size=4, in_chans=3, embed_dim=8, depths=[2, 2, 2, 1], num_heads=[1, 2, 2, 4], window_size=3, mlp_ratio=1.0,
            qkv_bias=True, ape=False, patch_norm=True)


class Tagger(nn.Module):
    """The parts of RAM and RAM++ that tag an image, and how they are put together."""

    def __init__(self, tags, plus, shape=SWIN, width=48, inner=64, embed=32):
        super().__init__()
        swin, bert = reference("swin_transformer"), reference("bert")
        config = transformers.BertConfig(hidden_size=width, intermediate_size=inner, num_attention_heads=4, num_hidden_layers=2, vocab_size=8, max_position_embeddings=8,
                                         layer_norm_eps=1e-12, encoder_width=embed, add_cross_attention=True, add_tag_cross_attention=False)
        self.plus, self.tags = plus, tags
        self.visual_encoder = swin.SwinTransformer(**shape)
        self.tagging_head = nn.Module()
        self.tagging_head.encoder = nn.Module()
        self.tagging_head.encoder.layer = nn.ModuleList([bert.BertLayer(config, i) for i in range(2)])
        for layer in self.tagging_head.encoder.layer:
            del layer.attention
        self.label_embed = nn.Parameter(torch.zeros(tags * (51 if plus else 1), embed))
        self.wordvec_proj, self.fc = nn.Linear(embed, width), nn.Linear(width, 1)
        self.image_proj = nn.Linear(shape["embed_dim"] * 8, embed)
        if plus:
            self.reweight_scale = nn.Parameter(torch.zeros(()))

    def forward(self, image):
        embeds = self.image_proj(self.visual_encoder(image))
        labels = self.label_embed
        if self.plus:
            cls = embeds[:, 0] / embeds[:, 0].norm(dim=-1, keepdim=True)
            fit = (self.reweight_scale.exp() * cls @ labels.t()).view(1, -1, 51).softmax(2)
            labels = (fit[0].unsqueeze(-1) * labels.view(-1, 51, labels.shape[1])).sum(1)
        x = torch.relu(self.wordvec_proj(labels)).unsqueeze(0)
        for layer in self.tagging_head.encoder.layer:
            x = layer(x, encoder_hidden_states=embeds, encoder_attention_mask=torch.zeros(1, 1, 1, embeds.shape[1]), mode="tagging")[0]
        return self.fc(x).squeeze(-1)


@torch.no_grad()
def main():
    torch.manual_seed(2)
    image = torch.randn(1, 3, 96, 96)
    values = {"image": image}
    for name, plus in [("ram", False), ("ram_plus", True)]:
        # Every number of the weights has to matter: scales as of a trained network.
        model = randomise(Tagger(5, plus).eval())
        keep = {k: v for k, v in model.state_dict().items() if "position_index" not in k and "attn_mask" not in k}
        torch.save({"model": {k: v.clone() for k, v in keep.items()}}, name + ".pth")
        values[name] = model(image)
    save("ram_values.pth", values)


if __name__ == "__main__":
    main()
