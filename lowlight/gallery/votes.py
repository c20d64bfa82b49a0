"""Votes of a blind user study, and the Bradley-Terry ranking of the methods by them; imports no torch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import compress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lowlight.evaluation.statistics import LEVEL, draw_clusters, percentile_interval
from lowlight.files import read_table, write_table

COLUMNS = ("voter", "picture", "first", "second", "choice")
"""Columns that a file of votes must have; the page adds scene, seconds and time, which is read, too."""

RESAMPLES = 2000
"""Bootstrap resamples of the ranking."""

PRIOR = 0.5
"""Wins, and losses, of every method against an imagined one of average strength: a method that won all its
comparisons would otherwise have an infinite score."""

_TOLERANCE, _MOST_STEPS = 1e-6, 500
"""Convergence is quadratic: after a step below 1e-6 the error is far below that. A hundred votes take about
ten steps; twelve methods with a million votes per pair, all in one order, take 71."""


@dataclass(frozen=True)
class Vote:
    """A person's answer to two methods' pictures of a photograph.

    Attributes:
        voter: The person.
        picture: Name of the photograph, or frame.
        first: Label of the method of the first picture.
        second: That of the second one.
        choice: 1 or 2 if the first or second picture is better, 0 if neither is.
        scene: Source of the photograph, which frames of one video share; empty if it is not known.
    """

    voter: str
    picture: str
    first: str
    second: str
    choice: int
    scene: str = ""


@dataclass(frozen=True)
class Ranked:
    """A method in the ranking.

    Attributes:
        method: Its label.
        score: Logarithm of its Bradley-Terry strength; the mean over the methods is 0. A method is preferred
            to another with odds of e to the power of the difference.
        low: Lower bound of the score's interval; None if there is one person and scene only, if all
            resamples agree, or if the votes between the method and each other are unanimous.
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
    """The methods, the best first, and how much the ranking rests on.

    Attributes:
        methods: The methods.
        votes: Number of votes.
        voters: Number of persons.
        pictures: Number of pictures.
        scenes: Number of scenes that they show: frames of one video show one.
        groups: Labels of the methods in groups between which all votes went one way; a single group if votes
            both ways link all methods.
    """

    methods: Sequence[Ranked]
    votes: int
    voters: int
    pictures: int
    scenes: int
    groups: Sequence[Sequence[str]]

    def describe(self) -> str:
        """Return two or three sentences on what was counted, how, and what only the prior bounds."""
        alone = "; one person's taste" if self.voters == 1 else ""
        of = f" of {_number(self.scenes, 'scene')}" if self.scenes < self.pictures else ""
        return (
            f"{_number(self.votes, 'vote')} by {_number(self.voters, 'person', 'people')} on "
            f"{_number(self.pictures, 'picture')}{of}{alone}. Bradley-Terry scores, "
            f"a tie counts half for each; {self._describe_intervals()}.{self._describe_groups()}"
        )

    def _describe_intervals(self) -> str:
        shown = "scenes" if self.scenes < self.pictures else "pictures"
        drawn = [name for name, count in (("voters", self.voters), (shown, self.scenes)) if count > 1]
        if drawn and len(self.groups) == 1 and all(one.low is None for one in self.methods):
            return "no intervals, as all resamples agree"
        if all(one.low is None for one in self.methods):
            return "no intervals"
        return f"intervals: {100 * LEVEL:g} % bootstrap over {' and '.join(drawn)}"

    def _describe_groups(self) -> str:
        if len(self.groups) == 1:
            return ""
        return (
            f" The votes are unanimous between {_listed(self.groups)}: only the prior bounds these "
            "differences, and a method that is alone has no interval."
        )


