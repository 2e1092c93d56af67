#!/usr/bin/env python3
"""Writes odd_strings.json: the corpus of strings both tokenizers are held to.

Nothing in it needs ftfy, so that the references agree on what the text is;
repairs of damaged text have their own table in fixtext_test.go.
"""
import json
import random

strings = [
    "", " ", "\t\n ", "a", "A photo of a cat.", "a clean origami person with clothes,people,human.",
    "dining table . wild bird . monitor/tv .", "cat. dog.", "it's we're I'd they'll I'm you've don't",
    "IT'S DON'T WE'LL", "l'été à la plage, où ça?", "naïve café résumé Ångström", "ÀÉÎÕÜ ŠŽ", "İstanbul ıI",
    "Straße STRASSE", "ΑΒΓΔ Σίσυφος ΌΔΟΣ", "Привет, мир", "Ёлка йод", "日本語のテキスト", "中文字符混合abc123",
    "한국어 텍스트", "สวัสดีชาวโลก", "שלום עולם", "مرحبا بالعالم", "हिन्दी में पाठ", "😀 😃😄 👍🏽 👨‍👩‍👧‍👦 🏳️‍🌈", "❤️ ☃ ★ ✓",
    "1234567890", "3.14159 1,000,000 2nd 42%", "½ ² ③ Ⅳ ٣", "a1b2c3", "x²+y²=z²", "$100 €50 £20 ¥3",
    "foo_bar-baz/qux\\quux", "C++ C# .NET", "http://example.com/?q=a&b=c#d", "user@example.com",
    "<b>bold</b>", "&amp; &lt;tag&gt; &amp;amp;", "&eacute;t&#233; &#x2603;", "tom &amp;amp;amp; jerry", "a&b", "&notanentity;",
    "<|startoftext|>hello<|endoftext|>", "<|StartOfText|> mixed", "[CLS] text [SEP]", "[MASK] [UNK] [PAD] [cls]",
    "hello\u00a0world", "zero\u200bwidth\u200djoiner", "soft\u00adhyphen", "a\u0301 combining e\u0300\u0323",
    "\u2003em\u2003space\u3000wide", "line\nbreak\r\nand\ttab", "...", "!!!???", "--- *** ===", "«quoted» ‹x› „y”",
    "“curly” ‘quotes’", "em—dash en–dash … ellipsis", "a" * 99, "a" * 100, "a" * 101, "b" * 300, "word " * 120,
    "antidisestablishmentarianism", "supercalifragilisticexpialidocious", "unaffable", "tokenization subword",
    "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep sofa train tvmonitor",
    "\ue000 private \U0001f9ff", "\u0378 unassigned", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙", "𠀀𠮷 rare", "豈更車", "ﷺ", "ǅ ǈ titlecase", "ẞ ß",
    "Ⓐ ⓐ ㋿", "ª º", "ᾳ ᾼ ΐ", "o'clock 'tis 'quoted'", "'''", "x'sy'tz", "'S 'T 'Re", "a . b , c ; d", "#hashtag @mention",
    "~`^|{}", "\\n \\t", "tab\tsep", "trailing space ", "  leading", "MiXeD CaSe", "ALLCAPS",
]
rng = random.Random(7)
pools = ["abcdefghijklmnopqrstuvwxyz", "ABCXYZ'. ,", "0123456789 ", "éèüñçøåß", "αβγσς", "猫犬鳥", "😀👍🏽‍", " \t\n", "!?#&;<>/'\"-_"]
for _ in range(120):
    strings.append("".join(rng.choice(rng.choice(pools)) for _ in range(rng.randrange(1, 40))))
json.dump(strings, open("odd_strings.json", "w"), ensure_ascii=True, indent=0)
