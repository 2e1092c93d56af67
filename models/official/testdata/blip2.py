"""Writes blip2.pth and eva.pth, a small BLIP-2 with random weights under the
names of LAVIS's checkpoints, blip2_tuned.pth, where the image encoder is part of
the first and in half precision, and blip2_values.pth, what LAVIS's code makes of
random inputs.

    pip download --no-deps salesforce-lavis && unzip salesforce_lavis*.whl -d lavis
    pip install torch timm transformers
    LAVIS=lavis python blip2.py
"""
import importlib.util
import os
import sys
import types
from functools import partial

import torch
import transformers
from torch import nn

from random_weights import randomise, save


def reference(path):
    """A module of LAVIS alone: the package imports more than is needed, from older versions of its requirements."""
    import timm.layers
    sys.modules.setdefault("timm.models.layers", timm.layers)
    sys.modules.setdefault("transformers.file_utils", transformers.utils)
    common = types.ModuleType("lavis.common.dist_utils")
    common.download_cached_file = None
    sys.modules.setdefault("lavis.common.dist_utils", common)
    registry = types.ModuleType("timm.models.registry")
    registry.register_model = lambda f: f
    sys.modules.setdefault("timm.models.registry", registry)
    for missing in ("find_pruneable_heads_and_indices", "prune_linear_layer", "apply_chunking_to_forward"):
        if not hasattr(transformers.modeling_utils, missing):
            setattr(transformers.modeling_utils, missing, lambda forward, size, dim, *inputs: forward(*inputs))
    spec = importlib.util.spec_from_file_location(os.path.basename(path)[:-3], os.path.join(os.environ["LAVIS"], "lavis", "models", path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class QFormer(nn.Module):
    """BertModel of LAVIS's Q-Former in its order, without what later versions of transformers lack."""

    def __init__(self, q, config):
        super().__init__()
        self.embeddings = q.BertEmbeddings(config)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList([q.BertLayer(config, i) for i in range(config.num_hidden_layers)])

    def forward(self, ids, queries, attention, image):
        x = self.embeddings(input_ids=ids, query_embeds=queries)
        bias = (1 - attention[:, None, None, :].float()) * -10000.0
        zero = torch.zeros(1, 1, 1, image.shape[1])
        for layer in self.encoder.layer:
            x = layer(x, bias, encoder_hidden_states=image, encoder_attention_mask=zero, query_length=queries.shape[1])[0]
        return x


class BLIP2(nn.Module):
    def __init__(self):
        super().__init__()
        vit, q = reference("eva_vit.py"), reference("blip2_models/Qformer.py")
        config = transformers.BertConfig(hidden_size=48, intermediate_size=32, num_attention_heads=12, num_hidden_layers=3, vocab_size=40, max_position_embeddings=36,
                                         encoder_width=32, add_cross_attention=True, cross_attention_freq=2, query_length=5)
        self.visual_encoder = vit.VisionTransformer(img_size=28, patch_size=7, use_mean_pooling=False, embed_dim=32, depth=2, num_heads=16, mlp_ratio=2, qkv_bias=True,
                                                    norm_layer=partial(nn.LayerNorm, eps=1e-6))
        self.ln_vision = nn.LayerNorm(32)
        self.Qformer = nn.Module()
        self.Qformer.bert = QFormer(q, config)
        self.query_tokens = nn.Parameter(torch.zeros(1, 5, 48))
        self.itm_head = nn.Linear(48, 2)

    def forward(self, image, ids, attention):
        embeds = self.ln_vision(self.visual_encoder(image))
        attention = torch.cat([torch.ones(1, 5, dtype=torch.long), attention], 1)
        x = self.Qformer.bert(ids, self.query_tokens, attention, embeds)
        return embeds, self.itm_head(x[:, :5]).mean(1)


@torch.no_grad()
def main():
    torch.manual_seed(4)
    model = randomise(BLIP2().eval())
    vision = "visual_encoder."
    image, ids = torch.randn(1, 3, 28, 28), torch.randint(1, 40, (1, 32))
    attention = (torch.arange(32)[None] < 7).long()
    values = {"pixel_values": image, "input_ids": ids, "attention_mask": attention}
    state = model.state_dict()
    save("eva.pth", {k[len(vision):]: v for k, v in state.items() if k.startswith(vision)})
    torch.save({"model": {k: v.clone() for k, v in state.items() if not k.startswith(vision)}}, "blip2.pth")
    values["image_embeds"], values["itm_logits"] = model(image, ids, attention)
    for name, p in model.visual_encoder.named_parameters():
        if "patch_embed" in name or "mlp" in name:
            p.data = (p.data * 1.25).half().float()
    half = {k: v.half() if k.startswith(vision) and ("patch_embed" in k or "mlp" in k) else v.clone() for k, v in model.state_dict().items()}
    torch.save({"model": half}, "blip2_tuned.pth")
    values["tuned_embeds"], values["tuned_logits"] = model(image, ids, attention)
    save("blip2_values.pth", values)


if __name__ == "__main__":
    main()
