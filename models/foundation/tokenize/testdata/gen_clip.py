#!/usr/bin/env python3
"""Writes clip_ids.json: CLIP token ids of odd_strings.json.

An independent implementation of the algorithm (docs/sources.md §7) on Python's own
`html` and the `regex` and `ftfy` (6.3) packages, which the original uses too. Usage: gen_clip.py bpe_simple_vocab_16e6.txt.gz
"""
import gzip
import html
import json
import sys

import ftfy
import regex

printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
chars = {b: chr(b) for b in printable}
for n, b in enumerate(b for b in range(256) if b not in chars):
    chars[b] = chr(256 + n)
order = [chars[b] for b in printable] + [chars[b] for b in range(256) if b not in printable]

lines = gzip.open(sys.argv[1]).read().decode("utf-8").split("\n")[1 : 48894 + 1]
merges = {tuple(line.split()): rank for rank, line in enumerate(lines)}
vocab = order + [c + "</w>" for c in order] + ["".join(m) for m in merges] + ["<|startoftext|>", "<|endoftext|>"]
ids = {token: i for i, token in enumerate(vocab)}
pattern = regex.compile(
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", regex.IGNORECASE
)

def merge(parts):
    while True:
        ranked = [(merges[p], i) for i, p in enumerate(zip(parts, parts[1:])) if p in merges]
        if not ranked:
            return parts
        left, right = lines[min(ranked)[0]].split()
        out, i = [], 0
        while i < len(parts):
            if parts[i] == left and parts[i + 1 : i + 2] == [right]:
                out.append(left + right)
                i += 2
            else:
                out.append(parts[i])
                i += 1
        parts = out

def encode(text):
    text = ftfy.fix_text(text)
    text = html.unescape(html.unescape(text)).strip()
    text = regex.sub(r"\s+", " ", text).strip().lower()
    out = []
    for word in regex.findall(pattern, text):
        if word in ("<|startoftext|>", "<|endoftext|>"):
            out.append(ids[word])
            continue
        parts = [chars[b] for b in word.encode("utf-8")]
        parts[-1] += "</w>"
        out += [ids[p] for p in merge(parts)]
    return out

json.dump([encode(s) for s in json.load(open("odd_strings.json"))], open("clip_ids.json", "w"))
