"""Converts the folders under tests/data/models with llama.cpp's own converter, where it knows the family.

    python tools/make_fixture_ggufs.py LLAMA_CPP             # all, beside the folders as NAME.gguf
    python tools/make_fixture_ggufs.py LLAMA_CPP gpt2 t5     # these

LLAMA_CPP is a source tree of llama.cpp with `conversion/` and `gguf-py/`. The folders have no tokenizer, so each file
gets a small one of its family's kind. Weights keep the folder's type, so that its `expected.json` holds for the file.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterator

MODELS = Path(__file__).parent.parent / "tests" / "data" / "models"
LARGEST = 150 * 1024
NOT_IN_GGUF = {  # what the converter does not write, so that the folder's answers would not hold for the file
    "bloom-residual": "the residual after the norm",
    "cohere-qknorm": "that there are q/k norms: llama.cpp goes by the number of layers",
    "modernbert-cls": "biases in ModernBERT",
    "mt5": "the distance beyond which T5's relative positions are one",
    "nomic_bert": "anything: the converter reads the hub's own config, as in nomic_bert-hub",
    "falcon-rw": "ALiBi in Falcon",
    "gemma2": "the scale of attention in Gemma",
    "gpt2": "a feed-forward size other than 4 times the hidden one",
    "gpt_neox-serial": "the base of GPT-NeoX's RoPE",
    "gemma3": "a pattern of windows that is not 5:1",
    "llama-dynamic": "dynamic RoPE",
    "mistral": "the window",
    "qwen2": "the window",
    "gpt_bigcode-heads": "that all heads have keys of their own",
    "qwen3_moe-mixed": "layers without experts",
    "starcoder2": "the window",
    **dict.fromkeys(("bert-mlm", "roberta-mlm", "distilbert-mlm", "modernbert-mlm"), "the head"),
    **dict.fromkeys(("bert-classify", "bert-tokens", "bert-qa"), "the pooler, or the head"),
    **dict.fromkeys(("gpt2-classify", "llama-reward"), "the head"),
}
ALIASES = {"MptForCausalLM": "MPTForCausalLM"}
# None has a name by which runtimes know an end: the configs name it.
SPECIAL = ["<pad>", "<s>", "</s>", "<unk>", "<mask>", "<|unused_05|>"]
LETTERS = "ĠabcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?'-:;()\"#$%&*+/<=>@[]^_"
MERGES = ["t h", "th e", "Ġ a", "i n", "a n", "e r", "o n", "r e", "Ġ t", "Ġt he", "s t", "i s", "a t", "Ġ s"]


def pieces(n_vocab: int) -> tuple[list[str], list[str]]:
    """A byte-level vocabulary of this size, and its merges."""
    tokens = [*SPECIAL, *LETTERS][: n_vocab - 4]
    merges = MERGES[: n_vocab - len(tokens)]
    tokens += [merge.replace(" ", "") for merge in merges]
    return tokens + [f"[PAD{i}]" for i in range(len(tokens), n_vocab)], merges


def give_tokenizers(conversion: Any, gguf: Any) -> None:
    """Puts a small tokenizer in place of the one that the converter would read from the folder."""
    kinds = gguf.TokenType

    def base(self: Any) -> tuple[list[str], list[int], str]:
        tokens, _ = pieces(self.hparams["vocab_size"])
        return tokens, [kind(i, token) for i, token in enumerate(tokens)], "gpt-2"

    def kind(id: int, token: str) -> int:
        if token.startswith("[PAD"):
            return kinds.UNUSED
        return kinds.CONTROL if id < len(SPECIAL) else kinds.NORMAL

    def write(self: Any, model: str, pre: str) -> None:
        tokens, types, _ = base(self)
        special = gguf.SpecialVocab(self.dir_model, load_merges=False)
        if model == "gpt2":
            special.merges = pieces(len(tokens))[1]
        if model == "t5":
            tokens = [token.replace("Ġ", "\u2581") for token in tokens]
            self.gguf_writer.add_token_scores([-0.5 * i for i in range(len(tokens))])
            self.gguf_writer.add_add_space_prefix(True)
        self.gguf_writer.add_tokenizer_model(model)
        self.gguf_writer.add_tokenizer_pre(pre)
        self.gguf_writer.add_token_list(tokens)
        self.gguf_writer.add_token_types(types)
        special.add_to_gguf(self.gguf_writer)

    def bpe(self: Any) -> None:
        write(self, "gpt2", "gpt-2")

    def unigram(self: Any) -> None:
        write(self, "t5", "default")
        if self.hparams.get("type_vocab_size"):
            self.gguf_writer.add_token_type_count(self.hparams["type_vocab_size"])

    def bpe_with_types(self: Any) -> None:
        bpe(self)
        self.gguf_writer.add_token_type_count(self.hparams.get("type_vocab_size", 1))

    from conversion import bert, t5

    conversion.TextModel.get_vocab_base = base
    for model in all_subclasses(conversion.TextModel):
        if issubclass(model, (t5.T5Model, bert.XLMRobertaModel)):
            model.set_vocab = unigram
        elif issubclass(model, bert.RobertaModel):
            model.set_vocab = bpe_with_types
        elif not issubclass(model, bert.BertModel):
            model.set_vocab = bpe
        elif issubclass(model, bert.ModernBertModel):
            model._set_vocab_gpt2 = bpe


def all_subclasses(base: type) -> list[type]:
    return [found for model in base.__subclasses__() for found in (model, *all_subclasses(model))]


def as_older(config: dict[str, Any]) -> dict[str, Any]:
    """With the keys that hub folders have and that transformers 5 no longer writes."""
    rope = config.get("rope_parameters") or {}
    if config.get("multi_query") and not config["new_decoder_architecture"]:
        config = {**config, "num_kv_heads": 1}
    older = {"rotary_pct": rope.get("partial_rotary_factor"), "n_ctx": config.get("n_positions")}
    return {**{key: value for key, value in older.items() if value is not None}, **config}


def with_tokenizer(folder: Path, there: Path) -> Path:
    """A copy with the tokenizer.json that some families count their tokens by."""
    copy = Path(shutil.copytree(folder, there / folder.name))
    config = json.loads((copy / "config.json").read_text())
    tokens, merges = pieces(config["vocab_size"])
    model = {"type": "BPE", "merges": merges, "vocab": {token: i for i, token in enumerate(tokens)}}
    if "bert" in config["model_type"]:  # llama.cpp takes BERT's own ids where a WordPiece file names none
        model["type"] = "WordPiece"
        ids = {"bos": 1, "cls": 1, "eos": 2, "sep": 2, "unk": 3, "mask": 4, "pad": 0}
        config.update({f"{name}_token_id": id for name, id in ids.items()})
        (copy / "config.json").write_text(json.dumps(config))
    (copy / "tokenizer.json").write_text(json.dumps({"version": "1.0", "added_tokens": [], "model": model}))
    return copy


def keep_stacked_norms(model: type) -> None:
    """StableLM's stacked q/k norms are the value of a generator, which the converter drops."""
    rest = model.modify_tensors

    def modify_tensors(self: Any, *arguments: Any) -> Iterator[Any]:
        stacked = yield from rest(self, *arguments)
        yield from stacked or ()

    model.modify_tensors = modify_tensors


