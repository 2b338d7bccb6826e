"""Trains small tokenizers of every kind and writes what the Python package `tokenizers` makes of random texts.

    python tests/data/make_tokenizers.py                              # the samples beside this file
    python tests/data/make_tokenizers.py --count 10000 --out FOLDER   # many more, for INTAB_TOKENIZERS=FOLDER
    python tests/data/make_tokenizers.py --from tokenizer.json … --count 10000 --out FOLDER

`NAME.json` is a tokenizer.json, `NAME.gguf` the same as metadata. `NAME.cases.json` lists cases, each `[text, second text or
null, ids, type ids, places in bytes, words, text without special tokens, text with them]`; `words` is -1 where there is none. A
case without a text decodes random ids only. Where there is a GGUF file only, the cases are SentencePiece's own: texts and ids,
nothing around them and special tokens plain text. `tests/tokenizer_json.rs` reads them. Needs: tokenizers, sentencepiece, gguf.
"""

import argparse
import base64
import io
import json
import pathlib
import random

import gguf
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent
BLOCKS = [
    (0x20, 0x7E), (0xA0, 0xFF), (0x100, 0x24F), (0x250, 0x2FF), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x52F), (0x531, 0x5F4),
    (0x600, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F), (0xF00, 0xFBF), (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F),
    (0x2070, 0x218F), (0x2200, 0x22FF), (0x2460, 0x24FF), (0x2580, 0x259F), (0x3000, 0x30FF), (0x3200, 0x33FF),
    (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xE000, 0xE0FF), (0xF900, 0xFAFF), (0xFB00, 0xFB4F), (0xFE00, 0xFE6F),
    (0xFF00, 0xFFEF), (0x10400, 0x1044F), (0x1D400, 0x1D7FF), (0x1F130, 0x1F1FF), (0x1F300, 0x1F6FF), (0x1F900, 0x1F9FF),
    (0x20000, 0x2A6DF), (0x2F800, 0x2FA1F), (0xE0100, 0xE01EF),
]
WHITE = " \t\n\r\u00a0\u1680\u2003\u2028\u3000\u0085\u200b\ufeff"
ODD = "\0\x01\x7f\u00ad\u200c\u200d\u2581\ufffd\U0010ffff'’\u0345\u0f73\u0130ßſ\u212a½²Ⅷⓐ"
WORDS = (
    "the of and a to in is that it was I for on you he be with as by at have are this not but had his they from she which or "
    "we an were there been one all their has would what will if can her when him who no more out do so said up its about than "
    "don't can't I'll WE'VE He's running walked unbelievable internationalization naïve café Zürich Ελλάδα Москва Привет мир "
    "日本語 東京 中文 한국어 مرحبا שלום हिन्दी ภาษาไทย 3.14159 2024 12345678 https://example.org/a?b=c foo_bar fooBar HTML5 "
    "e\u0301le\u0300ve ﬁn ＦＵＬＬ 👩‍👩‍👧 🇩🇪 ---- === !!! ... «quoted» (x+y)*z [1, 2] {a: b} <b>bold</b> <unk> </s>"
).split(" ")


def piece(rng, specials):
    kind = rng.random()
    if kind < 0.45:
        word = rng.choice(WORDS)
        return word if rng.random() < 0.8 else word.upper() if rng.random() < 0.5 else word.title()
    if kind < 0.62:
        return rng.choice(WHITE) * (1 if rng.random() < 0.7 else rng.randrange(2, 5))
    if kind < 0.72:
        return " "
    if kind < 0.77 and specials:
        return rng.choice(specials)
    if kind < 0.82:
        return rng.choice(ODD)
    if kind < 0.84:
        while True:
            c = rng.randrange(0x110000)
            if not 0xD800 <= c < 0xE000:
                return chr(c)
    first, last = rng.choice(BLOCKS)
    return "".join(chr(rng.randint(first, last)) for _ in range(rng.randrange(1, 5)))


def text(rng, specials):
    out = []
    for _ in range(rng.choice([0, 1, 1, 2, 3, 4, 5, 6, 8, 10, 14])):
        out.append(piece(rng, specials))
        if rng.random() < 0.45:
            out.append(" ")
    return "".join(out)


