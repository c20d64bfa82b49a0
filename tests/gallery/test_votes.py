"""Votes: read, and ranked by the Bradley-Terry model."""

import json
import math
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq

from lowlight.files import read_table, write_table
from lowlight.gallery.votes import COLUMNS, PRIOR, Ranking, Vote, bradley_terry, rank, read_votes

HEAD = "voter,picture,first,second,choice\n"


def drawn(voters: int, pictures: int, seed: int, strengths: dict[str, float]) -> list[Vote]:
    """Draw the votes of people who all judge by the same strengths."""
    generator = np.random.default_rng(seed)
    names, votes = sorted(strengths), []
    for voter in range(voters):
        for picture in range(pictures):
            for index, first in enumerate(names):
                for second in names[index + 1 :]:
                    odds = strengths[first] / (strengths[first] + strengths[second])
                    choice = 1 if generator.random() < odds else 2
                    votes.append(Vote(str(voter), str(picture), first, second, choice))
    return votes


def test_two_methods_have_the_logarithm_of_their_odds() -> None:
    first, second = bradley_terry(np.array([[0.0, 30.0], [10.0, 0.0]]), prior=0)
    assert first - second == pytest.approx(math.log(3))
    assert first + second == pytest.approx(0)


def test_expected_wins_give_back_the_strengths_that_made_them() -> None:
    strengths = np.array([4.0, 2.0, 1.0, 0.3])
    wins = 10 * strengths[:, None] / (strengths[:, None] + strengths)
    np.fill_diagonal(wins, 0)
    wanted = np.log(strengths) - np.log(strengths).mean()
    assert np.allclose(bradley_terry(wins, prior=0), wanted, atol=1e-6)
    both = bradley_terry(np.stack([wins, wins.T]), prior=0)
    assert np.allclose(both, [wanted, -wanted], atol=1e-6)


@pytest.mark.parametrize("votes", [30.0, 300.0, 1e6])
def test_the_fit_is_the_maximum_even_if_a_method_won_everything(votes: float) -> None:
    wins = np.full((5, 5), votes / 2)
    np.fill_diagonal(wins, 0)
    wins[0, 1:], wins[1:, 0] = votes, 0
    shared = wins[:, ::-1].copy()[::-1]  # the same methods in another order, and fitted together
    scores, swapped = bradley_terry(np.stack([wins, shared]))
    assert np.allclose(scores, swapped[::-1], atol=1e-9)
    origin = brentq(lambda origin: np.tanh((scores - origin) / 2).sum(), -20, 20, xtol=1e-12)
    chance = 1 / (1 + np.exp(scores - scores[:, None]))
    prior = PRIOR * np.tanh((scores - origin) / 2)
    gradient = (wins * (1 - chance) - wins.T * chance).sum(1) - prior
    assert np.abs(gradient).max() < 1e-6


def test_scores_without_a_prior_need_wins_both_ways() -> None:
    with pytest.raises(ValueError, match="give a prior above 0"):
        bradley_terry(np.array([[0.0, 3.0], [0.0, 0.0]]), prior=0)


def test_a_method_that_won_everything_has_a_finite_score_and_no_interval() -> None:
    ranking = rank([Vote("v", str(number), "a", "b", 1) for number in range(20)])
    first, last = ranking.methods
    assert (first.method, first.wins, last.losses) == ("a", 20, 20)
    assert 1 < first.score < 10
    assert 0.9 < first.preferred < 1
    assert [(one.low, one.high) for one in ranking.methods] == [(None, None)] * 2
    assert "no intervals. The votes are unanimous between a | b: only the prior" in ranking.describe()


