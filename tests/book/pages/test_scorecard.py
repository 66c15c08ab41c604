import json

import pandas as pd
import pytest

from spikepropamine.book import claims
from spikepropamine.book.judges.judge import Measure
from spikepropamine.book.pages import scorecard
from spikepropamine.book.phrases import enumerated
from spikepropamine.records.statistics import Interval

HEADINGS = [*(f"claim-{n}" for n in range(1, 7)), "claim-adaptation"]


@pytest.fixture
def judgements(repository):
    rounds = claims.load_rounds(repository / "book" / "claims.yml")
    return claims.judge(rounds, claims.Published(repository / "book" / "results"))


def test_the_number_that_decides_stands_against_its_threshold():
    low = Measure("dp-oja on recall, accuracy", Interval(0.96, 0.94, 0.98), "low", 0.95)
    assert scorecard.against(low) == "dp-oja on one-shot recall, accuracy: lower end 0.940 < 0.950"
    assert scorecard.deciding_number(low) == "lower end 0.940, needed at least 0.950"
    assert scorecard.decided_by(low).startswith(
        "dp-oja on one-shot recall, accuracy: 0.960 (0.940 to 0.980); lower end 0.940"
    )
    mean = low._replace(decides="mean")
    assert scorecard.decided_by(mean).endswith("(0.940 to 0.980); mean 0.960, needed at least 0.950.")
    alone = mean._replace(interval=Interval(0.001, float("nan"), float("nan")))
    assert scorecard.decided_by(alone) == "dp-oja on one-shot recall, accuracy: 0.001, needed at least 0.950."
    strict = low._replace(at_least=False, strict=True)
    assert scorecard.against(strict).endswith("0.940 < 0.950") and scorecard.deciding_number(strict).endswith(
        "below 0.950"
    )
    assert scorecard.against(strict._replace(threshold=0.9)).endswith("0.940 ≥ 0.900")
    assert scorecard.against(low, noise="high").startswith("dp-oja on one-shot recall (high noise), accuracy")


def test_claims_and_our_questions_stand_in_the_order_of_the_page(judgements):
    called = scorecard.labels(judgements)
    assert list(called.values()) == [
        "1",
        "2",
        "3",
        "3a",
        "4",
        "5",
        "5a",
        "6",
        "6a",
        "6b",
        *(f"A{n}" for n in range(1, 7)),
    ]
    assert called["claim-3-other-memory"] == "3a" and called["claim-adaptation"] == "A1"
    table = scorecard.shown(judgements)
    signs = table.set_index(["claim", "round"])["decided by"]
    assert signs["[1](#claim-1-round-1)", 1].endswith("< 0.010\N{NO-BREAK SPACE}✗") and signs[
        "[6](#claim-6-round-1)", 1
    ].endswith("✓")
    assert "(low noise)" in signs["[3](#claim-3-round-1)", 1] and "(high noise)" in signs["[4](#claim-4-round-1)", 1]


def test_what_solving_means_is_said_with_the_thresholds_of_the_rounds(judgements):
    told = scorecard.solving(j.round for j in judgements)
    assert "at least 0.95, and *fails* it when the upper end is at most 0.60; on weak cues, 0.914 and 0.592." in told
    assert scorecard.solving(j.round for j in judgements if j.round.part == "walking") == ""


def test_a_task_is_called_by_its_label():
    assert scorecard.label_of("cue-reward-high") == "cue-reward (high noise)" and scorecard.label_of("snn") == "snn"
    what = "dp-bcm on weak-cues-high, gain over lsnn-100"
    assert scorecard.in_words(what) == "dp-bcm on weak cues, gain over lsnn-100"
    assert [enumerated(names) for names in ((), ("a",), ("a", "b", "c"))] == ["", "a", "a, b and c"]