def cases(tokenizer, count, rng):
    tokenizer.no_truncation()
    tokenizer.no_padding()
    specials = [token.content for token in tokenizer.get_added_tokens_decoder().values()][:40]
    n_ids = tokenizer.get_vocab_size()
    for i in range(count):
        if i % 8 == 7:
            ids = [rng.randrange(n_ids) for _ in range(rng.randrange(12))]
            yield [None, None, ids, [], [], [], *(tokenizer.decode(ids, skip_special_tokens=skip) for skip in (True, False))]
            continue
        first, second = text(rng, specials), text(rng, specials) if i % 4 == 1 else None
        encoding = tokenizer.encode(first, second)
        bytes_of = [[0], [0]]
        for table, source in zip(bytes_of, (first, second or "")):
            for c in source:
                table.append(table[-1] + len(c.encode()))
        places = []
        for (start, end), sequence in zip(encoding.offsets, encoding.sequence_ids):
            table = bytes_of[sequence or 0]
            places += [table[start], table[end]] if sequence is not None else [0, 0]
        words = [-1 if word is None else word for word in encoding.word_ids]
        decoded = (tokenizer.decode(encoding.ids, skip_special_tokens=skip) for skip in (True, False))
        yield [first, second, encoding.ids, encoding.type_ids, places, words, *decoded]


CORPUS = [" ".join(WORDS[(i * 7 + j * j) % len(WORDS)] for j in range(12)) for i in range(400)]
CORPUS += [word.lower() for word in WORDS] * 3


def byte_level(vocab, words=None, **options):
    tokenizer = Tokenizer(models.BPE(**options))
    byte = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=words is None)
    tokenizer.pre_tokenizer = byte if words is None else pre_tokenizers.Sequence([*words, byte])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=vocab, special_tokens=["<|end|>"], initial_alphabet=alphabet))
    return tokenizer


def template(tokenizer, single, pair):
    specials = [(token, tokenizer.token_to_id(token)) for token in sorted({t.split(":")[0] for t in pair.split() if t[0] != "$"})]
    return processors.TemplateProcessing(single=single, pair=pair, special_tokens=specials)


def gpt2():
    tokenizer = byte_level(500)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def roberta():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    specials = ["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True, special=True)]
    trainer = trainers.BpeTrainer(vocab_size=520, special_tokens=specials, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=True)
    return tokenizer


CL100K = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def llama3():
    tokenizer = byte_level(500, [pre_tokenizers.Split(Regex(CL100K), "isolated")], ignore_merges=True)
    tokenizer.add_special_tokens(["<|begin|>", "<|eot|>"])
    tokenizer.add_tokens([AddedToken("fooBar", single_word=True), AddedToken("----", normalized=False, rstrip=True)])
    around = template(tokenizer, "<|begin|> $A", "<|begin|> $A <|begin|>:1 $B:1")
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True), around])
    return tokenizer


def gpt4o():
    tokenizer = byte_level(480, [pre_tokenizers.Split(Regex(O200K), "isolated")])
    tokenizer.normalizer = normalizers.NFC()
    return tokenizer


def falcon():
    words = [pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.Digits()]
    tokenizer = byte_level(480, words)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*words, pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")])
    return tokenizer


def starcoder():
    return byte_level(480, [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])


def sentencepiece_bpe(add):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    specials = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=800, special_tokens=specials, limit_alphabet=90))
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = state["added_tokens"][:3]
    tokenizer = Tokenizer.from_str(json.dumps(state))
    add(tokenizer)
    tokenizer.add_special_tokens([AddedToken("<|user|>", rstrip=True)])
    tokenizer.add_tokens([AddedToken("walked", normalized=True), AddedToken("  ", normalized=False)])
    tokenizer.post_processor = template(tokenizer, "<s> $A", "<s> $A <s>:1 $B:1")
    return tokenizer


def llama2():
    def add(tokenizer):
        tokenizer.pre_tokenizer = None
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        whole = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        tokenizer.decoder = decoders.Sequence(whole)

    return sentencepiece_bpe(add)


def gemma():
    def add(tokenizer):
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
        tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])

    return sentencepiece_bpe(add)


def metaspace_first():
    def add(tokenizer):
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        whole = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        tokenizer.decoder = decoders.Sequence(whole)

    return sentencepiece_bpe(add)


def trained(rules, **options):
    """A SentencePiece model with replacements of its own, or with its usual ones (`None`)."""
    out, options = io.BytesIO(), {"normalization_rule_name": "nmt_nfkc", **options}
    if rules is not None:
        file = pathlib.Path("/tmp/rules.tsv")
        code = lambda text: " ".join(f"{ord(c):X}" for c in text)
        file.write_text("".join(f"{code(old)}\t{code(new)}\n" for old, new in rules.items()))
        options["normalization_rule_tsv"] = str(file)
        del options["normalization_rule_name"]
    options = {"vocab_size": 300, "character_coverage": 0.98, "hard_vocab_limit": False, "minloglevel": 2, **options}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS), model_writer=out, **options)
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(out.getvalue())
    return model


