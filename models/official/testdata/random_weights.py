"""Random weights that leave nothing at zero or one, where a mistake would hide."""
import torch


def randomise(model, scale=0.2):
    for name, p in sorted(model.named_parameters()) + sorted(model.named_buffers()):
        if not p.dtype.is_floating_point or name.endswith("attn_mask"):  # no weight
            continue
        noise = torch.randn_like(p) * scale
        if name.endswith("running_var"):
            p.data.copy_(1 + noise.abs())
        elif p.dim() == 1 and name.endswith("weight"):  # of a norm
            p.data.copy_(1 + noise)
        elif p.dim() > 1 and name.endswith("weight"):
            p.data.copy_(noise * (16 / max(16, p[0].numel())) ** 0.5 * 2)
        else:
            p.data.copy_(noise)
    return model


def save(path, tensors):
    """contiguous() makes every tensor a storage of its own."""
    torch.save({k: v.contiguous().clone() for k, v in tensors.items()}, path)
