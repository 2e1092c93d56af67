"""A tiny CLIP vocabulary in the published form: a merges file that builds each
known word letter by letter, and the encoder that reads it."""


def alphabet():
    """Bytes as printable characters, in the order of CLIP's token ids."""
    shown = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    chars = {b: chr(b) for b in shown}
    for b in range(256):
        if b not in chars:
            chars[b] = chr(256 + len(chars) - len(shown))
    return chars


def merges(words):
    """Left-to-right merges for each word, those of earlier words first."""
    out = []
    for word in words:
        parts = list(word[:-1]) + [word[-1] + "</w>"]
        while len(parts) > 1:
            if (parts[0], parts[1]) not in out:
                out.append((parts[0], parts[1]))
            parts = [parts[0] + parts[1]] + parts[2:]
    return out


class Vocabulary:
    def __init__(self, words):
        self.merges = merges(words)
        self.rank = {m: i for i, m in enumerate(self.merges)}
        letters = list(alphabet().values())
        tokens = letters + [c + "</w>" for c in letters] + ["".join(m) for m in self.merges]
        tokens += ["<|startoftext|>", "<|endoftext|>"]
        self.ids = {t: i for i, t in enumerate(tokens)}
        self.size = len(tokens)

    def word(self, text):
        parts = list(text[:-1]) + [text[-1] + "</w>"]
        while len(parts) > 1:
            pairs = [(self.rank.get((a, b), 1 << 30), i) for i, (a, b) in enumerate(zip(parts, parts[1:]))]
            best, i = min(pairs)
            if best == 1 << 30:
                break
            parts[i:i + 2] = [parts[i] + parts[i + 1]]
        return [self.ids[p] for p in parts]

    def encode(self, text, context):
        ids = [self.size - 2]
        for w in text.replace(".", " .").split():
            ids += self.word(w)
        ids.append(self.size - 1)
        return ids + [0] * (context - len(ids))

    def write(self, path):
        with open(path, "w") as f:
            f.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in self.merges))
