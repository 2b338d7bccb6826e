"""Writes a trained checkpoint as one GGUF file with its tokenizer inside, and proves it right.

    python tools/export_gguf.py --reference --samples 10

The file is read back, dequantized, and run by the same PyTorch model; its tokenizer is rebuilt from
the file's metadata alone. Both must agree with what was trained, and the held-out perplexity of the
quantized weights is printed beside that of the float weights.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import gguf
import torch
from tokenizers import Tokenizer

from stories_data import DEFAULT_CORPORA, REPEATS, REPO, SEPARATOR, Story, load_stories, split
from train_default import DEFAULT_OUT, StoryModel, load_checkpoint, read_gguf, sample, story_loss

FILE_TYPES = {
    "F32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
    "F16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "Q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
}
DESCRIPTION = "A very small model that writes children's stories; the default model of intab."


def write_gguf(path: Path, model: StoryModel, tokenizer: Tokenizer, kind: str) -> None:
    """Writes the keys and tensors that llama.cpp's converter writes for a Llama model."""
    c = model.c
    quantization, file_type = FILE_TYPES[kind]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("intab stories")
    writer.add_description(DESCRIPTION)
    writer.add_license("cc-by-4.0")
    writer.add_languages(["en"])
    writer.add_size_label(f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f}M")
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_vocab_size(c.vocab)
    writer.add_context_length(c.context)
    writer.add_embedding_length(c.width)
    writer.add_block_count(c.layers)
    writer.add_feed_forward_length(c.ffn)
    writer.add_head_count(c.heads)
    writer.add_head_count_kv(c.kv_heads)
    writer.add_layer_norm_rms_eps(c.eps)
    writer.add_rope_dimension_count(c.head_dim)
    writer.add_rope_freq_base(c.rope_base)

    state = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(state["vocab"], key=state["vocab"].__getitem__)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in state["merges"]]
    kinds = [gguf.TokenType.CONTROL if t == SEPARATOR else gguf.TokenType.NORMAL for t in tokens]
    separator = tokens.index(SEPARATOR)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(separator)
    writer.add_eos_token_id(separator)
    writer.add_add_bos_token(True)

    # No output.weight: its absence tells runtimes that the embedding serves at both ends.
    for name, parameter in model.state_dict().items():
        data = parameter.float().numpy()
        if data.ndim == 1:  # the norms are tiny and sensitive
            writer.add_tensor(name, data)
        else:
            writer.add_tensor(name, gguf.quantize(data, quantization), raw_dtype=quantization)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def check_tokenizer(trained: Tokenizer, read: Tokenizer, stories: list[Story]) -> None:
    """Same ids from the file's metadata as in training, and every text comes back unchanged."""
    odd = "".join(map(chr, range(1, 0x250))) + "naïve 東京 🦊\n\n  tabs\tand   spaces "
    for text in [s.text for s in stories] + [odd]:
        ids = trained.encode(text).ids
        assert read.encode(text).ids == ids, f"different ids for {text[:60]!r}"
        assert read.decode(ids) == text, f"no round trip for {text[:60]!r}"


def perplexities(model: StoryModel, tokenizer: Tokenizer, held: list[Story]) -> dict[str, tuple[float, int]]:
    """Held-out perplexity and token count per source, then over everything."""
    sums = {s: story_loss(model, tokenizer, [h for h in held if h.source == s], model.c.context)
            for s in REPEATS if any(h.source == s for h in held)}
    sums["all"] = (sum(t for t, _ in sums.values()), sum(n for _, n in sums.values()))
    return {source: (math.exp(total / count), count) for source, (total, count) in sums.items()}


@torch.no_grad()
def reference(model: StoryModel, tokenizer: Tokenizer, prompt: str, length: int = 40) -> dict[str, Any]:
    """What a runtime must compute from this file, in float32 on the dequantized weights.

    `greedy_margin` is the smallest gap between best and second-best logit on the way: errors well
    below it cannot change the greedy tokens.
    """
    ids = [0, *tokenizer.encode(prompt).ids]
    start, first, margin = len(ids), model(torch.tensor([ids]))[0, -1], math.inf
    for _ in range(length):
        best = model(torch.tensor([ids]))[0, -1].topk(2)
        margin = min(margin, float(best.values[0] - best.values[1]))
        ids.append(int(best.indices[0]))
    return {"prompt": prompt, "input_ids": ids[:start], "last_logits": [round(x, 5) for x in first.tolist()],
            "greedy": ids[start:], "greedy_margin": round(margin, 5)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=DEFAULT_OUT / "checkpoint.pt")
    parser.add_argument("--corpora", type=Path, default=DEFAULT_CORPORA, help="for the held-out stories")
    parser.add_argument("--output", type=Path, default=REPO / "models" / "intab-stories.gguf")
    parser.add_argument("--type", choices=FILE_TYPES, default="Q8_0", help="of the matrices (default Q8_0)")
    parser.add_argument("--reference", action="store_true", help="write expected.json beside the model")
    parser.add_argument("--samples", type=int, default=0, help="print this many stories from the file")
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--top-p", type=float, default=0.95)
    args = parser.parse_args()

    model, tokenizer, state = load_checkpoint(args.checkpoint)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    write_gguf(args.output, model, tokenizer, args.type)
    read_model, read_tokenizer = read_gguf(args.output)
    print(f"{args.output.name}: {args.output.stat().st_size} bytes, step {state['step']}, "
          f"{state['tokens']} tokens, {state['seconds'] / 60:.1f} minutes")

    _, held = split(load_stories(args.corpora))
    check_tokenizer(tokenizer, read_tokenizer, held)
    before = perplexities(model.eval(), tokenizer, held)
    after = perplexities(read_model, read_tokenizer, held)
    print(f"{'held-out perplexity':22} {'tokens':>7} {'float':>8} {args.type:>8}")
    for source, (value, count) in before.items():
        print(f"{source:22} {count:7} {value:8.3f} {after[source][0]:8.3f}")

    if args.reference:
        expected = reference(read_model, read_tokenizer, "Once upon a time")
        args.output.with_name("expected.json").write_text(json.dumps(expected) + "\n")
        print("greedy:", read_tokenizer.decode(expected["greedy"]), "margin", expected["greedy_margin"])
    for seed in range(args.samples):
        story = sample(read_model, read_tokenizer, "Once upon a time", args.temperature, args.top_p, seed)
        print(f"--- seed {seed}\n{story}")


if __name__ == "__main__":
    main()
