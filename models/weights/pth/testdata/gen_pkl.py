"""Writes the pickles of NumPy arrays of the tests: python3 gen_pkl.py"""
import collections
import os
import pickle

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
count = lambda *shape: np.arange(float(np.prod(shape)), dtype=np.float32).reshape(shape)
model = collections.OrderedDict()
model["plain"] = count(2, 3)
model["fortran"] = np.asfortranarray(count(2, 3))
model["long"] = count(64, 32)  # longer than what is read at once
model["long_fortran"] = np.asfortranarray(count(64, 32))
model["scalar"] = np.array(7, dtype=np.int64)
model["empty"] = np.zeros((0, 3), dtype=np.float32)
for name in "float64 float16 int64 int32 int16 int8 uint8".split():
    model[name] = np.arange(4).astype(name)
model["bool"] = np.array([True, False])
root = {"model": model, "__author__": "third_party", "matching_heuristics": True, "objects": np.array(["a", None], dtype=object)}


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/wsss-evil-pth",)


def write(name, raw):
    with open(os.path.join(HERE, name), "wb") as f:
        f.write(raw)


if __name__ == "__main__":
    for protocol in (2, 4, 5):
        write(f"arrays{protocol}.pkl", pickle.dumps(root, protocol))
    # NumPy before 2 calls its core otherwise.
    write("arrays_old.pkl", pickle.dumps(root, 2).replace(b"numpy._core.", b"numpy.core."))
    write("arrays_evil.pkl", pickle.dumps({"x": Evil(), "weight": count(2)}, 4))
    write("arrays_big.pkl", pickle.dumps({"weight": count(2).astype(">f4")}, 4))
