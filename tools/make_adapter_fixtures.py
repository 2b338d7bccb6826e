"""Makes tests/data/adapters: adapters of the models in tests/data/models, with PEFT's own result.

    pip install -r tools/requirements-fixtures.txt
    python tools/make_adapter_fixtures.py            # all
    python tools/make_adapter_fixtures.py dora mix   # these
"""

from __future__ import annotations

import json
import shutil
import sys
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import peft
import torch
import transformers
from torch import nn

ROOT = Path(__file__).parent.parent / "tests" / "data"
MODELS, OUT = ROOT / "models", ROOT / "adapters"
LENGTH = 12  # input ids
LEAST = 0.05  # of the logits' range: so far at the least an adapter must lead away from its base


@dataclass(frozen=True)
class Adapter:
    """An adapter: its base, and what PEFT is asked for."""

    name: str
    base: str
    config: dict[str, Any]
    prompt: int = 0  # tokens of a soft prompt; then `config` is that of prompt tuning
    spread: float = 0.25  # of the random weights
    gguf: str = ""  # also write llama.cpp's file, for this architecture
    extra: dict[str, Any] = field(default_factory=dict)


def lora(name: str, base: str, targets: list[str], **config: Any) -> Adapter:
    spread, file = config.pop("spread", 0.25), config.pop("gguf", "")
    return Adapter(name, base, {"r": 4, "lora_alpha": 8, "target_modules": targets, **config}, spread=spread, gguf=file)


ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
ALL = [*ATTENTION, "gate_proj", "up_proj", "down_proj"]

ADAPTERS = [
    lora(
        "patterns",
        "qwen3",
        ALL,
        rank_pattern={"layers.0.self_attn.q_proj": 2, "^model.layers.1.mlp.(up|down)_proj": 6},
        alpha_pattern={"v_proj": 3, r"layers\.\d+\.mlp\.gate_proj": 12},
    ),
    lora("rslora", "qwen3", ["q_proj", "v_proj"], use_rslora=True),
    lora("dora", "qwen2", ["q_proj", "o_proj", "down_proj"], use_dora=True),
    lora("dora-transposed", "gpt2", ["c_attn", "c_proj"], use_dora=True, fan_in_fan_out=True),
    lora("dora-even", "gemma2", ["q_proj", "v_proj", "down_proj"], use_dora=True),  # can be quantized
    lora("transposed", "gpt2", ["c_attn", "c_fc"], fan_in_fan_out=True),
    lora("fused", "phi3", ["qkv_proj", "gate_up_proj"]),
    lora("fused-by-head", "gpt_neox", ["query_key_value", "dense"]),
    lora("head", "qwen3", ["lm_head", "k_proj"]),
    lora("tied-head", "gpt2", ["lm_head"]),
    lora("embeddings", "qwen3", ["embed_tokens", "o_proj"]),
    lora("tied-embeddings", "gpt2", ["wte"], spread=0.4),
    lora("save-head", "qwen3", ["q_proj"], modules_to_save=["lm_head"]),
    lora("save-tied-head", "gpt2", ["c_attn"], modules_to_save=["lm_head"], fan_in_fan_out=True),
    lora("save-norm", "gemma2", ["q_proj"], modules_to_save=["post_attention_layernorm"]),
    lora("bias", "qwen2", ["q_proj", "v_proj"], bias="lora_only"),
    lora("all-biases", "bert-classify", ["query", "value"], bias="all", task_type="SEQ_CLS"),
    lora("lora-bias", "qwen3", ["q_proj", "down_proj"], lora_bias=True),
    lora("classifier", "bert-classify", ["query", "value"], task_type="SEQ_CLS"),
    lora("score", "gpt2-classify", ["c_attn"], task_type="SEQ_CLS", fan_in_fan_out=True),
    lora("encoder-decoder", "bart", ["q_proj", "v_proj", "fc1"]),
    lora("llama", "llama-llama3", ALL, gguf="llama"),
    lora("second", "qwen3", ["v_proj", "up_proj", "embed_tokens"]),
    lora("second-dora", "qwen2", ["q_proj", "up_proj"], use_dora=True),
    Adapter("prompt", "gpt2", {"num_virtual_tokens": 3}, prompt=3, spread=1.0),
]

# Several, with their weights, by one base. PEFT takes over the first one's config: with a rank-stabilized scale it would be wrong.
MIXES = {"mix": [("second", -0.4), ("rslora", 0.7)]}


def load(base: str) -> nn.Module:
    folder = MODELS / base
    name = json.loads((folder / "config.json").read_text())["architectures"][0]
    return getattr(transformers, name).from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def ids_of(model: nn.Module, name: str) -> list[int]:
    random = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    return torch.randint(6, model.config.vocab_size, (LENGTH,), generator=random).tolist()


