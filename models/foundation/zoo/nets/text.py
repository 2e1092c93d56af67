"""The words of the tiny text models: a BERT vocabulary of whole words, and
captions made of the scenes' class names."""
import os

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ".", "?", ","]


def vocabulary(names):
    words = sorted({w for n in names for w in n.split()})
    return SPECIAL + words


def write(path, names):
    with open(path, "w") as f:
        f.write("\n".join(vocabulary(names)) + "\n")


def caption(picked, vocab):
    """Ids of "[CLS] a . b . [SEP]" and, per phrase, its token positions."""
    ids, spans = [vocab.index("[CLS]")], []
    for name in picked:
        words = [vocab.index(w) for w in name.split()]
        spans.append((len(ids), len(ids) + len(words)))
        ids += words + [vocab.index(".")]
    return ids + [vocab.index("[SEP]")], spans


def phrases(ids, vocab):
    """Block-diagonal attention of a caption and its position ids (docs/sources.md §4)."""
    stops = {vocab.index(t) for t in ("[CLS]", "[SEP]", ".", "?")}
    n = len(ids)
    attend = [[i == j for j in range(n)] for i in range(n)]
    position, start = [0] * n, 1
    for i in range(1, n):
        if ids[i] in stops:
            for r in range(start, i + 1):
                position[r] = r - start
                for c in range(start, i + 1):
                    attend[r][c] = True
            start = i + 1
    return attend, position
