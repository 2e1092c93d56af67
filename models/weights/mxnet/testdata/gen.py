#!/usr/bin/python3
"""Writes today.params with MXNet 1.9.1 (and NumPy below 1.24), and checks that it
reads old.params, the layout before MXNet 0.11, which this script writes by hand."""
import os
import struct

import mxnet as mx
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
values = {
    "arg:conv1a_weight": np.arange(2 * 3 * 3 * 3, dtype=np.float32).reshape(2, 3, 3, 3) / 4,
    "aux:bn7_moving_var": np.array([0.5, 1.5, 2.5], np.float32),
    "arg:half": np.array([[1, -2], [0.5, 4]], np.float16),
}
mx.nd.save(os.path.join(HERE, "today.params"), {k: mx.nd.array(v, dtype=v.dtype) for k, v in values.items()})

with open(os.path.join(HERE, "old.params"), "wb") as f:
    f.write(struct.pack("<QQQ", 0x112, 0, len(values)))
    for v in values.values():
        f.write(struct.pack("<I", v.ndim) + struct.pack("<%dI" % v.ndim, *v.shape) + struct.pack("<ii", 1, 0))
        f.write(struct.pack("<i", {np.float32: 0, np.float16: 2}[v.dtype.type]) + v.tobytes())
    f.write(struct.pack("<Q", len(values)))
    for k in values:
        f.write(struct.pack("<Q", len(k)) + k.encode())
for name in ("today", "old"):
    got = mx.nd.load(os.path.join(HERE, name + ".params"))
    for k, v in values.items():
        assert (got[k].asnumpy() == v).all(), (name, k)
