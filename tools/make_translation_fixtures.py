"""Makes tests/data/translation: translators of many languages, tiny and random, and what transformers writes with them.

    pip install -r tools/requirements-fixtures.txt
    python tools/make_translation_fixtures.py

`nllb/` reads `eng_Latn … </s>` and is told the language to write as the first token after the decoder's start; `mbart/` reads
`… </s> en_XX`, and its text begins with the language. `expected.json` in each has texts with their ids, and what is written
greedily and by beams, for pairs of languages.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import GenerationConfig, M2M100Config, MBartConfig, MBartTokenizer, NllbTokenizer

OUT = Path(__file__).parent.parent / "tests" / "data" / "translation"
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
TEXTS = ["The dog ran to the river.", "Ada saw a red ball, and the cat did too."]
SIZES = {
    "d_model": 24, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
    "encoder_ffn_dim": 44, "decoder_ffn_dim": 52, "max_position_embeddings": 64, "scale_embedding": True,
    "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2,
}


def pieces() -> dict:
    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=80, special_tokens=SPECIAL, show_progress=False))
    return json.loads(made.to_str())["model"]


def randomize(model: torch.nn.Module, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    for name, values in model.named_parameters():
        # The embeddings are the head too: large ones would repeat the last token.
        spread = 0.2 if "shared" in name or values.dim() < 2 else 2.5 / values.shape[-1] ** 0.5
        fresh = torch.randn(values.shape, generator=random) * spread
        values.data = fresh + 1 if "norm" in name and name.endswith("weight") else fresh


def make(name: str, tokenizer, config, pairs: list[tuple[str, str]], starts: bool) -> None:
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    kind = "M2M100ForConditionalGeneration" if config.model_type == "m2m_100" else "MBartForConditionalGeneration"
    model = getattr(transformers, kind)(config).eval()
    randomize(model, len(name))
    model.generation_config = GenerationConfig(
        eos_token_id=2, pad_token_id=1, decoder_start_token_id=config.decoder_start_token_id, forced_eos_token_id=2,
        max_length=24, no_repeat_ngram_size=2,
    )
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    cases = []
    for source, target in pairs:
        tokenizer.src_lang = source
        language = tokenizer.convert_tokens_to_ids(target)
        to = {"decoder_start_token_id": language} if starts else {"forced_bos_token_id": language}
        for text in TEXTS:
            read = tokenizer(text, return_tensors="pt")
            with torch.no_grad():
                greedy = model.generate(**read, **to, do_sample=False, num_beams=1)
                beams = model.generate(**read, **to, do_sample=False, num_beams=3)
            cases.append({
                "source": source, "target": target, "text": text, "input_ids": read.input_ids[0].tolist(),
                "greedy": greedy[0].tolist(), "beams": beams[0].tolist(),
            })
    (folder / "expected.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


def main() -> None:
    model = pieces()
    nllb = NllbTokenizer(model["vocab"], [tuple(merge) for merge in model["merges"]], src_lang="eng_Latn")
    config = M2M100Config(vocab_size=len(nllb), decoder_start_token_id=2, activation_function="relu", **SIZES)
    make("nllb", nllb, config, [("eng_Latn", "fra_Latn"), ("eng_Latn", "zho_Hans"), ("deu_Latn", "fra_Latn")], False)
    scores = [(piece, 0.0 if piece in SPECIAL else -5.0 - i / 100) for i, piece in enumerate(model["vocab"])]
    mbart = MBartTokenizer(scores, src_lang="en_XX")
    start = mbart.convert_tokens_to_ids("ro_RO")
    config = MBartConfig(vocab_size=len(mbart), decoder_start_token_id=start, activation_function="gelu", **SIZES)
    make("mbart", mbart, config, [("en_XX", "ro_RO"), ("en_XX", "de_DE"), ("fr_XX", "ro_RO")], True)


if __name__ == "__main__":
    main()