def logits(model: nn.Module, ids: list[int]) -> torch.Tensor:
    """The last row; of an encoder-decoder after `ids[:4]`, of a classifier its labels."""
    with torch.no_grad():
        given = {"decoder_input_ids": torch.tensor([ids[:4]])} if model.config.is_encoder_decoder else {}
        if "SequenceClassification" in type(model.get_base_model() if hasattr(model, "get_base_model") else model).__name__:
            model.config.pad_token_id = 0
        out = model(input_ids=torch.tensor([ids]), **given).logits
    return out[0, -1] if out.dim() == 3 else out[0]


def randomize(model: nn.Module, spec: Adapter) -> None:
    """Random numbers in everything that training would change."""
    random = torch.Generator().manual_seed(zlib.crc32(spec.name.encode()))
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            noise = torch.randn(parameter.shape, generator=random)
            if "lora_" in name or "prompt" in name:
                if "magnitude" in name:
                    parameter.data *= 1 + 0.3 * noise
                else:
                    parameter.data = spec.spread * noise
            else:
                parameter.data += 0.1 * noise


def strip(config: Path) -> None:
    """The folder's name of the base, not that of a disk."""
    values = json.loads(config.read_text())
    values["base_model_name_or_path"] = Path(values["base_model_name_or_path"]).name
    values["target_modules"] = sorted(values["target_modules"]) if values.get("target_modules") else None
    config.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n")


def make(spec: Adapter) -> None:
    model = load(spec.base)
    ids = ids_of(model, spec.name)
    before = logits(model, ids)
    if spec.prompt:
        config = peft.PromptTuningConfig(task_type="CAUSAL_LM", **spec.config)
    else:
        config = peft.LoraConfig(**spec.config)
    adapted = peft.get_peft_model(model, config).eval()
    randomize(adapted, spec)
    folder = OUT / spec.name
    shutil.rmtree(folder, ignore_errors=True)
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    strip(folder / "adapter_config.json")
    # As anybody would load it.
    again = peft.PeftModel.from_pretrained(load(spec.base), folder).eval()
    after = logits(again, ids)
    far = ((after - before).abs().max() / (after.max() - after.min())).item()
    assert far >= LEAST, f"{spec.name}: only {far:.3f} of the range from its base"
    expected = {"base": spec.base, "input_ids": ids, "last_logits": [round(x, 5) for x in after.tolist()]}
    if model.config.is_encoder_decoder:
        expected["decoder_input_ids"] = ids[:4]
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")
    if spec.gguf:
        write_gguf(again, spec, folder / "adapter.gguf")
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{spec.name}: {far:.2f} of the range from {spec.base}, {size} bytes")


NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write_gguf(model: nn.Module, spec: Adapter, path: Path) -> None:
    """As llama.cpp's `convert_lora_to_gguf.py` does: queries and keys in the order of its rotation."""
    writer = gguf.GGUFWriter(path, spec.gguf)
    writer.add_type("adapter")
    writer.add_string("general.name", spec.name)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(spec.config["lora_alpha"]))
    for name, module in model.named_modules():
        if not isinstance(module, peft.tuners.lora.Linear):
            continue
        layer, part = name.split(".layers.")[1].split(".", 1)
        a, b = (getattr(module, f"lora_{which}")["default"].weight.data.numpy() for which in "AB")
        if part in ("self_attn.q_proj", "self_attn.k_proj"):
            heads = model.config.num_attention_heads if "q_proj" in part else model.config.num_key_value_heads
            b = b.reshape(heads, 2, -1, b.shape[1]).swapaxes(1, 2).reshape(b.shape)
        base = f"blk.{layer}.{NAMES[part]}.weight"
        writer.add_tensor(f"{base}.lora_a", np.ascontiguousarray(a))
        writer.add_tensor(f"{base}.lora_b", np.ascontiguousarray(b))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def mix(name: str, parts: list[tuple[str, float]]) -> None:
    """PEFT's own mix of adapters that are made already, whose ranks it lays side by side."""
    first = json.loads((OUT / parts[0][0] / "expected.json").read_text())
    model = peft.PeftModel.from_pretrained(load(first["base"]), OUT / parts[0][0], adapter_name=parts[0][0]).eval()
    for other, _ in parts[1:]:
        model.load_adapter(OUT / other, adapter_name=other)
    names, scales = [part for part, _ in parts], [weight for _, weight in parts]
    model.add_weighted_adapter(names, scales, "mixed", combination_type="cat")
    model.set_adapter("mixed")
    ids = first["input_ids"]
    expected = {
        "base": first["base"],
        "input_ids": ids,
        "parts": parts,
        "last_logits": [round(x, 5) for x in logits(model, ids).tolist()],
    }
    (OUT / f"{name}.json").write_text(json.dumps(expected) + "\n")
    print(name)


def main() -> None:
    wanted = sys.argv[1:]
    OUT.mkdir(exist_ok=True)
    for spec in ADAPTERS:
        if not wanted or spec.name in wanted:
            make(spec)
    for name, parts in MIXES.items():
        if not wanted or name in wanted:
            mix(name, parts)


if __name__ == "__main__":
    main()
