import dataclasses

import pandas as pd
import pytest

from spikepropamine.book import chapters, rerun
from spikepropamine.book.parameters import ChapterParameters
from spikepropamine.experiments import temporal


def test_the_end_of_training_is_told_by_means_over_seeds_and_the_gain_of_its_last_fifth():
    steps = range(100, 1100, 100)
    curves = pd.concat(
        pd.DataFrame(
            {
                "step": steps,
                "seed": seed,
                "accuracy": [s / 2000 + seed / 100 for s in steps],
                "firing_rate": 10.0 + seed,
                "gradient_norm": 0.2,
            }
        )
        for seed in (0, 1)
    )
    ended = chapters.how_it_ended(curves)
    assert ended == pytest.approx({"accuracy": 0.505, "last_gain": 0.1, "firing_rate": 10.5, "gradient_norm": 0.2})
    (shown,) = chapters.show_how_it_ended(pd.DataFrame([ended])).to_dict("records")
    assert shown == {
        "accuracy": "0.505",
        "gain, last fifth": "+0.100",
        "firing rate": "10.5 Hz",
        "gradient norm": "0.2",
    }
    once = curves[curves.step == 1000]
    assert chapters.how_it_ended(once)["last_gain"] == 0


def test_runs_at_hand_are_none_where_nothing_is_published_and_results_says_so(repository, tmp_path):
    (tmp_path / "book" / "results").mkdir(parents=True)
    parameters = dict(profile="paper", recompute=False, seeds=None, networks="all", workers=1, device="cpu")
    empty = chapters.Chapter("controls", ChapterParameters(**parameters), tmp_path)
    sweep = temporal.controls("recall")
    assert empty.at_hand(sweep)[0].empty
    with pytest.raises(
        ValueError, match="recompute = False: must be True where nothing is published, as for recall-controls"
    ):
        empty.results(sweep)
    full = chapters.Chapter("controls", ChapterParameters(**parameters), repository)
    assert len(full.at_hand(sweep)[0]) == len(sweep.runs) == len(full.results(sweep)[0])


def test_the_panel_tells_what_the_page_took_and_what_its_command_will(repository):
    parameters = dict(profile="paper", recompute=False, seeds=None, networks="all", workers=1, device="cpu")
    chapter = chapters.Chapter("controls", ChapterParameters(**parameters), repository)
    made = pd.DataFrame({"training.steps": [1000] * 2, "wall_seconds": [1800.0] * 2, "training_seconds": [1700.0] * 2})
    published = temporal.temporal("recall", "quick", 1, ["snn"], ["low"])
    quick = dataclasses.replace(published, name="not published")
    told = chapter.panel("-p profile quick", [(made, quick), (made, quick), (made[:0], quick)]).data
    assert "took 2.00 core hours, 1.00 hours on two cores" in told
    assert "makes 2 runs: at the speed of these, 6 minutes on two cores" in told
    told = chapter.panel("-p profile quick", [(made, quick)], beside=[made, made]).data
    assert "took 3.00 core hours" in told and "makes 1 run: at the speed of these, 3 minutes on two cores" in told
    assert "core hours" not in chapter.panel("").data and "on two cores" not in chapter.panel("").data
    runs = chapter.everything.published_runs("recall-quick").runs
    seconds = runs[
        (runs["network.name"] == "snn") & (runs["task.noise"] == "low") & (runs.seed == 0)
    ].wall_seconds.item()
    told = chapter.panel("-p profile quick", [(made, published)] * 60).data
    assert (
        f"makes 60 runs, which took {max(1, round(seconds / 2))} minute on two cores when they were published" in told
    )


def test_a_panel_names_binder_where_the_repository_is_public_and_is_silent_elsewhere(tmp_path):
    (tmp_path / "CITATION.cff").write_text("repository-code: https://github.com/someone/some-book\n", encoding="utf-8")
    assert "mybinder.org/v2/gh/someone/some-book/HEAD?urlpath=lab/tree/book/controls.ipynb" in rerun.binder(
        tmp_path, "controls"
    )
    (tmp_path / "CITATION.cff").write_text("title: a book\n", encoding="utf-8")
    assert rerun.binder(tmp_path, "controls") == ""


def test_a_panel_tells_the_command_the_parameters_and_a_question(repository):
    parameters = dict(profile="paper", recompute=False, seeds=None, networks="all", workers=1, device="cpu")
    chapter = chapters.Chapter("controls", ChapterParameters(**parameters), repository)
    told = chapter.panel(
        "-p seeds 2", asks=("Longer?", "task.delay_ms=2000"), notes={"device": "of no consequence"}
    ).data
    assert "papermill book/controls.ipynb out.ipynb -p seeds 2\n" in told and "of no consequence" in told
    assert 'out.ipynb -p seeds 2 -p change "task.delay_ms=2000"' in told and "`change`" in told
    plain = chapter.panel("").data
    assert "Your own question" not in plain and "| `change`" not in plain and "resume" not in plain
    assert "papermill book/controls.ipynb out.ipynb\n" in plain


def test_the_search_table_marks_what_was_chosen(repository):
    parameters = dict(profile="paper", recompute=False, seeds=None, networks="all", workers=1, device="cpu")
    chapter = chapters.Chapter("controls", ChapterParameters(**parameters), repository)
    item = chapter.search_table("recall")
    assert item.markdown.count("(chosen)") == 5
    with pytest.raises(ValueError, match="task = 'memory': must be one of"):
        chapter.search_table("memory")


def test_measurements_that_are_not_published_are_refused_by_name(repository, tmp_path):
    (tmp_path / "book" / "results").mkdir(parents=True)
    chapter = chapters.Chapter("controls", ChapterParameters(), tmp_path)
    with pytest.raises(ValueError, match="recompute = False: must be True where nothing is published, as for gait"):
        chapter.measurements(lambda *_: None, "gait")
    assert chapter.published_measurements("gait").empty
