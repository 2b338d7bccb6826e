"""Makes tests/data/tasks: what transformers' pipelines answer with some of the models in tests/data/models.

    pip install -r tools/requirements-fixtures.txt
    python tools/make_task_answers.py

Those models have no tokenizer; `tokenizer.json` is one for all of them. `expected.json` lists for each model the keys that its
config gets besides (`config`), and its answers. Places are counted in characters (code points), as Python counts. A random
model gives all tokens of a text one label, so `tagger/` is `bert-tokens` with another last layer.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

DATA = Path(__file__).parent.parent / "tests" / "data"
OUT = DATA / "tasks"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[X]"]
LETTERS = [chr(c) for c in range(ord("a"), ord("z") + 1)]
WORDS = "the cat dog river red ball ran to is where who did ada bob paris in met london happy and saw . , ? !".split()
TEXTS = ["The cat ran to the river.", "Ada met Bob in London, and Bob saw a dog!", "Happy dog"]
ENTITIES = "😀 Ada Byron met Bob in London 👩‍👩‍👧, and a cat in Paris."
QUESTION, CONTEXT = "Who ran?", "😀 The dog and the happier cat ran, Bob saw Ada in London."
MASKED = ["The [MASK] ran to the river.", "The [MASK] saw a [MASK]."]
QUERY = "where is the cat?"
LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
# Of each token of ENTITIES. Within words they differ: who aggregates must choose.
LABELLED = [0, 0, 1, 2, 2, 0, 1, 2, 0, 1, 4, 3, 0, 0, 2, 0, 0, 4, 4, 4, 0]
TYPES = ["token_type_ids"]  # what models that tell two texts apart take besides


def tokenizer() -> Tokenizer:
    tokens = SPECIAL + LETTERS + [f"##{letter}" for letter in LETTERS] + WORDS
    vocab = {token: i for i, token in enumerate(tokens)}
    made = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    made.add_special_tokens(SPECIAL)
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [(token, vocab[token]) for token in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", ends)
    made.decoder = decoders.WordPiece()
    return made


def numbers(values: torch.Tensor) -> list[float]:
    return [float(f"{x:.6g}") for x in values.flatten().tolist()]


class Model:
    """A model with the tokenizer and `config` beside it, as transformers loads it."""

    def __init__(self, name: str, kind: str, config: dict[str, Any] | None = None, types: bool = True) -> None:
        self.found: dict[str, Any] = {"model": name, "config": config or {}}
        source = OUT / name if (OUT / name).exists() else DATA / "models" / name
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            shutil.copy(source / "model.safetensors", path)
            own = json.loads((source / "config.json").read_text())
            (path / "config.json").write_text(json.dumps({**own, **self.found["config"]}))
            roles = {f"{role}_token": f"[{role.upper()}]" for role in ("pad", "unk", "cls", "sep", "mask")}
            names = ["input_ids", *(TYPES if types else []), "attention_mask"]
            self.tokenizer = transformers.PreTrainedTokenizerFast(
                tokenizer_file=str(OUT / "tokenizer.json"), model_input_names=names, **roles
            )
            self.model = getattr(transformers, kind).from_pretrained(path, dtype=torch.float32).eval()

    def run(self, *texts: str) -> Any:
        with torch.no_grad():
            return self.model(**self.tokenizer(*texts, return_tensors="pt"))

    def pipeline(self, task: str, **options: Any) -> Any:
        return transformers.pipeline(task, model=self.model, tokenizer=self.tokenizer, device="cpu", **options)


def embed(name: str) -> dict[str, Any]:
    model = Model(name, "AutoModel")
    states = [model.run(text).last_hidden_state[0] for text in TEXTS]
    unit = lambda row: row / row.norm()
    return {
        **model.found, "texts": TEXTS, "mean_normalized": [numbers(unit(rows.mean(0))) for rows in states],
        "cls": [numbers(rows[0]) for rows in states], "last_first_7": [numbers(unit(rows[-1][:7])) for rows in states],
    }


def classify(name: str, **config: Any) -> dict[str, Any]:
    model = Model(name, "AutoModelForSequenceClassification", config, types=not name.startswith("roberta"))
    answers = model.pipeline("text-classification", top_k=None)(TEXTS)
    pairs = [[[label["label"], float(f"{label['score']:.6g}")] for label in labels] for labels in answers]
    return {**model.found, "texts": TEXTS, "labels": pairs}


def make_tagger() -> None:
    """Solves for a last layer that gives each token the label it should have, more or less clearly."""
    model = Model("bert-tokens", "AutoModelForTokenClassification")
    with torch.no_grad():
        inputs = model.tokenizer(ENTITIES, return_tensors="pt")
        states = model.model.bert(**inputs).last_hidden_state[0]
        random = torch.Generator().manual_seed(1)
        wanted = torch.nn.functional.one_hot(torch.tensor(LABELLED), len(LABELS)) * 3.0
        wanted += torch.rand(wanted.shape, generator=random)
        model.model.classifier.weight.copy_(torch.linalg.lstsq(states, wanted, driver="gelsd").solution.T)
        model.model.classifier.bias.zero_()
    labels = dict(enumerate(LABELS))
    model.model.config.id2label, model.model.config.label2id = labels, {label: i for i, label in labels.items()}
    model.model.to(torch.float16).save_pretrained(OUT / "tagger")


def tag(name: str) -> dict[str, Any]:
    model = Model(name, "AutoModelForTokenClassification")
    found = {**model.found, "text": ENTITIES}
    for how in ("none", "simple", "first"):
        entities = model.pipeline("token-classification", aggregation_strategy=how)(ENTITIES)
        name_of = lambda entity: entity.get("entity_group") or entity["entity"]
        found[how] = [
            [name_of(e), float(f"{e['score']:.6g}"), int(e["start"]), int(e["end"])] for e in entities
        ]
        assert len(found[how]) > 2, f"{how}: a dull answer"
    return found


def fill_mask(name: str) -> dict[str, Any]:
    model = Model(name, "AutoModelForMaskedLM")
    fill = model.pipeline("fill-mask", top_k=4)
    gaps = []
    for text in MASKED:
        found = fill(text)
        lists = found if isinstance(found[0], list) else [found]
        gaps.append([[[f["token"], f["token_str"], float(f"{f['score']:.6g}")] for f in gap] for gap in lists])
    filled = [f["sequence"] for f in fill(MASKED[0])]
    return {**model.found, "texts": MASKED, "gaps": gaps, "filled": filled}


def score(name: str) -> dict[str, Any]:
    model = Model(name, "AutoModelForSequenceClassification", types=False)
    return {**model.found, "query": QUERY, "texts": TEXTS, "scores": [numbers(model.run(QUERY, text).logits)[0] for text in TEXTS]}


def answer(name: str) -> dict[str, Any]:
    """The question-answering pipeline left transformers in version 5; this is its arithmetic (`select_starts_ends` and
    `decode_spans` of version 4.57), with answers of whole words."""
    model = Model(name, "AutoModelForQuestionAnswering")
    encoding = model.tokenizer(QUESTION, CONTEXT, return_offsets_mapping=True)
    output = model.run(QUESTION, CONTEXT)
    own = torch.tensor([s == 1 for s in encoding.sequence_ids()])
    allowed = own.clone()
    allowed[0] = True  # the first token stands for no answer, and takes its part
    probabilities = [torch.where(allowed, x[0], -1e4).softmax(-1) * own for x in (output.start_logits, output.end_logits)]
    table = torch.outer(*probabilities).triu().tril(14)
    words = encoding.word_ids()
    found: dict[tuple[int, int], float] = {}
    for at in table.flatten().argsort(descending=True)[:30].tolist():
        first, last = divmod(at, len(own))
        same = lambda i: [j for j in range(len(own)) if own[j] and words[j] == words[i]]
        place = encoding["offset_mapping"][same(first)[0]][0], encoding["offset_mapping"][same(last)[-1]][1]
        found.setdefault(place, table.flatten()[at].item())
    best = list(found.items())[:3]
    answers = [[CONTEXT[start:end], float(f"{score:.6g}"), start, end] for (start, end), score in best]
    return {**model.found, "question": QUESTION, "context": CONTEXT, "answers": answers}


def main() -> None:
    OUT.mkdir(exist_ok=True)
    state = json.loads(tokenizer().to_str())
    (OUT / "tokenizer.json").write_text(json.dumps(state, separators=(",", ":")) + "\n")
    make_tagger()
    expected = {
        "embed": embed("bert"),
        "classify": classify("bert-classify"),
        "classify_any": classify("roberta-multilabel"),
        "classify_number": classify("bert-classify", problem_type="regression"),
        "tag": tag("tagger"),
        "answer": answer("bert-qa"),
        "fill_mask": fill_mask("bert-mlm"),
        "score": score("xlm_roberta-rerank"),
    }
    lines = [f"{json.dumps(task)}: {json.dumps(found, ensure_ascii=False)}" for task, found in expected.items()]
    (OUT / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
