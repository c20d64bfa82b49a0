"""Votes of a blind user study, and the Bradley-Terry ranking of the methods by them; imports no torch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lowlight.evaluation.statistics import LEVEL, draw_clusters, percentile_interval
from lowlight.files import read_table, write_table

COLUMNS = ("voter", "picture", "first", "second", "choice")
"""Columns that a file of votes must have; the page adds seconds and time."""

RESAMPLES = 2000
"""Bootstrap resamples of the ranking."""

PRIOR = 0.5
"""Wins, and losses, of every method against an imagined one of average strength: a method that won all its
comparisons would otherwise have an infinite score."""

_TOLERANCE, _MOST_STEPS = 1e-7, 10_000


@dataclass(frozen=True)
class Vote:
    """A person's answer: ``choice`` is 1 or 2 if the first or second picture is better, 0 if neither is."""

    voter: str
    picture: str
    first: str
    second: str
    choice: int


@dataclass(frozen=True)
class Ranked:
    """A method in the ranking.

    Attributes:
        method: Its label.
        score: Logarithm of its Bradley-Terry strength; the mean over the methods is 0. A method is preferred
            to another with odds of e to the power of the difference.
        low: Lower bound of the score's interval; None if undefined.
        high: Upper bound likewise.
        preferred: Probability to be preferred to another method, averaged over the others.
        wins: Number of comparisons won.
        ties: Number of undecided ones.
        losses: Number of lost ones.
    """

    method: str
    score: float
    low: float | None
    high: float | None
    preferred: float
    wins: int
    ties: int
    losses: int


@dataclass(frozen=True)
class Ranking:
    """The methods, the best first, and how much the ranking rests on."""

    methods: Sequence[Ranked]
    votes: int
    voters: int
    pictures: int

    def describe(self) -> str:
        """Return two sentences on what was counted and how."""
        drawn = [name for name, count in (("voters", self.voters), ("pictures", self.pictures)) if count > 1]
        over = (
            f"intervals: {100 * LEVEL:g} % bootstrap over {' and '.join(drawn)}" if drawn else "no intervals"
        )
        alone = "; one person's taste" if self.voters == 1 else ""
        return (
            f"{_number(self.votes, 'vote')} by {_number(self.voters, 'person', 'people')} on "
            f"{_number(self.pictures, 'picture')}{alone}. Bradley-Terry scores, a tie counts half for each; "
            f"{over}."
        )


