"""Writes the character tables of src/text/unicode, asked of the reference itself, the Python package `tokenizers` (each part
of it has another version of Unicode):

* categories.bin, scripts.bin: what `\\p{Lu}` and `\\p{Han}` mean to regular expressions;
* classes.bin: what is punctuation to a pre-tokenizer (bit 0), a mark to `strip_accents` (1) and to `StripAccents` (2), and
  what `clean_text` leaves out (3);
* combining.bin: canonical combining classes;
* canonical.bin, compatible.bin: full decompositions.

Runs are the code points from 0: one byte for the class, then the run's length as LEB128. Decompositions are in the order of
their code points, all numbers LEB128: the distance from the one before, twice the number of characters (plus 1 if they
compose again), the characters.
"""

import pathlib
import unicodedata

from tokenizers import Regex, normalizers, pre_tokenizers

CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn".split()
# Run class 0 is "none of these".
SCRIPTS = (
    "- Han Hiragana Katakana Hangul Bopomofo Latin Greek Cyrillic Armenian Georgian Hebrew Arabic Devanagari Bengali "
    "Tamil Telugu Thai Lao Tibetan Myanmar Khmer Ethiopic"
).split()
FOLDER = pathlib.Path(__file__).parent.parent / "src/text/unicode"
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


def runs(classes):
    out, start = bytearray(), 0
    for at in range(1, 0x110001):
        if at == 0x110000 or classes[at] != classes[start]:
            out.append(classes[start])
            out += leb128(at - start)
            start = at
    return bytes(out)


def table(names, default):
    classes = bytearray([default]) * 0x110000
    for i, name in enumerate(names):
        if name not in ("-", "Cs"):
            for c in members(name):
                classes[c] = i
    return runs(classes)


def character_classes():
    quiet = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}
    cleans, strips = (normalizers.BertNormalizer(**{**quiet, flag: True}) for flag in ("clean_text", "strip_accents"))
    accents, bert = normalizers.StripAccents(), pre_tokenizers.BertPreTokenizer()
    classes = bytearray(0x110000)
    for c in TEXT:
        is_punctuation = len(bert.pre_tokenize_str(f"a{c}b")) == 3
        removed = (step.normalize_str(c) == "" for step in (strips, accents, cleans))
        classes[ord(c)] = sum(bit << i for i, bit in enumerate((is_punctuation, *removed)))
    return runs(classes)


def combining_classes():
    nfd, classes = normalizers.NFD(), bytearray(0x110000)
    for c in TEXT:
        # The reference does not know newer marks: U+0345, whose class is the highest, stays before them.
        if unicodedata.combining(c) and (c == "\u0345" or nfd.normalize_str("a\u0345" + c)[-1] == "\u0345"):
            classes[ord(c)] = unicodedata.combining(c)
    return runs(classes)


def decompositions(of, but=None):
    nfc, out, before = normalizers.NFC(), bytearray(), 0
    for c in TEXT:
        parts = of.normalize_str(c)
        # Hangul syllables decompose by arithmetic.
        if parts == c or "\uac00" <= c <= "\ud7a3" or (but and but.normalize_str(c) == parts):
            continue
        composes = not but and nfc.normalize_str(c) == c
        out += leb128(ord(c) - before) + leb128(2 * len(parts) + composes)
        out += b"".join(leb128(ord(part)) for part in parts)
        before = ord(c)
        if composes:
            # The last of its parts and the composition of those before make it, which saves a table of pairs.
            first, second = (chr(int(code, 16)) for code in unicodedata.decomposition(c).split())
            assert (nfc.normalize_str(parts[:-1]), parts[-1]) == (first, second), hex(ord(c))
    return bytes(out)


TABLES = {
    "categories.bin": table(CATEGORIES, CATEGORIES.index("Cs")),
    "scripts.bin": table(SCRIPTS, 0),
    "classes.bin": character_classes(),
    "combining.bin": combining_classes(),
    "canonical.bin": decompositions(normalizers.NFD()),
    "compatible.bin": decompositions(normalizers.NFKD(), but=normalizers.NFD()),
}
for name, data in TABLES.items():
    (FOLDER / name).write_bytes(data)
    print(name, len(data))
