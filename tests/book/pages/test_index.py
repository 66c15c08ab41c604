import re
from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from spikepropamine.book import claims
from spikepropamine.book.pages import index, scorecard
from spikepropamine.records.statistics import interquartile_mean


@pytest.fixture
def results(repository):
    return claims.Published(repository / "book" / "results")


@pytest.fixture
def judgements(repository, results):
    return claims.judge([claims.load_round(repository / "book" / "claims.yml")], results)


def test_the_answer_counts_verdicts_and_cells(judgements, results):
    answer = index.answer(judgements, results).data
    assert "Of the 6 claims in the paper's abstract, 1 is reproduced and 5 are partly reproduced." in answer
    assert (
        "11 of 12 cases (network × task) that a plain spiking network fails and 8 of 12 under significant noise"
        in answer
    )
    assert "3 of 4 plastic networks walk" in answer and "none significantly better than the plain one" in answer
    assert (
        "Under novel conditions 4 of 4 keep the 90% of [return](novel_conditions.ipynb) that was asked for." in answer
    )
    assert len(answer.split("\n\n")) == 4


def test_the_answer_names_the_memory_that_beats_plasticity_and_where(judgements, results):
    third = index.answer(judgements, results).data.split("\n\n")[2]
    runs = results["recall-controls"]
    best = interquartile_mean(runs[(runs["network.name"] == "slstm") & (runs["task.noise"] == "low")].accuracy).mean
    assert f"on one-shot recall, slstm reaches {best:.2f} and the best plastic network" in third
    assert "Plastic networks lead on cue-reward association." in third


def test_every_cell_of_the_grid_leads_to_an_anchor_of_the_scorecard(judgements, repository):
    grid = index.grid(judgements).data
    leads = re.findall(r"\]\(#(claim-[a-z0-9-]+)\)", grid)
    text = "".join(scorecard.section(judgements, f"claim-{n}", repository).data for n in range(1, 7))
    assert len(leads) == sum(len(j.decision.found) + 1 for j in judgements)
    assert all(f"({name})=" in text for name in leads)
    row = next(line for line in grid.splitlines() if "This works for several rules" in line)
    assert (
        "dp-oja on cue-reward association, accuracy: lower end 0.934 < 0.950" in row
        and "[◐ 3/4](#claim-2-round-1-cue-reward)" in row
    )


def test_the_latest_round_that_was_run_stands_first_and_the_others_are_linked(judgements, results):
    j = judgements[0]
    second = replace(j.round, number=2)
    later = replace(j, round=second, decision=claims.NOT_YET_RUN)
    row = next(line for line in index.grid([*judgements, later]).data.splitlines() if "learned together" in line)
    assert "[◐ partly reproduced](#claim-1-round-1) [round 2: –](#claim-1-round-2)" in row
    assert "0 of the 1 claims and questions of round 2 have been judged" in index.grid([*judgements, later]).data
    run = replace(j, round=second, decision=j.decision._replace(verdict="not reproduced"))
    row = next(line for line in index.grid([*judgements, run]).data.splitlines() if "learned together" in line)
    assert "[○ not reproduced](#claim-1-round-2) [round 1: ◐](#claim-1-round-1)" in row
    assert "0 are" not in index.answer([*judgements, run], results).data


def test_a_claim_that_was_never_run_is_told_below_the_tables(judgements):
    j = judgements[4]
    new = replace(j.claim, id="claim-adaptation", title="Plastic policies adapt")
    grid = index.grid(
        [*judgements, replace(j, claim=new, round=replace(j.round, tasks=()), decision=claims.NOT_YET_RUN)]
    ).data
    assert "Registered and not yet judged: [Plastic policies adapt](#claim-adaptation-round-1)." in grid
    open_, folded = grid.split("{dropdown} What we asked beyond the paper: ")
    assert open_.count("| claim |") == 2 and "**Ours" not in open_
    assert folded.count("| claim |") == folded.count("{container} claims-grid of-") == 2
    assert "**1.**" not in folded


def test_claims_that_share_a_column_stand_in_one_table(judgements):
    j = judgements[0]
    found = {"recall": j.decision.found["recall"], "another": j.decision.found["recall"]}
    grid = index.grid(
        [*judgements, replace(j, claim=replace(j.claim, id="claim-7"), decision=j.decision._replace(found=found))]
    ).data
    of_the_paper, _ = grid.split("{dropdown}")
    heads = [line for line in of_the_paper.splitlines() if line.startswith("| claim |")]
    assert heads == [
        "| claim | verdict | decided by | cue association | cue-reward association | one-shot recall | another |",
        "| claim | verdict | decided by | dp-oja | dp-bcm | ndp-oja | ndp-bcm |",
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
    assert "solve 11 of 12 cases that snn fails, and none walks significantly better than snn" in drawing.caption


def test_weak_cues_are_told_apart_from_other_noise_and_have_thresholds_of_their_own(repository, results):
    judgements = claims.judge(claims.load_rounds(repository / "book" / "claims.yml"), results)
    newest = {j.id: j for j in claims.latest(judgements)}
    (met, of), (weak, weak_of) = newest["claim-3"].cells, newest["claim-4"].cells
    answer = index.answer(judgements, results).data
    assert f"{met} of {of} cases (network × task) that a plain spiking network fails, but {weak} of {weak_of} on weak cues, the only task" in answer  # fmt: skip
    drawing = index.draw_overview(results, judgements)
    plt.close(drawing.figure)
    assert (
        f"snn fails ({weak or 'none'} of {weak_of} on weak cues), and none walks significantly better"
        in drawing.caption
    )
    solved = {
        round(float(path.vertices[0, 0]), 3)
        for lines in drawing.figure.axes[0].collections
        for path in getattr(lines, "get_paths", list)()
        if len(path.vertices) == 2 and path.vertices[0, 0] == path.vertices[1, 0]
    }
    assert {0.95, 0.914, 0.6, 0.592} <= solved


def test_walking_is_told_of_the_round_that_judged_it(repository, results):
    rounds = claims.load_rounds(repository / "book" / "claims.yml")
    walks = results["novel-conditions"]
    ten = pd.concat([walks, walks.assign(seed=walks.seed + 5)], ignore_index=True)
    better = ten.environment.eq("HalfCheetah-v5") & ten.network.eq("ndp-oja")
    ten["return"] = ten["return"].mask(better, ten["return"] + 9000)
    measured = {**results, "novel-conditions-round-two": ten}
    judgements = claims.judge(rounds, measured)
    assert next(j for j in judgements if j.id == "claim-5" and j.round.number == 2).cells[1] == 8
    fourth = index.answer(judgements, measured).data.split("\n\n")[3]
    assert "of 8 cases (network × robot), ndp-oja on HalfCheetah significantly better than the plain one" in fourth
    assert "of [progress](novel_conditions.ipynb) that was asked for, " in fourth and "simulated ant" not in fourth
    drawing = index.draw_overview(measured, judgements)
    plt.close(drawing.figure)
    returns = drawing.data[drawing.data.measure == "return"]
    assert returns.groupby("place").network.nunique().to_dict() == {"Ant": 6, "HalfCheetah": 6}
    assert "ndp-oja on HalfCheetah walks significantly better than snn" in drawing.caption
    assert "novel-conditions-round-two" in index.shown_in_overview(measured, judgements)


def test_what_is_remembered_and_found_out_while_walking_is_told(repository, results):
    told = index.answer(claims.judge(claims.load_rounds(repository / "book" / "claims.yml"), results), results).data
    assert "3 of 4 networks remember which way to run, and 3 of 4 find it out where only the reward is shown." in told
