"""Exports the tiny BLIP-2, which is not trained, with its vocabulary."""
from . import blip2, scenes, text


def run(folder, ckpt, steps, minutes, out):
    names = scenes.names(folder)
    blip2.export(len(text.vocabulary(names)), out)
    text.write(f"{out}/blip2_vocab.txt", names)
    return True
