import re
from dataclasses import replace

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
    assert "in 11 of 12 cases and in 8 of 12 cases under significant noise; what they miss is on cue-reward" in answer
    assert "this holds in part, in 15 of 18 cases (slstm on cue-association, accuracy: 1.000 ≥ 0.950)" in answer
    assert "3 of 4 plastic networks walk" in answer and "dp-bcm keeps the least, 93%" in answer
    assert len(answer.split("\n\n")) == 4


def test_every_cell_of_the_grid_leads_to_an_anchor_of_the_scorecard(judgements, repository):
    grid = index.grid(judgements).data
    leads = re.findall(r"\]\(#(claim-[a-z0-9-]+)\)", grid)
    text = "".join(scorecard.section(judgements, f"claim-{n}", repository).data for n in range(1, 7))
    assert len(leads) == sum(len(j.decision.found) + 1 for j in judgements)
    assert all(f"({name})=" in text for name in leads)
    row = next(line for line in grid.splitlines() if "This works for several rules" in line)
    assert "dp-oja on cue-reward, accuracy: 0.934 < 0.950" in row and "[◐ 3/4](#claim-2-round-1-cue-reward)" in row


def test_the_latest_round_that_was_run_stands_first_and_the_others_are_linked(judgements):
    j = judgements[0]
    second = replace(j.round, number=2)
    later = replace(j, round=second, decision=claims.NOT_YET_RUN)
    row = next(line for line in index.grid([*judgements, later]).data.splitlines() if "learned together" in line)
    assert "[◐ partly reproduced](#claim-1-round-1) ([round 2](#claim-1-round-2): not yet run)" in row
    assert (
        "Round 2 is registered, and none of its 1 claims and questions have been run so far"
        in index.answer([*judgements, later]).data
    )
    run = replace(j, round=second, decision=j.decision._replace(verdict="not reproduced"))
    row = next(line for line in index.grid([*judgements, run]).data.splitlines() if "learned together" in line)
    assert "[○ not reproduced](#claim-1-round-2) ([round 1](#claim-1-round-1): partly reproduced)" in row
    assert "0 reproduced" not in index.answer([*judgements, run]).data


def test_a_claim_that_was_never_run_is_told_below_the_tables(judgements):
    j = judgements[4]
    new = replace(j.claim, id="claim-adaptation", title="Plastic policies adapt")
    grid = index.grid(
        [*judgements, replace(j, claim=new, round=replace(j.round, tasks=()), decision=claims.NOT_YET_RUN)]
    ).data
    assert "Registered and not yet run: [Plastic policies adapt](#claim-adaptation-round-1)." in grid
    assert grid.count("| claim |") == 2


def test_claims_that_share_a_column_stand_in_one_table(judgements):
    j = judgements[0]
    found = {"recall": j.decision.found["recall"], "another": j.decision.found["recall"]}
    grid = index.grid(
        [*judgements, replace(j, claim=replace(j.claim, id="claim-7"), decision=j.decision._replace(found=found))]
    ).data
    heads = [line for line in grid.splitlines() if line.startswith("| claim |")]
    assert heads == [
        "| claim | cue-association | cue-reward | recall | another |",
        "| claim | dp-oja | dp-bcm | ndp-oja | ndp-bcm |",
    ]


def test_the_overview_draws_the_published_accuracies_and_returns(results, judgements):
    drawing = index.draw_overview(results, judgements)
    plt.close(drawing.figure)
    assert set(drawing.data.place) == {"cue-association", "cue-reward", "recall", "Ant"}
    assert set(drawing.data.network) == {"snn", "dp-oja", "dp-bcm", "ndp-oja", "ndp-bcm", "slstm", "mlp"}
    cell = drawing.data[(drawing.data.place == "recall") & (drawing.data.network == "snn")]
    runs = results["recall"]
    expected = runs[(runs["network.name"] == "snn") & (runs["task.noise"] == "low")].accuracy
    assert sorted(cell.value) == sorted(expected)
    assert "solve 11 of 12 cases that snn fails; by walking, none of them earns more than snn" in drawing.caption
