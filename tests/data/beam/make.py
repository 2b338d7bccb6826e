"""Makes cases.json: what transformers' beam search and logits processors answer for a toy model.

    pip install torch transformers
    python tests/data/beam/make.py

The toy's logits are a hash of the last two tokens, so that the Rust test computes the same ones and the file holds none.
"""

import json
import math
import random
import warnings
from pathlib import Path

import numpy as np
import torch
import transformers
from torch import nn
from transformers import GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.generation.configuration_utils import GenerationMode
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput

N_VOCAB = 48
PAD = 0
N_SEARCHES, N_ROWS = 240, 90
# Below this are the reference's copies of one beam, kept where there are not enough different ones.
COPY = -1e8


def logits(before, last, seed):
    """Scores of every next token in [-4, 4), exact in float32: `[len(last), N_VOCAB]`."""
    token = np.arange(N_VOCAB, dtype=np.uint32)[None, :]
    before, last = (np.asarray(x, dtype=np.uint32)[:, None] for x in (before, last))
    h = before * np.uint32(0x9E3779B1) + last * np.uint32(0x85EBCA77) + token * np.uint32(0xC2B2AE3D)
    h += np.uint32(seed * 0x27D4EB2F & 0xFFFFFFFF)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0x2C1B3C6D)
    h = (h ^ (h >> np.uint32(12))) * np.uint32(0x297A2D39)
    h ^= h >> np.uint32(15)
    return (h >> np.uint32(8)).astype(np.float32) / np.float32(2**21) - np.float32(4)


class Encoder(nn.Module):
    main_input_name = "input_ids"

    def forward(self, input_ids, **_):
        return BaseModelOutput(last_hidden_state=torch.zeros(*input_ids.shape, 1))


class Toy(PreTrainedModel, GenerationMixin):
    config_class = PretrainedConfig
    main_input_name = "input_ids"

    def __init__(self, case):
        super().__init__(PretrainedConfig(is_encoder_decoder="source" in case, vocab_size=N_VOCAB))
        self.unused = nn.Parameter(torch.zeros(1))
        self.encoder = Encoder()
        self.case = case
        self.steps = 0

    def get_encoder(self, *_, **__):
        return self.encoder

    def prepare_inputs_for_generation(self, ids, *_, **__):
        return {"ids": ids}

    def forward(self, ids=None, return_dict=True, **_):
        self.steps += 1
        ids = ids.numpy()
        before = ids[:, -2] if ids.shape[1] > 1 else np.zeros(len(ids))
        scores = logits(before, ids[:, -1], self.case["seed"])
        scores[:, self.case["eos"]] += np.float32(self.case["eos_bias"])
        return Seq2SeqLMOutput(logits=torch.from_numpy(scores)[:, None, :])


def generation_config(case):
    options = {**case["beam"], **case["process"]}
    if "sequence_bias" in options:
        options["sequence_bias"] = [[ids, float(bias)] for ids, bias in options["sequence_bias"]]
    return GenerationConfig(
        pad_token_id=PAD, eos_token_id=case["eos"] or None, use_cache=False, max_length=case["max_length"],
        decoder_start_token_id=case["prompt"][0],  # else it is put before the prompt
        return_dict_in_generate=True, output_scores=True, do_sample=False, **options,
    )


@torch.no_grad()
def search(case):
    model, config = Toy(case), generation_config(case)
    prompt = torch.tensor([case["prompt"]])
    if "source" in case:
        source = torch.tensor([case["source"]])
        out = model.generate(source, decoder_input_ids=prompt, generation_config=config)
    else:
        out = model.generate(prompt, generation_config=config)
    hypotheses = []
    for ids, score, beams in zip(out.sequences, out.sequences_scores, out.beam_indices):
        n_new = int((beams >= 0).sum())
        new = ids[len(case["prompt"]) :][:n_new].tolist()
        if score > COPY:
            hypotheses.append({"ids": new, "score": float(score)})
    assert hypotheses, case
    return {"steps": model.steps, "hypotheses": hypotheses}


@torch.no_grad()
def row(case):
    """The scores after every processor, of `ids`, which begin with `prompt`."""
    model, config = Toy(case), generation_config(case)
    model._prepare_special_tokens(config, kwargs_has_attention_mask=True)
    source = torch.tensor([case.get("source", case["prompt"])])
    processors = model._get_logits_processor(
        config, input_ids_seq_length=len(case["prompt"]), encoder_input_ids=source, device="cpu"
    )
    ids = case["ids"]
    before = ids[-2] if len(ids) > 1 else 0
    scores = torch.from_numpy(logits([before], [ids[-1]], case["seed"])).log_softmax(-1)
    scores = processors(torch.tensor([ids]), scores)[0].tolist()
    return [None if math.isinf(x) else x for x in scores]


