import re

import matplotlib.pyplot as plt
import pytest

from spikepropamine.book import claims
from spikepropamine.book.pages import index, scorecard


@pytest.fixture
def results(repository):
    return claims.Published(repository / "book" / "results")


@pytest.fixture
def judgements(repository, results):
    return claims.judge(
        [one for one in claims.load_rounds(repository / "book" / "claims.yml") if one.number == 1], results
    )


def test_the_answer_counts_verdicts_and_cells(judgements):
    answer = index.answer(judgements).data
    assert "Of the 6 claims of the abstract, 1 reproduced, 5 partly reproduced." in answer
    assert "in 11 of 12 cases at low noise and in 8 of 12 cases at high noise; every miss is on cue-reward" in answer
    assert "3 of 18" in answer and "3 of 4 plastic networks walk" in answer and "dp-bcm keeps the least, 93%" in answer
    assert len(answer.split("\n\n")) == 4


def test_every_cell_of_the_grid_leads_to_an_anchor_of_the_scorecard(judgements, repository):
    grid = index.grid(judgements).data
    leads = re.findall(r"\]\(#([a-z0-9-]+)\)", grid)
    text = "".join(scorecard.section(judgements, f"claim-{n}", repository).data for n in range(1, 7))
    assert len(leads) == sum(len(j.decision.found) + 1 for j in judgements)
    assert all(f"({name})=" in text for name in leads)
    row = next(line for line in grid.splitlines() if "This works for several rules" in line)
    assert "dp-oja on cue-reward, accuracy: 0.934 < 0.950" in row and "[◐ 3/4](#claim-2-round-1-cue-reward)" in row


def test_a_later_round_stands_first_and_the_earlier_is_linked(judgements):
    j = judgements[0]
    later = claims.Judgement(j.claim, j.round.__class__(**vars(j.round) | {"number": 2}), claims.NOT_YET_RUN, j.records)
    grid = index.grid([*judgements, later]).data
    row = next(line for line in grid.splitlines() if "learned together" in line)
    assert "[– not yet run](#claim-1-round-2) (round 1: [partly reproduced](#claim-1-round-1))" in row
    assert "1 not yet run" in index.answer([*judgements, later]).data


def test_the_overview_draws_the_published_accuracies_and_returns(results, judgements):
    drawing = index.draw_overview(results, judgements)
    plt.close(drawing.figure)
    assert set(drawing.data.place) == {"cue-association", "cue-reward", "recall", "Ant"}
    assert set(drawing.data.network) == {"snn", "dp-oja", "dp-bcm", "ndp-oja", "ndp-bcm"}
    cell = drawing.data[(drawing.data.place == "recall") & (drawing.data.network == "snn")]
    runs = results["recall"]
    expected = runs[(runs["network.name"] == "snn") & (runs["task.noise"] == "low")].accuracy
    assert sorted(cell.value) == sorted(expected)
    assert "solve 11 of 12 cases" in drawing.caption and "snn fails 3 of 3" in drawing.caption
    assert "none of them walks farther than snn" in drawing.caption
