"""Makes tests/data/generation.json: what transformers' `generate` does with each key of a generation_config.json.

    pip install -r tools/requirements-fixtures.txt
    python tools/make_generation_answers.py

For some of the models in tests/data/models it lists an input and cases: the keys that the model's own generation_config.json gets
besides, and the ids that come then. Each case differs from the one without its last key, so that who ignores it is found out.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import torch
import transformers

DATA = Path(__file__).parent.parent / "tests" / "data"
NEW = 12  # tokens at the most, unless a case says otherwise
BEAMS = {"num_beams": 3}


class Model:
    def __init__(self, name: str, kind: str) -> None:
        folder = DATA / "models" / name
        self.name = name
        self.model = getattr(transformers, kind).from_pretrained(folder, dtype=torch.float32).eval()
        # What the model has of its own would come back where a key is null.
        self.model.generation_config = transformers.GenerationConfig()
        self.own = json.loads((folder / "generation_config.json").read_text())
        self.ids = json.loads((folder / "expected.json").read_text())["input_ids"][:11]
        # What decoders give begins with the prompt, what encoder-decoders give with the decoder's start.
        self.skip = 1 if self.model.config.is_encoder_decoder else len(self.ids)

    def run(self, keys: dict[str, Any]) -> list[int]:
        asked = {"max_new_tokens": NEW, "do_sample": False, **self.own, **keys}
        config = transformers.GenerationConfig(**{key: value for key, value in asked.items() if value is not None})
        with torch.no_grad():
            ids = torch.tensor([self.ids])
            found = self.model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
        return found[0, self.skip:].tolist()

    def cases(self) -> list[dict[str, Any]]:
        plain = self.run({"eos_token_id": None})
        beams = self.run({"eos_token_id": None, **BEAMS})
        # An end that comes in the middle of the plain run, so that there is something to put off.
        end = {"eos_token_id": plain[4]}
        given = 1 if self.skip == 1 else len(self.ids)
        # The last key is the one whose effect counts; tokens are such as come without it.
        wanted: list[dict[str, Any]] = [
            end,
            {**end, "min_new_tokens": 8},
            {**end, "min_length": given + 7},
            {**end, "min_length": given + 9, "min_new_tokens": 6},
            {"eos_token_id": None, "max_new_tokens": None, "max_length": given + 5},
            {"eos_token_id": None, "suppress_tokens": plain[2:4]},
            {"eos_token_id": None, "begin_suppress_tokens": plain[1 if self.skip == 1 else 0:2]},
            {"eos_token_id": None, "bad_words_ids": [plain[1:3], [plain[5]]]},
            {"eos_token_id": None, "sequence_bias": [[plain[2:4], -9.0], [[plain[6]], 1.5]]},
            {"eos_token_id": None, "sequence_bias": [[[plain[1]], 3.0]], "repetition_penalty": 1.8},
            {"eos_token_id": None, "no_repeat_ngram_size": 1},
            {"eos_token_id": None, "encoder_repetition_penalty": 4.0},
            {"eos_token_id": None, "encoder_repetition_penalty": 4.0, "encoder_no_repeat_ngram_size": 1},
            {"eos_token_id": plain[1], "min_new_tokens": 3, "exponential_decay_length_penalty": [2, 1.9]},
            {"eos_token_id": None, "forced_eos_token_id": (plain[-1] + 1) % 90},
            {"eos_token_id": None, **BEAMS},
            {"eos_token_id": None, **BEAMS, "repetition_penalty": 1.6},
            {"eos_token_id": None, **BEAMS, "encoder_repetition_penalty": 3.0},
            {"eos_token_id": beams[5], **BEAMS},
            {"eos_token_id": beams[5], **BEAMS, "min_new_tokens": 9},
            {"eos_token_id": beams[5], **BEAMS, "exponential_decay_length_penalty": [1, 1.4]},
            {"eos_token_id": None, **BEAMS, "suppress_tokens": beams[1:6]},
        ]
        # These change little: the first ends and the first tokens to suppress with which they do.
        bigger = {"num_beams": 5}
        for last in ({"early_stopping": True}, {"length_penalty": -4.0}, {"early_stopping": "never"}):
            wanted.append(self.first_with_effect([{"eos_token_id": end, **bigger, **last} for end in range(6, 95)]))
        few = [{"eos_token_id": None, **BEAMS, "suppress_tokens": [t for t in range(6, 95) if t % n == 0]} for n in range(2, 30)]
        wanted.append(self.first_with_effect([{**keys, "renormalize_logits": True} for keys in few]))
        return [{"keys": keys, "ids": self.run(keys), "has_effect": self.has_effect(keys)} for keys in wanted if keys]

    def has_effect(self, keys: dict[str, Any]) -> bool:
        """Whether the last key has any."""
        return self.run(dict(list(keys.items())[:-1])) != self.run(keys)

    def first_with_effect(self, candidates: list[dict[str, Any]]) -> dict[str, Any]:
        return next(filter(self.has_effect, candidates), {})


def main() -> None:
    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore")
    models = [Model("llama-linear", "AutoModelForCausalLM"), Model("bart", "BartForConditionalGeneration")]
    lines, effective = [], {}
    for model in models:
        for case in model.cases():
            key = list(case["keys"])[-1]
            effective[key] = case.pop("has_effect") or effective.get(key, False)
            lines.append(json.dumps({"model": model.name, "input_ids": model.ids, **case}))
    assert all(effective.values()) and len(effective) == 18, effective
    (DATA / "generation.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
