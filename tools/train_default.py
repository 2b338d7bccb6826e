"""Trains the story model that intab embeds, from text files to weights.

    python tools/train_default.py --minutes 90      # on a CPU or, where there is one, a CUDA GPU
    python tools/export_gguf.py                     # writes the GGUF file and the reference outputs

The model is a Llama in every detail (RMSNorm, rotary positions, SwiGLU, grouped-query attention, tied
embeddings), so any GGUF runtime can read it; it is only very small. Training stops and resumes at
any time: run the same command again and it continues from its checkpoint.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import random
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Iterator

import gguf
import torch
import torch.nn.functional as F
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn

from stories_data import DEFAULT_CORPORA, REPEATS, REPO, SEPARATOR, Story, load_stories, split

DEFAULT_OUT = REPO / "target" / "train"


# --- model -------------------------------------------------------------------------------------

@dataclass
class Config:
    """Sizes. Widths are multiples of 256, the block length of the K-quants."""

    vocab: int = 4096
    width: int = 256
    layers: int = 6
    heads: int = 8
    kv_heads: int = 4
    ffn: int = 768
    context: int = 512
    rope_base: float = 10_000.0
    eps: float = 1e-5

    @property
    def head_dim(self) -> int:
        return self.width // self.heads


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions on neighbouring pairs (2i, 2i+1).

    This is the order GGUF's "llama" architecture expects in its q and k rows. Models that rotate
    the two halves of a head against each other need their rows permuted on export; this one does not.
    """
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


class RowDropout(nn.Module):
    """Dropout with one mask per row instead of per token.

    Drawing a random number for each activation took about a fifth of the training time on a CPU.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        mask = torch.rand(x.shape[0], 1, x.shape[2], device=x.device) >= self.p
        return x * (mask.to(x.dtype) / (1 - self.p))


class Block(nn.Module):
    def __init__(self, c: Config, dropout: float) -> None:
        super().__init__()
        self.c, self.dropout = c, RowDropout(dropout)
        kv = c.kv_heads * c.head_dim
        self.attn_norm = nn.RMSNorm(c.width, c.eps)
        self.attn_q = nn.Linear(c.width, c.width, bias=False)
        self.attn_k = nn.Linear(c.width, kv, bias=False)
        self.attn_v = nn.Linear(c.width, kv, bias=False)
        self.attn_output = nn.Linear(c.width, c.width, bias=False)
        self.ffn_norm = nn.RMSNorm(c.width, c.eps)
        self.ffn_gate = nn.Linear(c.width, c.ffn, bias=False)
        self.ffn_up = nn.Linear(c.width, c.ffn, bias=False)
        self.ffn_down = nn.Linear(c.ffn, c.width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        c, (b, t, _) = self.c, x.shape
        h = self.attn_norm(x)
        q = self.attn_q(h).view(b, t, c.heads, c.head_dim).transpose(1, 2)
        k = self.attn_k(h).view(b, t, c.kv_heads, c.head_dim).transpose(1, 2)
        v = self.attn_v(h).view(b, t, c.kv_heads, c.head_dim).transpose(1, 2)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        # Repeating by hand: enable_gqa=True takes PyTorch's slow path on CPUs (measured 3x slower).
        group = c.heads // c.kv_heads
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        y = F.scaled_dot_product_attention(q.to(v.dtype), k.to(v.dtype), v, is_causal=True)
        x = x + self.dropout(self.attn_output(y.transpose(1, 2).reshape(b, t, c.width)))
        h = self.ffn_norm(x)
        return x + self.dropout(self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h)))


class StoryModel(nn.Module):
    """Parameter names follow GGUF's tensor names (token_embd, blk.N.attn_q, ...)."""

    def __init__(self, c: Config, dropout: float = 0.0) -> None:
        super().__init__()
        self.c, self.dropout = c, RowDropout(dropout)
        self.token_embd = nn.Embedding(c.vocab, c.width)
        self.blk = nn.ModuleList(Block(c, dropout) for _ in range(c.layers))
        self.output_norm = nn.RMSNorm(c.width, c.eps)
        turns = c.rope_base ** (-torch.arange(0, c.head_dim, 2).float() / c.head_dim)
        angles = torch.outer(torch.arange(c.context).float(), turns)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                # Layers that write into the residual stream start smaller, so depth adds no variance.
                last = name.endswith(("attn_output.weight", "ffn_down.weight"))
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * c.layers) if last else 0.02)

    def forward(self, ids: Tensor) -> Tensor:
        cos, sin = self.cos[: ids.shape[1]], self.sin[: ids.shape[1]]
        x = self.dropout(self.token_embd(ids))
        for block in self.blk:
            x = block(x, cos, sin)
        return F.linear(self.output_norm(x), self.token_embd.weight)