def test_every_finding_has_an_anchor_of_its_own(judgements, repository):
    text = "\n".join(scorecard.section(judgements, name, repository).data for name in HEADINGS)
    anchors = [line.strip("()=") for line in text.splitlines() if line.startswith("(") and line.endswith(")=")]
    assert len(anchors) == len(set(anchors))
    for j in judgements:
        for key in ("", *j.decision.found):
            assert (scorecard.anchor(j, key) in anchors) == any(j.id.startswith(name) for name in HEADINGS)
    assert "claim-3-round-1-cue-reward" in anchors


def test_every_claim_has_a_section_and_its_criterion_word_for_word(judgements, repository):
    cells = json.loads((repository / "book" / "scorecard.ipynb").read_text(encoding="utf-8"))["cells"]
    source = "\n".join("".join(cell["source"]) for cell in cells)
    assert all(f"({name})=\n## " in source for name in HEADINGS)
    told = [scorecard.section(judgements, name, repository).data for name in HEADINGS]
    for j in judgements:
        assert sum(scorecard.minus(j.claim.criterion) in one for one in told) == 1


def test_our_questions_are_called_in_their_sections_as_in_the_table(judgements, repository):
    told = scorecard.section(judgements, "claim-3", repository).data
    assert "**3a, our question, not a claim of the abstract.** " in told
    assert "**A6, our question" in scorecard.section(judgements, "claim-adaptation", repository).data


def test_exceptions_to_before_the_runs_are_told(judgements):
    told = scorecard.exceptions(judgements).data
    assert "50 of the 200 runs on cue association" in told and "from 10 to 20" in told
    heads = [line.split(".**")[0] for line in told.splitlines() if line.startswith("**Round")]
    assert heads == [
        "**Round 1",
        "**Round 2, plasticity, noise and traditional networks",
        "**Round 2, walking",
        "**Round 2, a walk that must be remembered",
        "**Round 2, a direction that must be found out",
    ]
    assert (
        "networks.** Exceptions: After the search" in told
        and "remembered.** Exceptions: Found after the judging" in told
    )


def test_a_card_says_what_its_round_asked_and_which_records_it_rests_on(judgements, repository):
    told = scorecard.section(judgements, "claim-3-other-memory", repository).data
    first = next(j for j in judgements if j.id == "claim-3-other-memory" and j.round.number == 1)
    assert told.count(f"*Asked in round 1:* {first.claim.statement}") == 1 and "Asked in round 2" not in told
    assert told.count("registered before the runs, with exceptions](#what-was-known-before-each-round)") == 1
    assert "*Criterion (registered before the runs):* On a cell" in told
    assert "run records: {download}`key–value pairs (low noise) <results/key-value-pairs-low-round-two/" in told
    assert ". lsnn (of equal size)" in told and "Lsnn" not in told


def test_a_claim_not_yet_run_says_so(judgements, repository):
    empty = claims.judge([j.round for j in judgements[:1]], {})
    text = scorecard.section(empty, "claim-1", repository).data
    assert "– not yet run" in text and "**No verdict yet:** no runs, or too few seeds." in text
    assert set(scorecard.shown(empty)["decided by"]) == {"–"}


def test_a_claim_that_waits_for_one_robot_says_what_the_other_comes_to(repository, round_two):
    walks = claims.Published(repository / "book" / "results")["novel-conditions"]
    cheetah = walks[walks.environment == "HalfCheetah-v5"]
    ten = pd.concat([cheetah, cheetah.assign(seed=cheetah.seed + 5)], ignore_index=True)
    judgements = claims.judge([round_two], {"novel-conditions-round-two": ten})
    assert {j.verdict for j in judgements} == {"not yet run"}
    told = scorecard.section(judgements, "claim-5", repository).data
    assert told.count("**HalfCheetah-v5 by itself, which is no verdict:** ○ not reproduced, 0 of 4 cells.") == 1
    assert (
        "**No verdict yet:** only HalfCheetah-v5 is measured with all its seeds." in told and "– not yet judged" in told
    )
    assert " on HalfCheetah-v5, return: " in told and "Ant-v5 by itself" not in told
    nothing = claims.judge([round_two], {"novel-conditions-round-two": cheetah})
    assert all(j.parts == {} for j in nothing)
