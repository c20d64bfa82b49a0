"""Which word was meant by a misspelt one."""

import pytest

from lowlight.spelling import did_you_mean, nearest

KNOWN = ["data.root", "data.sets", "data.epoch_size", "method.optimizer.lr", "trainer.max_epochs", "seed"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("data.rot", ["data.root"]),
        ("rot", ["data.root"]),
        ("DATA.ROOT", ["data.root"]),
        ("lr", ["method.optimizer.lr"]),
        ("model.optimizer.lr", ["method.optimizer.lr"]),
        ("epochs", ["trainer.max_epochs"]),
        ("sead", ["seed"]),
        ("seed.x", []),
        ("xyzzy", []),
        ("", []),
    ],
)
def test_the_nearest_word_is_found_or_none(word: str, meant: list[str]) -> None:
    assert nearest(word, KNOWN) == meant


def test_equally_near_words_are_both_named() -> None:
    known = ["method.optimizer.lr", "method.discriminator_optimizer.lr", "seed"]
    told = did_you_mean("lr", known, "{}=1")
    assert told == "; did you mean method.optimizer.lr=1 or method.discriminator_optimizer.lr=1?"
    assert did_you_mean("xyzzy", known) == did_you_mean("lr", []) == ""