# --- tokenizer and batches -----------------------------------------------------------------------

def train_tokenizer(stories: list[Story], vocab: int) -> Tokenizer:
    """A byte-level BPE as GPT-2's: every text can be encoded, and GGUF runtimes know the scheme.

    One special token (id 0) both begins and ends a story, as stories stand in a row in training.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab, special_tokens=[SEPARATOR], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    # Old tales count less in training than in characters, so they get less say in the vocabulary.
    texts = [s.text for i, s in enumerate(stories) if i % round(1 / REPEATS[s.source]) == 0]
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


class Batches:
    """An endless shuffled stream of rows of `length` + 1 tokens, reproducible from its position."""

    def __init__(self, stories: list[Story], tokenizer: Tokenizer, length: int, rows: int) -> None:
        encoded = tokenizer.encode_batch([s.text for s in stories])
        self.stories = [(REPEATS[s.source], [0, *e.ids]) for s, e in zip(stories, encoded)]
        self.length, self.rows = length, rows

    def epoch(self, number: int) -> list[Tensor]:
        rng = random.Random(number)
        chosen = [ids for share, ids in self.stories if rng.random() < share]
        rng.shuffle(chosen)
        stream = torch.tensor([token for ids in chosen for token in ids])
        starts = list(range(0, len(stream) - self.length - 1, self.length))
        rng.shuffle(starts)
        rows = [stream[s : s + self.length + 1] for s in starts]
        return [torch.stack(rows[i : i + self.rows]) for i in range(0, len(rows) - self.rows + 1, self.rows)]

    def forever(self, epoch: int, batch: int) -> Iterator[tuple[int, int, Tensor]]:
        """Yields (epoch, index of the next batch, batch) from the given position on."""
        while True:
            batches = self.epoch(epoch)
            for i in range(batch, len(batches)):
                yield epoch, i + 1, batches[i]
            epoch, batch = epoch + 1, 0


@torch.no_grad()
def story_loss(model: nn.Module, tokenizer: Tokenizer, stories: list[Story], context: int) -> tuple[float, int]:
    """(summed loss in nats, tokens): each story alone, from its first token through the end token."""
    device = next(model.parameters()).device
    rows = sorted(([0, *e.ids, 0][: context + 1] for e in tokenizer.encode_batch([s.text for s in stories])), key=len)
    total, count = 0.0, 0
    for i in range(0, len(rows), 16):
        batch = nn.utils.rnn.pad_sequence([torch.tensor(r) for r in rows[i : i + 16]], True, -1).to(device)
        logits = model(batch[:, :-1].clamp(min=0)).float()
        total += F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten(), ignore_index=-1, reduction="sum").item()
        count += int((batch[:, 1:] >= 0).sum())
    return total, count


@torch.no_grad()
def sample(model: nn.Module, tokenizer: Tokenizer, prompt: str, temperature: float, top_p: float,
           seed: int, limit: int = 400) -> str:
    """Writes one story; recomputes the whole prefix for each token, which is fine at this size."""
    generator = torch.Generator().manual_seed(seed)
    device = next(model.parameters()).device
    ids = [0, *tokenizer.encode(prompt).ids]
    while len(ids) < limit:
        logits = model(torch.tensor([ids], device=device))[0, -1].float().cpu()
        p, order = F.softmax(logits / temperature, -1).sort(descending=True)
        p[p.cumsum(0) - p > top_p] = 0
        token = int(order[torch.multinomial(p, 1, generator=generator)])
        if token == 0:
            break
        ids.append(token)
    return tokenizer.decode(ids[1:])


# --- training ------------------------------------------------------------------------------------

def optimizers(model: nn.Module, lr: float, decay: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices, AdamW for the rest.

    Muon makes all directions of a matrix update equally long, which is known to need fewer steps
    than AdamW; here it costs about a tenth more work per step.
    """
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and n.startswith("blk.")]
    norms = [p for p in model.parameters() if p.dim() == 1]
    embedding = [p for n, p in model.named_parameters() if n.startswith("token_embd")]
    return [
        torch.optim.Muon(matrices, lr=lr, weight_decay=decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW([{"params": embedding, "weight_decay": decay}, {"params": norms, "weight_decay": 0.0}],
                          lr=lr, betas=(0.9, 0.95), fused=True),
    ]


def load_checkpoint(path: Path, dropout: float = 0.0) -> tuple[StoryModel, Tokenizer, dict[str, Any]]:
    """The model with its weights, its tokenizer, and everything else in the checkpoint."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    model = StoryModel(Config(**state["config"]), dropout)
    model.load_state_dict(state["model"])
    return model, Tokenizer.from_str(state["tokenizer"]), state


def read_gguf(path: Path, dropout: float = 0.0) -> tuple[StoryModel, Tokenizer]:
    """Model and tokenizer from the file alone, as any other runtime would build them."""
    reader = gguf.GGUFReader(path)

    def value(key: str) -> Any:
        return reader.fields[key].contents()

    config = Config(
        vocab=value("llama.vocab_size"), width=value("llama.embedding_length"),
        layers=value("llama.block_count"), heads=value("llama.attention.head_count"),
        kv_heads=value("llama.attention.head_count_kv"), ffn=value("llama.feed_forward_length"),
        context=value("llama.context_length"), rope_base=value("llama.rope.freq_base"),
        eps=value("llama.attention.layer_norm_rms_epsilon"))
    model = StoryModel(config, dropout)
    model.load_state_dict({
        t.name: torch.from_numpy(gguf.dequantize(t.data, t.tensor_type).copy()).reshape(*reversed(t.shape.tolist()))
        for t in reader.tensors})

    tokens = value("tokenizer.ggml.tokens")
    merges = [tuple(merge.split(" ")) for merge in value("tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(SEPARATOR, special=True)])
    return model.eval(), tokenizer


def keep_freed_memory() -> None:
    """Stops glibc from returning large blocks to the system after each use.

    Getting every activation's pages anew cost a quarter of the training time on a CPU.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(-4, 0)  # M_MMAP_MAX: no mapping of its own for a large block
        mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: never shrink the heap


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=DEFAULT_CORPORA, help="folder of the .tar.xz sets")
    parser.add_argument("--start", type=Path, help="begin with the weights and the tokenizer of this GGUF file")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="folder of the checkpoint")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float, default=90, help="training time, over all resumes (default 90)")
    budget.add_argument("--steps", type=int, help="train this many steps instead, however long it takes")
    parser.add_argument("--rows", type=int, default=6, help="rows per step")
    parser.add_argument("--length", type=int, default=512,
                        help="tokens per row; 256 with twice the rows is faster, but end with the full context")
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--decay", type=float, default=0.1, help="weight decay")
    parser.add_argument("--dropout", type=float, default=0.05)
    parser.add_argument("--save-minutes", type=float, default=10, help="time between checkpoints")
    parser.add_argument("--no-compile", action="store_true", help="skip torch.compile (needs a C++ compiler)")
    args = parser.parse_args()

    device = "cuda" if torch.cuda.is_available() else "cpu"
    if sys.platform == "linux":
        keep_freed_memory()
    torch.manual_seed(0)
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "checkpoint.pt"
    train, held = split(load_stories(args.corpora))
    main_held = [s for s in held if s.source == "tinystories"]

    if path.exists():
        model, tokenizer, state = load_checkpoint(path, args.dropout)
    else:
        if args.start:
            model, tokenizer = read_gguf(args.start, args.dropout)
        else:
            model = StoryModel(Config(), args.dropout)
            tokenizer = train_tokenizer(train, model.c.vocab)
        state = {"config": asdict(model.c), "tokenizer": tokenizer.to_str(),
                 "step": 0, "tokens": 0, "seconds": 0.0, "epoch": 0, "batch": 0, "log": []}
    model.to(device)
    opts = optimizers(model, args.lr, args.decay)
    for opt, saved in zip(opts, state.pop("optimizers", [])):
        opt.load_state_dict(saved)
    batches = Batches(train, tokenizer, args.length, args.rows)
    print(f"{sum(p.numel() for p in model.parameters())} parameters on {device}; one epoch has "
          f"{len(batches.epoch(0)) * args.rows * args.length} tokens", flush=True)

    def batch_loss(batch: Tensor) -> Tensor:
        return F.cross_entropy(model(batch[:, :-1]).float().flatten(0, 1), batch[:, 1:].flatten())

    fast_loss = batch_loss if args.no_compile else torch.compile(batch_loss)

    def checkpoint() -> None:
        model.eval()
        losses = [story_loss(model, tokenizer, part, model.c.context) for part in (main_held, held)]
        model.train()
        tiny, everything = (total / count for total, count in losses)
        state["log"].append({"step": state["step"], "seconds": state["seconds"], "train": running,
                             "tinystories": tiny, "all": everything})
        print(f"step {state['step']} epoch {state['epoch']} tokens {state['tokens']} minutes {state['seconds'] / 60:.1f} "
              f"train {running:.4f} held-out tinystories {tiny:.4f} all {everything:.4f}", flush=True)
        state.update(model=model.state_dict(), optimizers=[o.state_dict() for o in opts])
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)  # so that a stop while writing never leaves half a checkpoint

    running, last_save = state["log"][-1]["train"] if state["log"] else math.log(model.c.vocab), time.monotonic()
    clock = time.monotonic()
    model.train()
    for epoch, position, batch in batches.forever(state["epoch"], state["batch"]):
        # Progress is time spent, not steps done: on a busy machine the rate still decays in time.
        progress = state["step"] / args.steps if args.steps else state["seconds"] / 60 / args.minutes
        if progress >= 1:
            break
        rate = args.lr * min(1.0, (state["step"] + 1) / 100) * (1 - progress)
        for opt in opts:
            for group in opt.param_groups:
                group["lr"] = rate
        batch = batch.to(device)
        with torch.autocast(device, torch.bfloat16):
            loss = fast_loss(batch)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for opt in opts:
            opt.step()
            opt.zero_grad(set_to_none=True)
        running += (loss.item() - running) * max(0.02, 1 / (state["step"] + 1))
        now = time.monotonic()
        state.update(step=state["step"] + 1, tokens=state["tokens"] + batch[:, 1:].numel(), epoch=epoch, batch=position,
                     seconds=state["seconds"] + now - clock)
        clock = now
        if state["step"] % 20 == 0:
            print(f"step {state['step']} loss {running:.4f} minutes {state['seconds'] / 60:.1f} "
                  f"tokens {state['tokens']}", flush=True)
        if now - last_save > args.save_minutes * 60:
            checkpoint()
            last_save = time.monotonic()
    checkpoint()
    model.eval()
    print(sample(model, tokenizer, "Once upon a time", 0.8, 0.95, seed=1))


if __name__ == "__main__":
    main()
