"""Random walks over dense affinity matrices, straight from docs/sources.md §11.2 and
11.3, in float64. Needs NumPy. Run it in its folder."""
import json

import numpy as np

H, W, RADIUS, BETA, SQUARINGS = 9, 11, 5, 10, 3


def line(dy, dx):
    """Pixels less than one pixel away from the line (0,0)-(dy,dx)."""
    ys, xs = range(min(0, dy), max(0, dy) + 1), range(min(0, dx), max(0, dx) + 1)
    return [(y, x) for y in ys for x in xs if (dy * x - dx * y) ** 2 / (dy * dy + dx * dx) < 1]


def dense(affinity):
    a = np.eye(H * W)
    for y in range(H):
        for x in range(W):
            for v in range(H):
                for u in range(W):
                    if (v, u) != (y, x) and (v - y) ** 2 + (u - x) ** 2 < RADIUS ** 2:
                        a[y * W + x, v * W + u] = affinity(y, x, v, u)
    return a


def walk(x, a):
    t = a ** BETA
    t = t / t.sum(0, keepdims=True)
    for _ in range(SQUARINGS):
        t = t @ t
    return x @ t


rng = np.random.RandomState(3)
edges = np.round(rng.rand(H, W) ** 3, 3)
features = np.round(rng.rand(4, H, W) * 0.3, 3)
scores = np.round(rng.rand(2, H * W), 3)

by_edges = dense(lambda y, x, v, u: 1 - max(edges[y + a, x + b] for a, b in line(v - y, u - x)))
by_features = dense(lambda y, x, v, u: np.exp(-np.abs(features[:, y, x] - features[:, v, u]).mean()))
assert np.allclose(by_edges, by_edges.T)

json.dump({
    "h": H, "w": W, "radius": RADIUS, "beta": BETA, "squarings": SQUARINGS,
    "edges": edges.ravel().tolist(), "features": features.ravel().tolist(), "scores": scores.tolist(),
    "by_edges": walk(scores, by_edges).tolist(), "by_features": walk(scores, by_features).tolist(),
}, open("walk.json", "w"))
