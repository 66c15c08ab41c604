import os

import pandas as pd
import papermill
import pytest

from spikepropamine.book.own_question import answer, beside_published
from spikepropamine.book.parameters import ChapterParameters
from spikepropamine.experiments.changes import changed, parse
from spikepropamine.experiments.locomotion import locomotion
from spikepropamine.experiments.temporal import temporal
from spikepropamine.records import load_published


def asked(experiment, change, values):
    experiment = changed(experiment, parse(change))
    rows = [
        {"config_hash": config.hash, "seed": seed, config.metric: value}
        for config in experiment.configs
        for seed, value in enumerate(values)
    ]
    return experiment, pd.DataFrame(rows)


def test_a_changed_result_stands_beside_the_published_one_and_says_how_they_differ(repository):
    results = repository / "book" / "results"
    experiment, runs = asked(temporal("recall", networks=["dp-oja"]), "task.delay_ms=2 s", [0.75, 0.75])
    table = beside_published(experiment, runs, results)
    published = load_published(results / "recall").runs
    n = len(published[(published["network.name"] == "dp-oja") & (published["task.noise"] == "low")])
    assert table.noise.tolist() == ["low", "high"] and set(table["accuracy here"]) == {"0.750 [0.750, 0.750] (n = 2)"}
    assert set(table["differs in"]) == {"task.delay_ms 2000 here, 300 there"}
    assert table["nearest published"][0].endswith(f"(n = {n}), recall") and n >= 20
    said = answer(experiment, runs, results, parse("task.delay_ms=2 s"))
    assert "**Your question: `task.delay_ms = 2 s`.**" in said and "300 there" in said


def test_walking_is_answered_in_returns_and_what_is_not_run_is_said(repository):
    results = repository / "book" / "results"
    experiment, runs = asked(locomotion("ant", policies=["snn"]), "network.n_hidden=32", [1234.4])
    (row,) = beside_published(experiment, runs, results).to_dict("records")
    assert row["return here"] == "1234 (n = 1)" and row["differs in"] == "network.n_hidden 32 here, 64 there"
    assert "Not yet run" in answer(experiment, runs.iloc[:0], results, parse("network.n_hidden=32"))


def test_a_chapter_takes_changes_as_words_or_as_a_mapping_and_refuses_what_is_none():
    assert ChapterParameters(change="task.delay_ms=5").changes() == {"task.delay_ms": "5"}
    assert ChapterParameters(change={"task": {"delay_ms": 5}}).changes() == {"task.delay_ms": 5}
    assert ChapterParameters().changes() == {} and not ChapterParameters(change="task.delay_ms=5").as_published
    with pytest.raises(ValueError, match="change = 'delay': must be pairs such as"):
        ChapterParameters(change="delay")


@pytest.mark.slow
def test_a_page_answers_a_question_of_the_reader_s_own(repository, tmp_path):
    for name in ("_toc.yml", "CITATION.cff", "book"):
        os.symlink(repository / name, tmp_path / name)
    given = dict(profile="smoke", recompute=True, seeds=1, networks="snn,dp-oja", change={"task.delay_ms": "100 ms"})
    page = papermill.execute_notebook(
        str(repository / "book" / "cue_association.ipynb"),
        str(tmp_path / "out.ipynb"),
        given,
        cwd=str(tmp_path),
        progress_bar=False,
    )
    texts = [o.get("data", {}).get("text/markdown", "") for cell in page.cells for o in cell.get("outputs", [])]
    assert any("**Your question: `task.delay_ms = 100 ms`.**" in text and "300 there" in text for text in texts)
    assert any("Does it still work with a delay of two seconds?" in text for text in texts)
