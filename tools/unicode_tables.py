"""Writes the character tables of src/text/regex: what `\\p{Lu}` and `\\p{Han}` mean to the regular expressions of a
tokenizer.json, asked of the reference itself (Oniguruma inside the Python package `tokenizers`).

Each table is the code points from 0 in runs: one byte for the class, then the run's length as LEB128.
"""

import pathlib

from tokenizers import Regex, pre_tokenizers

CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn".split()
# Run class 0 is "none of these".
SCRIPTS = (
    "- Han Hiragana Katakana Hangul Bopomofo Latin Greek Cyrillic Armenian Georgian Hebrew Arabic Devanagari Bengali "
    "Tamil Telugu Thai Lao Tibetan Myanmar Khmer Ethiopic"
).split()
FOLDER = pathlib.Path(__file__).parent.parent / "src/text/regex"
SURROGATES = range(0xD800, 0xE000)
TEXT = "".join(chr(c) for c in range(0x110000) if c not in SURROGATES)


def members(name):
    split = pre_tokenizers.Split(Regex(rf"\p{{{name}}}+"), "removed", invert=True)
    for _, (start, end) in split.pre_tokenize_str(TEXT):
        # Places in TEXT, which leaves the surrogates out.
        yield from (at if at < SURROGATES.start else at + len(SURROGATES) for at in range(start, end))


def leb128(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def table(names, default):
    classes = bytearray([default]) * 0x110000
    for i, name in enumerate(names):
        if name not in ("-", "Cs"):
            for c in members(name):
                classes[c] = i
    out, start = bytearray(), 0
    for at in range(1, 0x110001):
        if at == 0x110000 or classes[at] != classes[start]:
            out.append(classes[start])
            out += leb128(at - start)
            start = at
    return bytes(out)


categories = table(CATEGORIES, CATEGORIES.index("Cs"))
scripts = table(SCRIPTS, 0)
(FOLDER / "categories.bin").write_bytes(categories)
(FOLDER / "scripts.bin").write_bytes(scripts)
print(len(categories), len(scripts))