def convert(folder: Path, conversion: Any, gguf: Any) -> str:
    from conversion import ModelType, get_model_architecture, get_model_class

    types = {"F32": gguf.LlamaFileType.ALL_F32, "F16": gguf.LlamaFileType.MOSTLY_F16,
             "BF16": gguf.LlamaFileType.MOSTLY_BF16}
    file = folder.with_suffix(".gguf")
    file.unlink(missing_ok=True)
    if folder.name in NOT_IN_GGUF:
        return f"left out: the file would not say {NOT_IN_GGUF[folder.name]}"
    config = json.loads((folder / "config.json").read_text())
    own_code = config["model_type"] == "nomic_bert" and "n_embd" in config  # transformers would put its defaults
    hparams = config if own_code else as_older(conversion.ModelBase.load_hparams(folder, False))
    architecture = get_model_architecture(hparams, ModelType.TEXT)
    try:
        model = get_model_class(ALIASES.get(architecture, architecture))
    except NotImplementedError:
        return "not known to llama.cpp"
    give_tokenizers(conversion, gguf)
    if architecture == "StableLmForCausalLM":
        keep_stacked_norms(model)
    stored = json.loads((folder / "expected.json").read_text())["dtype"]
    with tempfile.TemporaryDirectory() as there:
        copy = with_tokenizer(folder, Path(there))
        model(copy, types[stored], file, model_name=folder.name, hparams=hparams).write()
    size = file.stat().st_size
    if size > LARGEST:
        file.unlink()
        return f"{size} bytes are too many"
    return f"{size / 1024:.0f} KiB"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("llama_cpp", type=Path)
    arguments.add_argument("names", nargs="*")
    options = arguments.parse_args()
    sys.path[:0] = [str(options.llama_cpp / "gguf-py"), str(options.llama_cpp)]
    import conversion
    import gguf
    import torch

    logging.disable(logging.WARNING)
    for folder in sorted(path.parent for path in MODELS.glob("*/expected.json")):
        if options.names and folder.name not in options.names:
            continue
        try:
            with torch.inference_mode():
                print(f"{folder.name}: {convert(folder, conversion, gguf)}", flush=True)
        except Exception as refusal:  # the converter refuses by many kinds
            folder.with_suffix(".gguf").unlink(missing_ok=True)
            print(f"{folder.name}: refused, {type(refusal).__name__}: {refusal}", flush=True)


if __name__ == "__main__":
    main()
