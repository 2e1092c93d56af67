"""Makes the fixtures of the npy tests. Run in this folder with NumPy 1.24.

Every numeric file holds 0..5 in shape (2, 3); object files say what they hold.
"""
import pickle

import numpy as np

values = np.arange(6).reshape(2, 3)
for name in ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">f4", ">i2"]:
    np.save(name.replace(">", "be_") + ".npy", values.astype(name))
np.save("b1.npy", values % 2 == 1)
np.save("fortran.npy", np.asfortranarray(np.arange(24, dtype="f4").reshape(2, 3, 4)))
np.save("negative.npy", np.array([[-1, 2, -3], [4, -5, 6]], dtype="i2"))
np.save("empty.npy", np.zeros((0, 3), dtype="f4"))
np.save("text.npy", np.array(["a", "b"]))


def save_pickle(path, obj, protocol):
    """np.save with another pickle protocol."""
    with open(path, "wb") as f:
        np.lib.format.write_array_header_1_0(f, {"descr": "|O", "fortran_order": False, "shape": ()})
        pickle.dump(np.array(obj, dtype=object), f, protocol=protocol)


labels = {
    np.int32(2007000032): np.array([1, 0, 1], dtype=np.float32),
    2008000001: np.array([0, 0, 0], dtype=np.float64),
    "2009_000003": np.array([0, 1, 0], dtype=np.uint8),
}
for protocol in [2, 3, 4, 5]:
    save_pickle(f"labels_p{protocol}.npy", labels, protocol)
save_pickle("cam.npy", {
    "keys": np.array([3, 14]),
    "high_res": np.arange(12, dtype=np.float32).reshape(2, 2, 3),
    "scale": 0.5, "none": None, "ok": True, "list": [1, (2, -3)], "raw": b"\x00\xff", "big": 1 << 40,
}, 3)


class Evil:
    def __reduce__(self):
        import os
        return os.system, ("touch /tmp/wsss-evil",)


save_pickle("evil.npy", {"x": Evil()}, 2)
