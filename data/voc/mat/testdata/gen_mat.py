"""Writes the .mat fixtures with scipy, in the structure of the Semantic
Boundaries Dataset: /usr/bin/python3 gen_mat.py (scipy 1.10).

Pixel (x, y) of the 5x4 matrix is (3*x + 7*y) % 21.
"""
import os
import numpy as np
import scipy.io
import scipy.sparse

here = os.path.dirname(os.path.abspath(__file__))
y, x = np.mgrid[0:4, 0:5]
seg = (3 * x + 7 * y) % 21


def gt(segmentation):
    boundaries = np.empty((20, 1), dtype=object)
    for i in range(20):
        boundaries[i, 0] = scipy.sparse.csc_matrix(seg == i)
    return {"Boundaries": boundaries, "Segmentation": segmentation, "CategoriesPresent": np.arange(1, 4)}


def save(name, variables, **kw):
    scipy.io.savemat(os.path.join(here, name), variables, **kw)


save("sbd.mat", {"GTcls": gt(seg.astype(np.uint8))}, do_compression=True)
save("plain.mat", {"other": np.ones((2, 2)), "GTcls": gt(seg.astype(np.uint8))})
save("double.mat", {"GTcls": gt(seg.astype(np.float64))}, do_compression=True)
save("int16.mat", {"GTinst": gt(seg.astype(np.int16))})
save("negative.mat", {"GTcls": gt(-seg.astype(np.int8))})
save("text.mat", {"GTcls": {"Segmentation": "text"}})
