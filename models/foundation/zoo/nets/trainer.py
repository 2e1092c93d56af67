"""One training loop for the whole zoo: AdamW, warm-up and cosine decay, a
moving average of the weights, and a checkpoint, so that training can be cut
into pieces of a few minutes."""
import copy
import math
import os
import time

import numpy as np
import torch


def fit(model, loss_fn, steps, minutes, ckpt, lr=1e-3, warmup=200, seed=0, average=0.0):
    """Trains until `steps` or for `minutes`; returns whether it is finished.
    loss_fn(rng) draws its own batch and returns {"loss": tensor, ...}. With
    average > 0 the model ends with the moving average of its weights."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.02)
    step, mean = 0, copy.deepcopy(model.state_dict())
    if os.path.exists(ckpt):
        state = torch.load(ckpt)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        step, mean = state["step"], state.get("mean", state["model"])
    model.train()
    start, shown = time.time(), {}
    while step < steps and time.time() - start < 60 * minutes:
        rate = lr * min(1, (step + 1) / warmup) * (0.02 + 0.49 * (1 + math.cos(math.pi * step / steps)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        out = loss_fn(np.random.default_rng((seed, step)))
        if not torch.isfinite(out["loss"]):
            raise RuntimeError(f"loss is not finite at step {step}")
        optimiser.zero_grad()
        out["loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        keep = min(average, step / (step + 10))
        for k, v in model.state_dict().items():
            if v.is_floating_point():
                mean[k].mul_(keep).add_(v, alpha=1 - keep)
        for k, v in out.items():
            shown[k] = 0.98 * shown.get(k, float(v)) + 0.02 * float(v)
        if step % 100 == 0:
            text = " ".join(f"{k} {v:.4f}" for k, v in shown.items())
            print(f"step {step}/{steps} {text} {(time.time() - start):.0f}s", flush=True)
    torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "mean": mean}, ckpt)
    if average > 0:
        model.load_state_dict(mean)
    return step >= steps
