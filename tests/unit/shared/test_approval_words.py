"""The words of approval: stable, in both languages, and explained in the documents."""

from pathlib import Path

import msgspec
import pytest

from shared.approval import DirectStatus, ProblemKind, Reason, Word

PAGE = Path(__file__).parents[3] / "docs/approvers.md"
WORDS: list[Word] = [*Reason, *DirectStatus, *ProblemKind]


@pytest.mark.parametrize("word", WORDS, ids=lambda word: f"{type(word).__name__}.{word}")
def test_every_word_has_a_sentence_in_both_languages_and_stands_in_the_documents(word: Word) -> None:
    assert word.en
    assert word.da
    assert word.en != word.da
    page = PAGE.read_text(encoding="utf-8")
    assert f"| `{word.value}` | {word.en} | {word.da} |" in page


def test_a_word_travels_as_its_text() -> None:
    for kind in (Reason, DirectStatus, ProblemKind):
        for word in kind:
            assert msgspec.json.decode(msgspec.json.encode(word), type=kind) is word
            assert msgspec.json.encode(word).decode() == f'"{word.value}"'