def test_only_methods_whose_votes_are_unanimous_have_no_interval() -> None:
    votes = [Vote("v", str(number), "b", "c", 1 + number % 3 // 2) for number in range(30)]
    votes += [Vote("v", str(number), "a", other, 1) for number in range(20) for other in "bc"]
    votes += [Vote("v", str(number), "d", other, 2) for number in range(10) for other in "bc"]
    ranking = rank(votes, resamples=200)
    assert [(one.method, one.low is None) for one in ranking.methods] == [
        ("a", True), ("b", False), ("c", False), ("d", True)
    ]  # fmt: skip
    assert ranking.groups == [("a",), ("b", "c"), ("d",)]
    assert "95 % bootstrap over pictures. The votes are unanimous between a | b, c | d" in ranking.describe()


def test_ties_alone_have_no_interval() -> None:
    ranking = rank([Vote("v", str(number), "a", "b", 0) for number in range(20)])
    assert [(one.score, one.low, one.high) for one in ranking.methods] == [(0, None, None)] * 2
    assert ranking.describe().endswith("no intervals, as all resamples agree.")


def test_methods_that_no_votes_link_are_not_ranked_together() -> None:
    votes = [Vote("v", str(number), "mirnet", "gamma", 1) for number in range(20)]
    votes += [Vote("w", str(number), "gan", "lime", 1 + number % 2) for number in range(40)]
    with pytest.raises(ValueError, match=r"no votes link the methods gamma, mirnet \| gan, lime, .*; rank"):
        rank(votes)
    linked = rank([*votes, Vote("w", "0", "lime", "gamma", 0)], resamples=50)
    assert {one.method for one in linked.methods} == {"gamma", "gan", "lime", "mirnet"}


def test_intervals_cover_the_truth_and_shrink_with_more_pictures() -> None:
    strengths = {"a": 3.0, "b": 1.0, "c": 1 / 3}
    truth = {"a": math.log(3), "b": 0.0, "c": -math.log(3)}
    hits, widths = 0, []
    for seed in range(10):
        ranking = rank(drawn(1, 30, seed, strengths), resamples=200)
        for one in ranking.methods:
            assert one.low is not None
            assert one.high is not None
            hits += one.low <= truth[one.method] <= one.high
            widths.append(one.high - one.low)
    assert hits >= 25  # of 30, at 95 %
    many = rank(drawn(1, 480, 0, strengths), resamples=200).methods
    assert [one.method for one in many] == ["a", "b", "c"]
    narrow = np.mean([one.high - one.low for one in many if one.high is not None and one.low is not None])
    assert narrow == pytest.approx(np.mean(widths) / 4, rel=0.25)


def test_people_who_disagree_make_the_interval_wide() -> None:
    votes = []
    for voter in range(6):
        taste = 1 if voter < 4 else 2
        votes += [Vote(str(voter), str(picture), "a", "b", taste) for picture in range(40)]
    together = rank(votes, resamples=200)
    alone = rank(
        [Vote("one", f"{vote.voter}/{vote.picture}", "a", "b", vote.choice) for vote in votes], resamples=200
    )
    first, narrow = together.methods[0], alone.methods[0]
    assert first.low is not None
    assert first.low < 0 < first.score  # 4 of 6 people
    assert narrow.low is not None
    assert narrow.low > 0  # 160 of 240 pictures
    assert (together.voters, together.pictures, alone.voters, alone.pictures) == (6, 40, 1, 240)
    assert "one person's taste" in alone.describe()
    assert "over voters and pictures" in together.describe()


def test_frames_of_one_video_are_no_independent_pictures(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rows = [
        {"voter": "v", "picture": f"clip {clip}, {frame} s", "scene": f"clip {clip}", "first": "a",
         "second": "b", "choice": choice}
        for clip, choice in enumerate(generator.permutation([1] * 7 + [2] * 5))
        for frame in range(10)
    ]  # fmt: skip
    write_table(tmp_path / "votes.csv", rows)
    write_table(tmp_path / "old.csv", [{**row, "voter": "w"} for row in rows], COLUMNS)
    frames = rank(read_votes([tmp_path / "old.csv"]), resamples=300)
    clips = rank(read_votes([tmp_path / "votes.csv"]), resamples=300)
    assert (frames.pictures, frames.scenes, clips.pictures, clips.scenes) == (120, 120, 120, 12)
    assert width(clips) > 2 * width(frames)
    assert "on 120 pictures of 12 scenes; " in clips.describe()
    assert clips.describe().endswith("bootstrap over scenes.")
    both = rank(read_votes([tmp_path / "votes.csv", tmp_path / "old.csv"]), resamples=300)
    assert (both.voters, both.scenes) == (2, 12)


def width(ranking: Ranking) -> float:
    first = ranking.methods[0]
    assert first.low is not None
    assert first.high is not None
    return first.high - first.low


def test_ties_count_half_for_each_and_one_vote_has_no_interval() -> None:
    even = rank([Vote("v", "p", "a", "b", 0)])
    assert [(one.score, one.low, one.ties, one.preferred) for one in even.methods] == [(0, None, 1, 0.5)] * 2
    assert "no intervals" in even.describe()
    swapped = [rank([Vote("v", "p", "a", "b", 1)]), rank([Vote("v", "p", "b", "a", 2)])]
    assert swapped[0] == swapped[1]


def test_the_last_answer_of_a_person_counts_and_files_are_joined(tmp_path: Path) -> None:
    (tmp_path / "early.csv").write_text(HEAD + "v1,p,a,b,1\nv1,q,a,b,2\n")
    (tmp_path / "late.csv").write_text(HEAD + "v1,p,b,a,1\nv2,p,a,b,0\n")
    votes = read_votes([tmp_path / "early.csv", tmp_path / "late.csv"])
    assert votes == [Vote("v1", "p", "b", "a", 1), Vote("v1", "q", "a", "b", 2), Vote("v2", "p", "a", "b", 0)]


def test_the_later_answer_counts_whatever_the_order_of_the_files(tmp_path: Path) -> None:
    head = HEAD.replace("\n", ",time\n")
    early, late = tmp_path / "votes-1.csv", tmp_path / "votes-1 (1).csv"
    early.write_text(head + "v,p,a,b,1,2026-11-30T09:59:59.000Z\nv,q,a,b,1,2026-11-30T10:00:00.000Z\n")
    late.write_text(head + "v,p,a,b,2,2026-11-30T11:00:00+01:00\nv,q,a,b,2,\n")
    for files, undated in (([early, late], 2), ([late, early], 1)):
        assert [(vote.picture, vote.choice) for vote in read_votes(files)] == [("p", 2), ("q", undated)]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    (tmp_path / "votes.csv").write_text(HEAD + "v,p,a,b,1\n", encoding="utf-8-sig")
    assert read_votes([tmp_path / "votes.csv"]) == [Vote("v", "p", "a", "b", 1)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("voter,picture\nv,p\n", r"votes\.csv, line 2: no column first"),
        (HEAD + "v,p,a,b,1\nv,p,a,b,3\n", r"votes\.csv, line 3: the choice is '3', not 0, 1 or 2"),
        (HEAD + "v,p,a,a,1\n", "'a' is compared with itself"),
        (HEAD, r"votes\.csv: no votes"),
        (HEAD + "v,p\n", r"votes\.csv: not a readable table"),
    ],
)
def test_what_is_no_file_of_votes_is_refused_by_its_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "votes.csv").write_text(text)
    with pytest.raises(ValueError, match=told):
        read_votes([tmp_path / "votes.csv"])


def test_the_command_prints_and_writes_the_ranking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for voter in ("v1", "v2"):
        rows = [{"voter": voter, "picture": str(p), "first": "lime", "second": "gamma", "choice": 1 + p // 6}
                for p in range(8)]  # fmt: skip
        write_table(tmp_path / f"{voter}.csv", rows)
        files.append(str(tmp_path / f"{voter}.csv"))
    for arguments in (["--votes", files[0], "--votes", files[1]], ["--votes", *files, "--json"]):
        monkeypatch.setattr(sys, "argv", ["lowlight gallery", *arguments, "--out", str(tmp_path / "ranks")])
        with pytest.raises(SystemExit) as stop:
            import_module("lowlight.cli.gallery").main()
        assert stop.value.code in (0, None)
        printed = capsys.readouterr().out
        if "--json" in arguments:
            told = json.loads(printed)
            assert [one["method"] for one in told["methods"]] == ["lime", "gamma"]
            assert (told["votes"], told["voters"], told["pictures"]) == (16, 2, 8)
        else:
            assert printed.splitlines()[1].split()[0] == "lime"
            assert printed.splitlines()[-1].startswith("16 votes by 2 people on 8 pictures. ")
    first, second = read_table(tmp_path / "ranks/ranking.csv")
    assert (first["method"], first["wins"], first["losses"]) == ("lime", "12", "4")
    assert float(first["low"]) < float(first["score"]) < float(first["high"])
    assert float(second["score"]) == pytest.approx(-float(first["score"]))