def _number(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def read_votes(paths: Sequence[Path]) -> list[Vote]:
    """Read files of votes; of several answers of a person to one pair of pictures, the last counts.

    Raises:
        ValueError: If a file is missing or holds something else, naming the row; or there are no votes.
    """
    votes: dict[tuple[object, ...], Vote] = {}
    for path in paths:
        if not path.is_file():
            raise ValueError(f"{path}: no such file of votes")
        for number, row in enumerate(read_table(path), start=2):
            vote = _vote(row, f"{path}, line {number}")
            votes[vote.voter, vote.picture, frozenset((vote.first, vote.second))] = vote
    if not votes:
        raise ValueError(f"{', '.join(map(str, paths))}: no votes")
    return list(votes.values())


def _vote(row: dict[str, str], place: str) -> Vote:
    if missing := [column for column in COLUMNS if column not in row]:
        raise ValueError(f"{place}: no column {missing[0]}; a file of votes has {', '.join(COLUMNS)}")
    voter, picture, first, second, choice = (row[column] for column in COLUMNS)
    if choice not in ("0", "1", "2"):
        raise ValueError(f"{place}: the choice is {choice!r}, not 0, 1 or 2")
    if first == second:
        raise ValueError(f"{place}: {first!r} is compared with itself")
    return Vote(voter, picture, first, second, int(choice))


def rank(votes: Sequence[Vote], *, resamples: int = RESAMPLES, seed: int = 0) -> Ranking:
    """Rank methods by votes, with bootstrap intervals.

    Answers of one person resemble each other, and so do answers to one picture. Persons and pictures are
    therefore both drawn with replacement, and a vote counts as often as its person was drawn times its
    picture; with one person, only pictures are drawn, and the interval says nothing about other people.

    Args:
        votes: At least one vote.
        resamples: Number of bootstrap resamples.
        seed: Seed of the bootstrap.

    Reference:
        Bradley and Terry, 1952, "Rank analysis of incomplete block designs: I. The method of paired
        comparisons"; Owen, 2007, "The pigeonhole bootstrap".
    """
    methods = sorted({name for vote in votes for name in (vote.first, vote.second)})
    position = {name: index for index, name in enumerate(methods)}
    size = len(methods)
    points = np.zeros((len(votes), size * size))
    counts = {name: [0, 0, 0] for name in methods}  # wins, ties, losses
    for row, vote in enumerate(votes):
        one, other = position[vote.first], position[vote.second]
        share = {0: 0.5, 1: 1.0, 2: 0.0}[vote.choice]
        points[row, one * size + other], points[row, other * size + one] = share, 1 - share
        counts[vote.first][{1: 0, 0: 1, 2: 2}[vote.choice]] += 1
        counts[vote.second][{2: 0, 0: 1, 1: 2}[vote.choice]] += 1
    scores = bradley_terry(points.sum(0).reshape(size, size))
    voters, people = _numbered([vote.voter for vote in votes])
    pictures, shown = _numbered([vote.picture for vote in votes])
    bounds: list[tuple[float | None, float | None]] = [(None, None)] * size
    if max(people, shown) > 1:
        generator = np.random.default_rng(seed)
        weights = (
            draw_clusters(people, resamples, generator)[:, voters]
            * draw_clusters(shown, resamples, generator)[:, pictures]
        )
        drawn = bradley_terry((weights @ points).reshape(resamples, size, size))
        bounds = [(float(low), float(high)) for low, high in percentile_interval(drawn).T]
    odds = 1 / (1 + np.exp(scores[None] - scores[:, None]))  # of the row's method against the column's
    preferred = (odds.sum(1) - 0.5) / (size - 1)
    ranked = [
        Ranked(name, float(score), *bounds[index], float(preferred[index]), *counts[name])
        for index, (name, score) in enumerate(zip(methods, scores, strict=True))
    ]
    ranked.sort(key=lambda one: -one.score)
    return Ranking(ranked, len(votes), people, shown)


def _numbered(labels: Sequence[str]) -> tuple[NDArray[np.intp], int]:
    """Return each label's number, and how many there are."""
    known, numbers = np.unique(np.array(labels, dtype=object), return_inverse=True)
    return numbers, len(known)


def bradley_terry(wins: NDArray[np.float64], prior: float = PRIOR) -> NDArray[np.float64]:
    """Fit the Bradley-Terry model by Hunter's minorisation, to one table of wins or to many at once.

    Args:
        wins: Wins of the row's method over the column's, shape (..., M, M); a tie counts half for each.
        prior: Wins, and losses, of each method against an imagined one of strength 1.

    Returns:
        Logarithms of the strengths, shape (..., M), with a mean of 0.

    Reference:
        Hunter, 2004, "MM algorithms for generalized Bradley-Terry models", Section 2.

    Example:
        >>> bradley_terry(np.array([[0.0, 3.0], [1.0, 0.0]]), prior=0).round(3)
        array([ 0.549, -0.549])
    """
    games = wins + np.swapaxes(wins, -1, -2)
    won = wins.sum(-1) + prior
    strength = np.ones_like(won)
    for _ in range(_MOST_STEPS):
        expected = (games / (strength[..., :, None] + strength[..., None, :])).sum(-1)
        better = won / (expected + 2 * prior / (strength + 1))
        change = np.abs(np.log(better / strength)).max()
        strength = better
        if change < _TOLERANCE:
            break
    scores = np.log(strength)
    centred: NDArray[np.float64] = scores - scores.mean(-1, keepdims=True)
    return centred


def write_ranking(ranking: Ranking, folder: Path) -> None:
    """Write ``ranking.csv``, a row per method; undefined bounds are empty."""
    rows = [
        {key: "" if value is None else value for key, value in asdict(one).items()} for one in ranking.methods
    ]
    write_table(folder / "ranking.csv", rows)
