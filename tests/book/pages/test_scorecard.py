import json

import pytest

from spikepropamine.book import claims
from spikepropamine.book.judges.judge import Measure
from spikepropamine.book.pages import scorecard
from spikepropamine.records.statistics import Interval

HEADINGS = [*(f"claim-{n}" for n in range(1, 7)), "claim-adaptation"]


@pytest.fixture
def judgements(repository):
    rounds = claims.load_rounds(repository / "book" / "claims.yml")
    return claims.judge(rounds, claims.Published(repository / "book" / "results"))


def test_the_number_that_decides_stands_against_its_threshold():
    low = Measure("dp-oja on recall, accuracy", Interval(0.96, 0.94, 0.98), "low", 0.95)
    assert scorecard.against(low) == "dp-oja on one-shot recall, accuracy: 0.940 < 0.950"
    assert scorecard.deciding_number(low) == "lower end 0.940, needed at least 0.950"
    assert scorecard.decided_by(low).startswith(
        "dp-oja on one-shot recall, accuracy: 0.960 (0.940 to 0.980); lower end 0.940"
    )
    strict = low._replace(at_least=False, strict=True)
    assert scorecard.against(strict).endswith("0.940 < 0.950") and scorecard.deciding_number(strict).endswith(
        "below 0.950"
    )
    assert scorecard.against(strict._replace(threshold=0.9)).endswith("0.940 ≥ 0.900")


def test_a_task_is_called_by_its_label():
    assert scorecard.label_of("cue-reward-high") == "cue-reward (high noise)" and scorecard.label_of("snn") == "snn"
    what = "dp-bcm on weak-cues-high, gain over lsnn-100"
    assert scorecard.in_words(what) == "dp-bcm on weak cues, gain over lsnn-100"
    assert [scorecard.enumerated(names) for names in ((), ("a",), ("a", "b", "c"))] == ["", "a", "a, b and c"]


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
    told.append(scorecard.others(judgements, HEADINGS, repository).data)
    for j in judgements:
        assert sum(scorecard.minus(j.claim.criterion) in one for one in told) == 1
    assert scorecard.others(judgements, ["claim"], repository).data == "*None so far.*"


def test_exceptions_to_before_the_runs_are_told(judgements):
    told = scorecard.exceptions(judgements).data
    assert "50 of the 200 runs on cue association" in told and "from 10 to 20" in told


def test_a_claim_not_yet_run_says_so(judgements, repository):
    empty = claims.judge([j.round for j in judgements[:1]], {})
    text = scorecard.section(empty, "claim-1", repository).data
    assert "– not yet run" in text and "Nothing yet: no runs, or too few seeds." in text
    assert set(scorecard.shown(empty)["decided by"]) == {"–"}
