"""The word that was meant by a misspelt one; imports no more than it needs, so that it is told at once."""

from collections.abc import Iterable
from difflib import SequenceMatcher


def nearest(word: str, known: Iterable[str], least: float = 0.6) -> list[str]:
    """Return the known words that come nearest to a word, the best first; at most two, none if none is near.

    Upper and lower case are equal. Of a dotted name the last part suffices, ``lr`` is
    ``method.optimizer.lr``, and of that a word, ``epochs`` is ``trainer.max_epochs``.

    Args:
        word: What was given.
        known: What there is.
        least: Smallest similarity, from 0 to 1.

    Example:
        >>> nearest("data.rot", ["data.root", "data.split", "seed"])
        ['data.root']
        >>> nearest("epochs", ["trainer.max_epochs", "seed"])
        ['trainer.max_epochs']
    """
    parent, _, last = word.lower().rpartition(".")

    def likeness(name: str) -> float:
        above, _, end = name.lower().rpartition(".")
        words = end.split("_")
        near = max(_similarity(last, end), (last in words) * (1.1 - 0.1 * len(words)))
        return near * (_similarity(parent, above) if parent else 1)

    scores = {name: likeness(name) for name in known}
    best = max(scores.values(), default=0)
    near = [name for name, score in scores.items() if score >= max(least, 0.95 * best)]
    return sorted(near, key=lambda name: (-scores[name], len(name)))[:2]


def _similarity(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()


def did_you_mean(word: str, known: Iterable[str], form: str = "{}") -> str:
    """Return ``; did you mean ...?`` with the nearest known words, or nothing.

    Args:
        word: What was given.
        known: What there is.
        form: How a suggestion is written; ``{}`` stands for the word.
    """
    found = nearest(word, known)
    return f"; did you mean {' or '.join(form.replace('{}', name) for name in found)}?" if found else ""
