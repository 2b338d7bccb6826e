"""Makes tests/data/models: tiny random models of every family with the reference's answers.

    pip install -r tools/requirements-fixtures.txt
    python tools/make_fixtures.py            # all
    python tools/make_fixtures.py gpt2 t5    # these
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Callable

import torch
import transformers
from torch import nn

from fixtures import answers, encoder_answers, seq2seq_answers, weights
from fixtures.decoders import DECODERS
from fixtures.encoders import ENCODERS
from fixtures.seq2seq import SEQ2SEQ
from fixtures.spec import Fixture

OUT = Path(__file__).parent.parent / "tests" / "data" / "models"
ATTEMPTS = 2000
MARGIN = 0.01  # of the range, at every greedy step; half of it where the first half of the attempts fail
DISTINCT = 6  # ids in a greedy run: a model that repeats itself tests little

Answer = Callable[[nn.Module, Fixture, int], dict[str, Any]]


def greedy_quality(greedy: list[int], steps: torch.Tensor, fixture: Fixture) -> tuple[float, int | None]:
    """The margin of a greedy run, 0 where it is dull, and the id that ends it."""
    eos = answers.choose_eos(greedy)
    unended = eos is None or (fixture.want.get("fixed_eos") and eos != fixture.config["eos_token_id"])
    return 0.0 if unended or len(set(greedy)) < DISTINCT else answers.margin(steps), eos


def open_ended(model: nn.Module, fixture: Fixture, attempt: int) -> tuple[list[int], torch.Tensor]:
    """The ids of a decoder's greedy run, and their steps' logits."""
    ids = fixture.ids(fixture.prompt, attempt)
    whole, steps = answers.generate(model, ids, max_new_tokens=fixture.new)
    return whole[len(ids):], steps


def make_writer(fixture: Fixture) -> str:
    """A model that writes: its seed must give a clear greedy run."""
    if fixture in SEQ2SEQ:
        kind, greedy, answer = "encoder-decoder", seq2seq_answers.open_ended, seq2seq_answers.answers
    else:
        kind, greedy, answer = "decoder", open_ended, answers.decoder
    model = weights.build(fixture)
    for attempt in range(ATTEMPTS):
        weights.randomize(model, fixture, attempt)
        quality, eos = greedy_quality(*greedy(model, fixture, attempt), fixture)
        if quality < (MARGIN if attempt < ATTEMPTS / 2 else MARGIN / 2):
            continue
        try:
            return write(model, fixture, attempt, eos, kind, answer)
        except answers.Unusable as reason:
            print(reason)
    raise SystemExit(f"{fixture.name}: no seed is clear enough")


def make_encoder(fixture: Fixture) -> str:
    model = weights.build(fixture)
    for attempt in range(ATTEMPTS):
        weights.randomize(model, fixture, attempt)
        if encoder_answers.clearness(model, fixture, attempt) >= MARGIN:
            return write(model, fixture, attempt, None, "encoder", encoder_answers.answers)
    raise SystemExit(f"{fixture.name}: no seed is clear enough")


def write(model: nn.Module, fixture: Fixture, attempt: int, eos: int | None, kind: str, answer: Answer) -> str:
    """Saves the model, loads it as anyone would, and keeps what that one answers."""
    folder = OUT / fixture.name
    weights.randomize(model, fixture, attempt)
    weights.save(model, fixture, folder, eos)
    loaded = weights.load(fixture, folder)
    answers.forget(model)
    weights.assert_same(fixture, model, loaded)
    if fixture.ntk:
        weights.scale_ntk(loaded, fixture.ntk)
    found = answer(loaded, fixture, attempt)
    weights.publish(fixture, folder)
    expected = {
        "family": fixture.model_type, "kind": kind, "architecture": fixture.architecture, "dtype": fixture.dtype,
        **found,
    }
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")
    size = sum(path.stat().st_size for path in folder.iterdir())
    return f"{size / 1024:.0f} KiB, seed {attempt}"


def make(fixture: Fixture) -> str:
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return f"{fixture.name}: {make_encoder(fixture) if fixture in ENCODERS else make_writer(fixture)}"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("names", nargs="*", help="fixtures to make; all where none is named")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    options = arguments.parse_args()
    every = DECODERS + ENCODERS + SEQ2SEQ
    chosen = [fixture for fixture in every if not options.names or fixture.name in options.names]
    with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool:
        for line in pool.map(make, chosen):
            print(line, flush=True)


if __name__ == "__main__":
    main()
