"""Exports the test files of package load; nothing is trained."""
from . import signatures


def run(folder, ckpt, steps, minutes, out):
    signatures.export(out)
    return True