def process_options(rng, case, chance):
    """Each option with a chance, so that some cases have many and some none."""
    token = lambda: rng.randrange(1, N_VOCAB)
    some = lambda n: [token() for _ in range(rng.randint(1, n))]
    n_prompt, max_length = len(case["prompt"]), case["max_length"]
    made = {
        "sequence_bias": lambda: [[[t], rng.choice([-6.0, -1.5, 2.5])] for t in set(some(4))]
        + [[[token(), t], rng.choice([-4.0, 3.0])] for t in set(some(12))],
        "encoder_repetition_penalty": lambda: rng.choice([0.7, 1.3]),
        "repetition_penalty": lambda: rng.choice([0.8, 1.2, 1.7]),
        "no_repeat_ngram_size": lambda: rng.randint(1, 3),
        "encoder_no_repeat_ngram_size": lambda: rng.randint(1, 2),
        "bad_words_ids": lambda: [some(1) for _ in range(3)] + [[token(), t] for t in some(12)] + [case["eos"][:1] or [1]],
        "min_length": lambda: n_prompt + rng.randint(1, 6),
        "min_new_tokens": lambda: rng.randint(1, 6),
        # Not an end, after which the reference goes on with copies that are worth nothing.
        "forced_bos_token_id": lambda: rng.choice([t for t in range(1, N_VOCAB) if t not in case["eos"]]),
        "forced_eos_token_id": lambda: rng.choice([case["eos"] or token(), token()]),
        "exponential_decay_length_penalty": lambda: [rng.randint(0, 3), rng.choice([0.6, 1.1, 1.4])],
        "suppress_tokens": lambda: some(6),
        "begin_suppress_tokens": lambda: some(6),
        "renormalize_logits": lambda: True,
    }
    if not case["eos"]:
        made.pop("exponential_decay_length_penalty")
    options = {name: make() for name, make in made.items() if rng.random() < chance}
    forced = [options.get("forced_bos_token_id"), *np.ravel(options.get("forced_eos_token_id", []))]
    for name in {"suppress_tokens", "begin_suppress_tokens"} & options.keys():
        options[name] = [t for t in options[name] if t not in forced]
    return options


def base(rng):
    case = {"seed": rng.randrange(2**16), "eos_bias": rng.choice([-3.0, 0.0, 2.0, 4.0])}
    case["eos"] = rng.sample(range(1, N_VOCAB), rng.choice([0, 1, 1, 1, 2, 3]))
    case["prompt"] = [rng.randrange(1, N_VOCAB) for _ in range(rng.choice([1, 1, 2, 6]))]
    if rng.random() < 0.5:
        case["source"] = [rng.randrange(1, N_VOCAB) for _ in range(rng.randint(1, 8))]
    case["max_length"] = len(case["prompt"]) + rng.choice([1, 2, 4, 8, 12, 20])
    return case


def search_case(rng):
    case = base(rng)
    num_beams = rng.randint(1, 6)
    case["beam"] = {
        "num_beams": num_beams,
        "num_return_sequences": rng.choice([1, num_beams, rng.randint(1, num_beams)]),
        "length_penalty": rng.choice([-1.0, 0.0, 0.6, 1.0, 1.0, 2.0]),
        "early_stopping": rng.choice([True, False, "never"]),
    }
    case["process"] = process_options(rng, case, rng.choice([0.0, 0.1, 0.3]))
    # Tokens that are forced together are equally good, and which of equals the reference takes is left to chance.
    if isinstance(forced := case["process"].get("forced_eos_token_id"), list):
        case["process"]["forced_eos_token_id"] = forced[0]
    return case


def row_case(rng):
    case = base(rng)
    n_new = rng.randrange(case["max_length"] - len(case["prompt"]))
    # Few different tokens, so that sequences repeat.
    few = rng.sample(range(1, N_VOCAB), 3)
    case["prompt"] = [rng.choice(few) for _ in case["prompt"]]
    case["ids"] = case["prompt"] + [rng.choice(few) for _ in range(n_new)]
    case["beam"] = {}
    case["process"] = process_options(rng, case, rng.choice([0.1, 0.2, 0.4]))
    return case


def main():
    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore")  # about lengths that cannot be kept
    # One beam is beam search too, though `generate` takes the greedy way for it.
    GenerationConfig.get_generation_mode = lambda *_: GenerationMode.BEAM_SEARCH
    rng = random.Random(20260101)
    searches = [search_case(rng) for _ in range(N_SEARCHES)]
    rows = [row_case(rng) for _ in range(N_ROWS)]
    for case in searches:
        case["expected"] = search(case)
    for case in rows:
        case["expected"] = row(case)
    lines = lambda cases: ",\n".join(json.dumps(round_floats(case), separators=(",", ":")) for case in cases)
    text = f'{{"transformers":"{transformers.__version__}","n_vocab":{N_VOCAB},\n'
    text += f'"searches":[\n{lines(searches)}\n],\n"rows":[\n{lines(rows)}\n]}}\n'
    (Path(__file__).parent / "cases.json").write_text(text)


def round_floats(x):
    if isinstance(x, float):
        return float(f"{x:.7g}")
    if isinstance(x, dict):
        return {key: round_floats(value) for key, value in x.items()}
    return [round_floats(value) for value in x] if isinstance(x, list) else x


main()
