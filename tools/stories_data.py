"""Reads the story corpora and turns them into clean, deduplicated documents.

A model of a few million parameters copies whatever it sees often: page marks, licence lines, half
stories, two kinds of quotation mark. So most of the work on a small model's data is throwing away.

    python tools/stories_data.py --corpora ../shared/corpora      # prints what each source gives
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import re
import tarfile
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

REPO = Path(__file__).resolve().parent.parent
DEFAULT_CORPORA = REPO.parent / "shared" / "corpora"
SEPARATOR = "<|endoftext|>"
HELD_OUT = 0.03  # share of the stories kept for validation

# How often a story of each source is seen per epoch. The old fairy tales and fables are long and
# written in an older English; a sprinkle widens the vocabulary, more would spoil the simple style.
REPEATS = {
    "tinystories": 1.0,
    "tinystories-recased": 1.0,
    "african-storybook-en": 0.5,
    "pratham-books-en": 0.5,
    "aesop": 0.25,
    "fairytaleqa": 0.05,
}


@dataclass(frozen=True)
class Story:
    source: str
    text: str

    @property
    def letters(self) -> str:
        return re.sub(r"[^a-z0-9]", "", self.text.lower())

    @property
    def key(self) -> str:
        """What deduplication compares: the opening letters, so a cut-off copy equals the whole."""
        return self.letters[:150]

    @property
    def held_out(self) -> bool:
        """Whether the story belongs to validation. A hash, so the split never depends on order."""
        digest = hashlib.sha256(self.key.encode()).digest()
        return int.from_bytes(digest[:4], "big") < HELD_OUT * 2**32


def members(corpora: Path, name: str, suffix: str) -> Iterator[tuple[str, str]]:
    """Yields (path, text) of the files in one corpus archive whose names end in `suffix`."""
    with tarfile.open(corpora / f"{name}.tar.xz") as archive:
        for entry in archive:
            if entry.isfile() and entry.name.endswith(suffix):
                handle = archive.extractfile(entry)
                assert handle is not None
                yield entry.name, handle.read().decode("utf-8", errors="replace")


# --- cleaning ----------------------------------------------------------------------------------

FOLD = str.maketrans({
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "´": "'", "`": "'",
    "–": " - ", "—": " - ", "―": " - ", "−": "-", "…": "...", "\u2029": "\n", "\u2003": " ",
})


def clean(text: str) -> str:
    """One story as plain ASCII: straight quotes, one newline between paragraphs."""
    # UTF-8 read as Windows-1252; the closing quote's last byte has no character there and is lost.
    for broken, right in (("â€œ", '"'), ("â€™", "'"), ("â€˜", "'"), ("â€”", " - "), ("â€", '"')):
        text = text.replace(broken, right)
    text = unicodedata.normalize("NFKD", text.translate(FOLD))
    text = "".join(c for c in text if not unicodedata.combining(c))
    text = text.replace("''", '"').replace("--", " - ")
    text = re.sub(r"[ \t\r\f\v]+", " ", text)
    text = re.sub(r" ?\n\s*", "\n", text)
    return text.strip()


def is_whole(text: str) -> bool:
    """Whether a cleaned text looks like a complete story and not a fragment, a list or noise."""
    letters = sum(c.isalpha() or c.isspace() for c in text)
    return (
        len(text) >= 150
        and text.isascii()
        and not re.search(r"[<>{}|\\^~#@=_\[\]]|https?:|www\.", text)
        and letters > 0.85 * len(text)
        and (text[0].isupper() or text[0] == '"')
        and text[-1] in '.!?"'
    )


# --- sources -----------------------------------------------------------------------------------

# A paragraph that opens a story rather than going on with one: "Once ...", "Tom and his dog were ...".
OPENING = re.compile(
    r"(?!(?:she|he|they|it|we|you|i|his|her|their|but|and|so|then|as|when|suddenly|after|every)\b)"
    r"(?:once|one \w+,? (?:a|an|two|three|there|in) |"
    r"one (?:\w+ )?(?:day|morning|night|evening),? (?!she|he|they|it|the|his|her)|"
    r"there (?:was|were|lived|is)|long|in an? |an? |two |three |(?:\w+ )?\w+ (?:and (?:his |her )?\w+ )?"
    r"(?:\w+ )?(?:was|were|is|are|had|has|likes?|liked|loves?|loved|wants?|wanted|went|lives?|lived|go|play)\b)",
    re.I)


def unmarked_stories(text: str) -> list[str]:
    """Splits an excerpt without separators: stories mostly end at a single newline.

    Some stories have single newlines inside too, so a line that does not sound like an opening is
    joined to the story before it; left alone it would teach the model to begin in mid-story.
    """
    stories: list[str] = []
    for piece in re.split(r"(?<!\n)\n(?!\n)", text):
        whole = stories and stories[-1].rstrip().endswith((".", "!", "?", '"'))
        if whole and not OPENING.match(piece):
            stories[-1] += "\n" + piece
        else:
            stories.append(piece)
    stories.pop()  # cut off by the end of the file
    return [s for s in stories if len(s) > 400 and OPENING.match(s)]  # the rest are mostly pieces


def tinystories(corpora: Path, lowercased: bool) -> Iterator[str]:
    """The TinyStories excerpts, or the one that exists in lower case only.

    Excerpts with separators come first, as deduplication keeps the first copy it meets. The last
    story of a file is dropped: the end of the file cuts it off.
    """
    texts = dict(members(corpora, "tinystories", ".txt"))
    for name in sorted(texts, key=lambda n: (SEPARATOR not in texts[n], n)):
        if name.endswith("4MB.txt") == lowercased:
            marked = SEPARATOR in texts[name]
            stories = texts[name].split(SEPARATOR)[:-1] if marked else unmarked_stories(texts[name])
            yield from map(clean, stories)


def free_picture_books(corpora: Path, name: str) -> Iterator[str]:
    """The Markdown files, less those that forbid commercial use by their credits or the index."""
    files = dict(members(corpora, name, ".md"))
    index = next(text for path, text in files.items() if path.endswith("README.md"))
    noncommercial = set(re.findall(r"^(\d{4}) \|.*NC", index, re.M))
    for path, text in sorted(files.items()):
        licence = re.search(r"^\* License: (.*)$", text, re.M)
        if licence is None or "NC" in licence[1] or Path(path).name[:4] in noncommercial:
            continue
        yield text


def picture_books(corpora: Path, name: str) -> Iterator[Story]:
    """Picture books: `##` starts a page, a list of credits ends the file."""
    for text in free_picture_books(corpora, name):
        body = re.split(r"^\* License:", text, flags=re.M)[0]
        pages = re.split(r"^##.*$", body, flags=re.M)[1:]
        # Lines are broken to fit the page beside a picture, so a page becomes one paragraph.
        paragraphs = [" ".join(page.split()) for page in pages]
        yield Story(name, clean("\n".join(p for p in paragraphs if p)))


def aesop(corpora: Path) -> Iterator[Story]:
    for _, text in members(corpora, "aesop", ".json"):
        for fable in json.loads(text):
            yield Story("aesop", clean(fable["fable"] or ""))


def fairytales(corpora: Path) -> Iterator[Story]:
    """Tales in sections of about a page; each section is a document, as whole tales are too long."""
    for path, text in members(corpora, "fairytaleqa", "-story.csv"):
        if "/FairytaleQA_Dataset/split_for_training/" in path:
            for row in csv.DictReader(io.StringIO(text)):
                yield Story("fairytaleqa", clean(row["text"]))


# --- capitals for the lowercased excerpt ---------------------------------------------------------

TOKEN = re.compile(r"[A-Za-z]+(?:'(?!s\b)[a-z]+)?|\s+|.", re.S)
SPEECH = re.compile(
    r'[!?]" (?:\S+ ){0,3}(?:said|asked|cried|shouted|yelled|exclaimed|replied|inquired|called|whispered|'
    r"answered|thought|screamed|laughed|squeaked|roared|begged|added)\b")


class Recaser:
    """Puts capitals back by imitating stories that have them.

    A third of the TinyStories text at hand exists only in lower case. Inside a sentence a word gets
    the form it mostly has elsewhere after the same word ("her mom", but "said Mom").
    """

    def __init__(self, texts: list[str]) -> None:
        self.after: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self.alone: dict[str, Counter[str]] = defaultdict(Counter)
        for text in texts:
            for previous, word, starts, _ in self.words(text):
                if not starts:
                    self.after[previous, word.lower()][word] += 1
                    self.alone[word.lower()][word] += 1

    @staticmethod
    def words(text: str) -> Iterator[tuple[str, str, bool, int]]:
        """Yields (previous word, word, starts a sentence, position)."""
        previous, starts, quoted = "", True, False
        for match in TOKEN.finditer(text):
            token = match[0]
            if token[0].isalpha():
                yield previous, token, starts, match.start()
                previous, starts = token.lower(), False
            elif token in ".!?" or "\n" in token:
                previous, starts = token.strip(), True
            elif token == '"':
                quoted = not quoted
                # After `"Stop!"` a sentence goes on if it tells who spoke.
                starts = quoted or (starts and not SPEECH.match(text, match.start() - 1))
                previous = token
            elif not token.isspace():
                previous = token
            if "\n" in token:
                quoted = False

    def __call__(self, text: str) -> str:
        names = set(re.findall(r"\b(?:named|name was|name is|called) ([a-z]+)\b", text))
        letters = list(text)
        for previous, word, starts, at in self.words(text):
            forms = self.after.get((previous, word)) or self.alone.get(word) or Counter()
            if starts or word == "i" or word.startswith("i'"):
                cased = word[0].upper() + word[1:]
            elif forms:
                cased = forms.most_common(1)[0][0]
            else:
                cased = word.capitalize() if word in names else word
            letters[at:at + len(word)] = cased
        return "".join(letters)


# --- all together --------------------------------------------------------------------------------

def load_stories(corpora: Path) -> list[Story]:
    """Every usable story once, in a fixed order."""
    stories: dict[str, Story] = {}

    def add(candidates: Iterator[Story]) -> None:
        for story in candidates:
            if is_whole(story.text):
                stories.setdefault(story.key, story)

    add(Story("tinystories", text) for text in tinystories(corpora, lowercased=False))
    recase = Recaser([s.text for s in stories.values()])
    # Half of the lowercased excerpt is known already, in part as pieces that start in mid-story.
    known = "|".join(s.letters for s in stories.values())
    recased = (Story("tinystories-recased", recase(t)) for t in tinystories(corpora, lowercased=True))
    add(s for s in recased if s.key[:80] not in known)
    for name in ("african-storybook-en", "pratham-books-en"):
        add(picture_books(corpora, name))
    add(aesop(corpora))
    add(fairytales(corpora))
    return list(stories.values())


def split(stories: list[Story]) -> tuple[list[Story], list[Story]]:
    """(training, held out). Recased text is never held out: its capitals are guesses."""
    held = [s for s in stories if s.held_out and s.source != "tinystories-recased"]
    return [s for s in stories if not s.held_out], held


def credits(corpora: Path) -> str:
    """The picture books' titles and authors, as their licence asks, in Markdown."""
    lines = ["# Stories under CC BY in the training data", "",
             "Titles and authors as the collections give them. Only the text was used, not the pictures."]
    for name in ("african-storybook-en", "pratham-books-en"):
        lines += ["", f"## {name}", ""]
        for text in free_picture_books(corpora, name):
            title = text.partition("\n")[0].lstrip("# ").strip()
            roles = re.findall(r"^\* (?:Text|Adaptation|Translation|Translated By): .*$", text, re.M)
            lines.append(f"- {title}. " + "; ".join(role[2:].strip() for role in roles))
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=DEFAULT_CORPORA)
    parser.add_argument("--show", metavar="SOURCE", help="also print the first five stories of a source")
    parser.add_argument("--credits", type=Path, metavar="FILE", help="write the authors' names to a file")
    args = parser.parse_args()
    if args.credits:
        args.credits.write_text(credits(args.corpora))
    train, held = split(load_stories(args.corpora))
    for source in REPEATS:
        texts = [s.text for s in train if s.source == source]
        kept = sum(s.source == source for s in held)
        print(f"{source:22} {len(texts):6} stories {sum(map(len, texts)):9} characters, {kept:4} held out")
        if source == args.show:
            print("\n\n".join(texts[:5]))


if __name__ == "__main__":
    main()
