"""Writes sam.pth, a small Segment Anything with random weights under the
official names, and sam_values.pth, what the reference package makes of random
inputs.

    pip install torch segment-anything
    python sam.py
"""
import torch
from segment_anything.utils.onnx import SamOnnxModel
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

from random_weights import randomise, save


def small():
    encoder = ImageEncoderViT(img_size=64, patch_size=16, embed_dim=16, depth=3, num_heads=2, mlp_ratio=2, out_chans=32, qkv_bias=True,
                              norm_layer=lambda n: torch.nn.LayerNorm(n, eps=1e-6), use_rel_pos=True, window_size=3, global_attn_indexes=(1,))
    prompts = PromptEncoder(embed_dim=32, image_embedding_size=(4, 4), input_image_size=(64, 64), mask_in_chans=8)
    decoder = MaskDecoder(transformer_dim=32, transformer=TwoWayTransformer(depth=2, embedding_dim=32, mlp_dim=24, num_heads=8), iou_head_depth=3, iou_head_hidden_dim=16)
    return Sam(encoder, prompts, decoder)



@torch.no_grad()
def main():
    torch.manual_seed(1)
    sam = randomise(small().eval())
    save("sam.pth", sam.state_dict())
    image = torch.randn(1, 3, 64, 64)
    embedding = sam.image_encoder(image)
    coords = torch.tensor([[[3.0, 5], [60, 33], [0, 0]], [[10.0, 12], [50, 40], [31, 30]]])
    labels = torch.tensor([[1.0, 0, -1], [2, 3, 1]])
    mask = torch.randn(2, 1, 16, 16) * 4
    values = {"pixel_values": image, "image_embeddings": embedding, "point_coords": coords, "point_labels": labels, "mask_input": mask}
    exported = SamOnnxModel(sam, return_single_mask=False)  # takes corners of boxes among points
    boxes = coords[1:, :2].reshape(1, 4)
    for name, sparse, dense in [
        ("none", exported._embed_points(coords, labels), None),
        ("mask", exported._embed_points(coords, labels), mask),
        # The same through the public call: a point with its padding, a box.
        ("point", sam.prompt_encoder(points=(coords[:1, :1], labels[:1, :1]), boxes=None, masks=None)[0], None),
        ("box", sam.prompt_encoder(points=None, boxes=boxes, masks=None)[0], None),
    ]:
        k = sparse.shape[0]
        if dense is None:
            dense = sam.prompt_encoder.no_mask_embed.weight.reshape(1, -1, 1, 1).expand(k, -1, 4, 4)
        else:
            dense = sam.prompt_encoder._embed_masks(dense)
        low, iou = sam.mask_decoder.predict_masks(embedding, sam.prompt_encoder.get_dense_pe(), sparse, dense)
        values[name + "_low"], values[name + "_iou"] = low, iou
    save("sam_values.pth", values)


if __name__ == "__main__":
    main()