def _number(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _listed(groups: Sequence[Sequence[str]]) -> str:
    return " | ".join(", ".join(group) for group in groups)


def read_votes(paths: Sequence[Path]) -> list[Vote]:
    """Read files of votes; of several answers of a person to one pair of pictures, the latest counts.

    That is the one with the later ``time``, in ISO 8601; where one has none, the one read last.

    Raises:
        ValueError: If a file is missing or holds something else, naming the row; or there are no votes.
    """
    votes: dict[tuple[object, ...], tuple[datetime | None, Vote]] = {}
    for path in paths:
        if not path.is_file():
            raise ValueError(f"{path}: no such file of votes")
        for number, row in enumerate(read_table(path), start=2):
            vote = _vote(row, f"{path}, line {number}")
            pair, time = (vote.voter, vote.picture, frozenset((vote.first, vote.second))), _time(row)
            other = votes[pair][0] if pair in votes else None
            if not time or not other or time >= other:
                votes[pair] = time, vote
    if not votes:
        raise ValueError(f"{', '.join(map(str, paths))}: no votes")
    return [vote for _, vote in votes.values()]


def _time(row: dict[str, str]) -> datetime | None:
    """Return the time of an answer, in UTC where it names no zone; None if there is none."""
    try:
        time = datetime.fromisoformat(row.get("time", ""))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _vote(row: dict[str, str], place: str) -> Vote:
    if missing := [column for column in COLUMNS if column not in row]:
        raise ValueError(f"{place}: no column {missing[0]}; a file of votes has {', '.join(COLUMNS)}")
    voter, picture, first, second, choice = (row[column] for column in COLUMNS)
    if choice not in ("0", "1", "2"):
        raise ValueError(f"{place}: the choice is {choice!r}, not 0, 1 or 2")
    if first == second:
        raise ValueError(f"{place}: {first!r} is compared with itself")
    return Vote(voter, picture, first, second, int(choice), row.get("scene", ""))


def rank(votes: Sequence[Vote], *, resamples: int = RESAMPLES, seed: int = 0) -> Ranking:
    """Rank methods by votes, with bootstrap intervals.

    Answers of one person resemble each other, and so do answers to one scene, such as to the frames of a
    video. Persons and scenes are therefore both drawn with replacement, and a vote counts as often as its
    person was drawn times its scene; with one person, only scenes are drawn, and the interval says nothing
    about other people. A picture whose scene no vote names is one of its own.

    Resampling cannot tell how far apart two methods are if all votes went one way, so a method that is alone
    in its group of :class:`Ranking` has no interval.

    Args:
        votes: At least one vote.
        resamples: Number of bootstrap resamples.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: If no chain of comparisons links some methods, which then have no common scale.

    Reference:
        Bradley and Terry, 1952, "Rank analysis of incomplete block designs: I. The method of paired
        comparisons"; Ford, 1957, "Solution of a ranking problem from binary comparisons" (groups);
        Owen, 2007, "The pigeonhole bootstrap".
    """
    methods = sorted({name for vote in votes for name in (vote.first, vote.second)})
    points, counts = _count(votes, methods)
    wins = points.sum(0)
    if len(apart := _groups(wins + wins.T > 0, methods)) > 1:
        raise ValueError(
            f"no votes link the methods {_listed(apart)}, so their scores have no common scale; rank each "
            "group by its own votes, or add votes that compare methods of different groups"
        )
    scores = bradley_terry(wins)
    order: list[int] = np.argsort(-scores, kind="stable").tolist()
    groups = _groups(wins[np.ix_(order, order)] > 0, [methods[index] for index in order])
    voters, people = _numbered([vote.voter for vote in votes])
    named = {vote.picture: vote.scene for vote in votes if vote.scene}
    scenes, shown = _numbered([named.get(vote.picture, vote.picture) for vote in votes])
    bounds: list[tuple[float | None, float | None]] = [(None, None)] * len(methods)
    if max(people, shown) > 1:
        generator = np.random.default_rng(seed)
        weights = (
            draw_clusters(people, resamples, generator)[:, voters]
            * draw_clusters(shown, resamples, generator)[:, scenes]
        )
        drawn = bradley_terry(np.tensordot(weights, points, 1))
        bounds = [
            (None, None) if np.isclose(low, high) or (name,) in groups else (float(low), float(high))
            for name, (low, high) in zip(methods, percentile_interval(drawn).T, strict=True)
        ]
    odds = _logistic(scores[:, None] - scores)  # that the row's method is preferred to the column's
    preferred = (odds.sum(1) - 0.5) / (len(methods) - 1)
    ranked = [
        Ranked(methods[index], float(scores[index]), *bounds[index], float(preferred[index]), *counts[index])
        for index in order
    ]
    pictures = len({vote.picture for vote in votes})
    return Ranking(ranked, len(votes), people, pictures, shown, groups)


def _count(votes: Sequence[Vote], methods: Sequence[str]) -> tuple[NDArray[np.float64], list[list[int]]]:
    """Return each vote's table of points, shape (V, M, M), and each method's wins, ties and losses."""
    position = {name: index for index, name in enumerate(methods)}
    points = np.zeros((len(votes), len(methods), len(methods)))
    counts = [[0, 0, 0] for _ in methods]
    for table, vote in zip(points, votes, strict=True):
        one, other = position[vote.first], position[vote.second]
        share = {0: 0.5, 1: 1.0, 2: 0.0}[vote.choice]
        table[one, other], table[other, one] = share, 1 - share
        counts[one][{1: 0, 0: 1, 2: 2}[vote.choice]] += 1
        counts[other][{2: 0, 0: 1, 1: 2}[vote.choice]] += 1
    return points, counts


def _groups(links: NDArray[np.bool_], names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the names in groups whose members reach each other by links from row to column, shape (M, M)."""
    reached = _reached(links)
    return list(dict.fromkeys(tuple(compress(names, row)) for row in reached & reached.T))


def _reached(links: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which columns a chain of links leads to from each row, shape (..., M, M)."""
    size = links.shape[-1]
    reached = links | np.eye(size, dtype=bool)
    for _ in range(size.bit_length()):  # chains of up to 2, 4, 8... links
        reached = reached @ reached
    return reached


def _numbered(labels: Sequence[str]) -> tuple[NDArray[np.intp], int]:
    """Return each label's number, and how many there are."""
    known, numbers = np.unique(np.array(labels, dtype=object), return_inverse=True)
    return numbers, len(known)


def bradley_terry(wins: NDArray[np.float64], prior: float = PRIOR) -> NDArray[np.float64]:
    """Fit the Bradley-Terry model by Newton's method, to one table of wins or to many at once.

    The logarithm of the likelihood is concave, and steps are shortened so that each increases it.

    Args:
        wins: Wins of the row's method over the column's, shape (..., M, M); a tie counts half for each.
        prior: Wins, and losses, of each method against an imagined one of strength 1.

    Returns:
        Logarithms of the strengths, shape (..., M), with a mean of 0.

    Raises:
        ValueError: If the prior is 0 and wins both ways do not link all methods; nothing bounds the scores.
        ArithmeticError: If the steps do not converge.

    Reference:
        Hunter, 2004, "MM algorithms for generalized Bradley-Terry models", Section 2 (likelihood); Sun and
        Tran-Dinh, 2019, "Generalized self-concordant functions: a recipe for Newton-type methods" (steps).

    Example:
        >>> bradley_terry(np.array([[0.0, 3.0], [1.0, 0.0]]), prior=0).round(3)
        array([ 0.549, -0.549])
    """
    if prior == 0 and not _reached(wins > 0).all():
        raise ValueError("wins both ways do not link all methods; give a prior above 0")
    size = wins.shape[-1]
    scores = np.zeros(wins.shape[:-1])
    for _ in range(_MOST_STEPS):
        lost = _logistic(scores[..., None, :] - scores[..., :, None])  # chance that the row's method loses
        missed = wins * lost
        gradient = missed.sum(-1) - missed.sum(-2) + prior * (_logistic(-scores) - _logistic(scores))
        shared = (wins + np.swapaxes(wins, -1, -2)) * lost * np.swapaxes(lost, -1, -2)
        own = shared.sum(-1) + 2 * prior * _logistic(scores) * _logistic(-scores)
        curvature = own[..., None] * np.eye(size) - shared
        curvature += prior == 0  # then the likelihood leaves the mean free, and this holds it at 0
        step = np.linalg.solve(curvature, gradient[..., None])[..., 0]
        length = 2 * np.abs(step).max(-1, keepdims=True) + np.finfo(float).tiny
        scores += step * np.log1p(length) / length
        if length.max() < _TOLERANCE:
            return np.asarray(scores - scores.mean(-1, keepdims=True))
    raise ArithmeticError("the scores did not converge")


def _logistic(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-values)))


def write_ranking(ranking: Ranking, folder: Path) -> None:
    """Write ``ranking.csv``, a row per method; undefined bounds are empty."""
    rows = [
        {key: "" if value is None else value for key, value in asdict(one).items()} for one in ranking.methods
    ]
    write_table(folder / "ranking.csv", rows)
