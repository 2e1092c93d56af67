"""Networks of their published sizes with random weights, and what the reference
packages make of random inputs, for TestFullSize:

    python full_size.py sam|sam2|ram|qformer FOLDER
    WSSS_OFFICIAL=FOLDER go test ./models/official -run FullSize -v

Beside what sam.py, sam2_small.py, ram.py and blip2.py need, 2.6, 0.2, 0.9 and 0.8 GB of
disk, and some 6, 2, 3 and 3 GB of memory. sam2 is SAM 2.1 tiny by transformers.
"""
import os
import sys

import torch
import transformers
from torch import nn

from random_weights import randomise, save


def sam():
    from segment_anything import sam_model_registry
    model = randomise(sam_model_registry["vit_h"]().eval(), 0.1)
    image = torch.randn(1, 3, 1024, 1024)
    return model.state_dict(), {"pixel_values": image, "image_embeddings": model.image_encoder(image)}


def sam2():
    model = randomise(transformers.Sam2Model(transformers.Sam2Config()).eval(), 0.1)
    image = torch.randn(1, 3, 1024, 1024)
    return model.state_dict(), {"image": image, "image_embed": model.get_image_embeddings(image)[-1]}


def ram():
    from ram import Tagger
    shape = dict(img_size=384, patch_size=4, in_chans=3, embed_dim=192, depths=[2, 2, 18, 2], num_heads=[6, 12, 24, 48], window_size=12, mlp_ratio=4.0,
                 qkv_bias=True, ape=False, patch_norm=True)
    model = randomise(Tagger(4585, False, shape, 768, 3072, 512).eval(), 0.1)
    image = torch.randn(1, 3, 384, 384)
    keep = {k: v for k, v in model.state_dict().items() if "position_index" not in k and "attn_mask" not in k}
    return keep, {"image": image, "logits": model(image)}


def qformer():
    from blip2 import QFormer, reference
    q = reference("blip2_models/Qformer.py")
    config = transformers.BertConfig(encoder_width=1408, add_cross_attention=True, cross_attention_freq=2, query_length=32)
    config.vocab_size += 1
    model = nn.Module()
    model.Qformer = nn.Module()
    model.Qformer.bert = QFormer(q, config)
    model.query_tokens = nn.Parameter(torch.zeros(1, 32, 768))
    model.itm_head = nn.Linear(768, 2)
    randomise(model.eval(), 0.1)
    image, ids = torch.randn(1, 257, 1408), torch.randint(1, 30000, (1, 32))
    attention = (torch.arange(32)[None] < 9).long()
    x = model.Qformer.bert(ids, model.query_tokens, torch.cat([torch.ones(1, 32, dtype=torch.long), attention], 1), image)
    return model.state_dict(), {"image_embeds": image, "input_ids": ids, "attention_mask": attention, "itm_logits": model.itm_head(x[:, :32]).mean(1)}


@torch.no_grad()
def main():
    kind, folder = sys.argv[1:]
    torch.manual_seed(5)
    weights, values = {"sam": sam, "sam2": sam2, "ram": ram, "qformer": qformer}[kind]()
    os.makedirs(folder, exist_ok=True)
    torch.save(weights, os.path.join(folder, kind + ".pth"))
    save(os.path.join(folder, kind + "_values.pth"), values)


if __name__ == "__main__":
    main()