def charsmap(rules):
    return trained(rules).normalizer_spec.precompiled_charsmap


RULES = {
    "ﬁ": "fi", "½": "1⁄2", "²": "2", "Ⅷ": "VIII", "\u0301": "", "e\u0301": "é", "e\u0300": "è", "\u200b": " ", "\t": " ",
    "\n": " ", "\r": " ", "\u3000": " ", "\u00a0": " ", "Ａ": "A", "Ｌ": "L", "Ｆ": "F", "Ｕ": "U", "ab": "x", "가": "각", "\u1100\u1161": "가",
    "…": "...", "🇩🇪": "DE", "\u00ad": "", "\ufeff": "",
}


def unigram(steps, specials, unk, **train):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=train.pop("vocab", 500), special_tokens=specials, unk_token=unk, **train)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def precompiled(rules):
    return normalizers.Precompiled(charsmap(rules))


def t5(rules=RULES):
    steps = [precompiled(rules), normalizers.Replace(Regex(" {2,}"), " ")]
    tokenizer = unigram(steps, ["<pad>", "</s>", "<unk>"], "<unk>")
    tokenizer.add_special_tokens(["<extra_id_0>"])
    tokenizer.post_processor = template(tokenizer, "$A </s>", "$A </s> $B </s>")
    return tokenizer


def t5_whole():
    return t5(None)


def xlm_roberta(rules=RULES):
    steps = [precompiled(rules), normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")]
    specials = ["<s>", "<pad>", "</s>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokenizer = unigram(steps, specials, "<unk>", vocab=700)
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = state["added_tokens"][:4]
    state["model"]["byte_fallback"] = True
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    tokenizer.post_processor = template(tokenizer, "<s> $A </s>", "<s> $A </s> </s> $B </s>")
    return tokenizer


def albert():
    quotes = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
    steps = [*quotes, normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Nmt()]
    tokenizer = unigram(steps, ["<pad>", "<unk>", "[CLS]", "[SEP]"], "<unk>")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.post_processor = template(tokenizer, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1")
    return tokenizer


def bert(most_chars=100, **options):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=most_chars))
    tokenizer.normalizer = normalizers.BertNormalizer(**options)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=500, special_tokens=specials, limit_alphabet=150))
    return tokenizer


def bert_uncased():
    tokenizer = bert()
    tokenizer.post_processor = template(tokenizer, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1")
    return tokenizer


def bert_cased():
    tokenizer = bert(20, lowercase=False, strip_accents=False)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def clip():
    tokenizer = Tokenizer(models.BPE(unk_token="<|end|>", end_of_word_suffix="</w>", continuing_subword_prefix=""))
    spaces = normalizers.Replace(Regex(r"\s+"), " ")
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), spaces, normalizers.Lowercase()])
    words = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    byte = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(words, "removed", invert=True), byte])
    tokenizer.decoder = decoders.BPEDecoder()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=["<|start|>", "<|end|>"], initial_alphabet=alphabet, end_of_word_suffix="</w>"
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    ends = template(tokenizer, "<|start|> $A <|end|>", "<|start|> $A <|end|> $B <|end|>")
    tokenizer.post_processor = ends
    return tokenizer


def prefix_bpe():
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]", continuing_subword_prefix="##"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=["[UNK]"], continuing_subword_prefix="##", limit_alphabet=90)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    return tokenizer


def word_level():
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.CharDelimiterSplit("e"), pre_tokenizers.Whitespace()])
    tokenizer.train_from_iterator(CORPUS, trainers.WordLevelTrainer(vocab_size=200, special_tokens=["<unk>"]))
    return tokenizer


KINDS = [
    gpt2, roberta, llama3, gpt4o, falcon, starcoder, llama2, gemma, metaspace_first, t5, xlm_roberta, albert, bert_uncased,
    bert_cased, clip, prefix_bpe, word_level,
]

def write_gguf(path, kind, tokens, types, **more):
    writer = gguf.GGUFWriter(path, "none")
    writer.add_tokenizer_model(kind)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    for key, value in more.items():
        key = f"tokenizer.ggml.{key}"
        if isinstance(value, bytes):
            # As bytes, which the writer has no method for.
            writer.add_key_value(key, list(value), gguf.GGUFValueType.ARRAY, sub_type=gguf.GGUFValueType.UINT8)
        elif isinstance(value, list):
            writer.add_array(key, value)
        elif isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        else:
            writer.add_string(key, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def gpt2_gguf(state, path):
    model = state["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    types = [3 if token == "<|end|>" else 1 for token in tokens]
    write_gguf(path, "gpt2", tokens, types, merges=[" ".join(pair) for pair in model["merges"]], pre="gpt-2")


def bert_gguf(state, path):
    vocab = state["model"]["vocab"]
    tokens = sorted(vocab, key=vocab.get)
    spell = lambda token: token if token[0] == "[" and token[-1] == "]" else token[2:] if token[:2] == "##" else "▁" + token
    types = [3 if i < 5 else 1 for i in range(len(tokens))]
    roles = {"unknown_token_id": 1, "cls_token_id": 2, "seperator_token_id": 3, "mask_token_id": 4, "padding_token_id": 0}
    write_gguf(path, "bert", [spell(token) for token in tokens], types, **roles)


def sentencepiece_gguf(kind, model, path):
    types = [piece.type for piece in model.pieces]
    spec = model.normalizer_spec
    more = {"precompiled_charsmap": spec.precompiled_charsmap} if kind == "t5" else {}
    write_gguf(
        path, kind, [piece.piece for piece in model.pieces], types, scores=[piece.score for piece in model.pieces],
        add_space_prefix=spec.add_dummy_prefix, remove_extra_whitespaces=spec.remove_extra_whitespaces, unknown_token_id=0, **more
    )


LLAMA = {
    "model_type": "bpe", "byte_fallback": True, "vocab_size": 700, "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
}
GGUF = {"gpt2": gpt2_gguf, "bert-uncased": bert_gguf}
SENTENCEPIECE = {
    "sentencepiece-unigram": ("t5", lambda: trained(RULES)),
    "sentencepiece-bytes": ("t5", lambda: trained(RULES, byte_fallback=True, vocab_size=560)),
    "sentencepiece-bpe": ("llama", lambda: trained(None, **LLAMA)),
    # Around such tokens llama.cpp puts spaces that SentencePiece does not, unless there are none.
    "sentencepiece-user": (
        "llama", lambda: trained(None, **LLAMA, add_dummy_prefix=False, user_defined_symbols=["fooBar", "----"])
    ),
}


def sentencepiece_cases(model, count, rng):
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())
    for _ in range(count):
        # It takes U+2581 for a space, and ends a text at a zero.
        source = text(rng, ["<s>", "</s>", "<unk>", "fooBar"]).replace("▁", "_").replace("\0", "")
        yield [source, None, processor.encode(source), [], [], [], None, None]


arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--count", type=int, default=100)
arguments.add_argument("--out", type=pathlib.Path, default=HERE / "tokenizers")
arguments.add_argument("--seed", type=int, default=1)
arguments.add_argument("--from", dest="files", nargs="*", type=pathlib.Path, default=[])
arguments.add_argument("--only", nargs="*", default=None)
arguments = arguments.parse_args()

arguments.out.mkdir(parents=True, exist_ok=True)
made = {f"{i}-{path.parent.name}": (lambda path=path: Tokenizer.from_file(str(path))) for i, path in enumerate(arguments.files)}
made = made or {kind.__name__.replace("_", "-"): kind for kind in KINDS}
if arguments.count > 1000 and not arguments.files:
    made["t5-whole"] = t5_whole
for name, make in made.items():
    if arguments.only and name not in arguments.only:
        continue
    # As the test reads it: the file's text rounds some scores.
    state = json.dumps(json.loads(make().to_str()), ensure_ascii=False, separators=(",", ":"))
    tokenizer = Tokenizer.from_str(state)
    lines = [json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases(tokenizer, arguments.count, random.Random(arguments.seed))]
    (arguments.out / f"{name}.json").write_text(state)
    (arguments.out / f"{name}.cases.json").write_text("[" + ",\n".join(lines) + "]\n")
    if name in GGUF:
        GGUF[name](json.loads(state), arguments.out / f"{name}.gguf")
    print(f"{name}: {len(state)} bytes, {arguments.count} cases, {sum(map(len, lines))} bytes", flush=True)
for name, (kind, make) in SENTENCEPIECE.items() if not arguments.files else []:
    model = make()
    rng = random.Random(arguments.seed)
    lines = [json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in sentencepiece_cases(model, arguments.count, rng)]
    (arguments.out / f"{name}.cases.json").write_text("[" + ",\n".join(lines) + "]\n")
    sentencepiece_gguf(kind, model, arguments.out / f"{name}.gguf")
    print(f"{name}: {arguments.count} cases", flush=True)
