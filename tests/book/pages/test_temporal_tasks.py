import pandas as pd
import pytest

from spikepropamine.book.pages import temporal_tasks as page
from spikepropamine.book.pages.cue_association import tidy
from spikepropamine.records import runs as records
from spikepropamine.tasks import TASKS


@pytest.fixture
def runs(repository):
    tables = {
        task: records.load_published(repository / "book" / "results" / task).runs for task in ("cue-reward", "recall")
    }
    return tidy(pd.concat([table.assign(task=task) for task, table in tables.items()], ignore_index=True))


def test_a_task_is_told_with_its_own_values():
    assert "6 pairs are shown for 60 ms" in page.pairs_in_words(TASKS["key-value-pairs"](n_cues=6, cue_ms=60.0))
    assert "After a delay of 500 ms" in page.cue_reward_in_words(TASKS["cue-reward"](delay_ms=500.0))
    assert "12 random bits" in page.recall_in_words(TASKS["recall"](n_bits=12))


def test_each_task_is_drawn_with_its_groups_named():
    tasks = {name: TASKS[name](noise="high") for name in ("key-value-pairs", "cue-reward", "recall")}
    drawing = page.draw_trials(tasks)
    labels = [[tick.get_text() for tick in axis.get_yticklabels()] for axis in drawing.figure.axes]
    assert labels[0] == ["key", "value", "question"] and labels[1] == ["cue", "reward", "question"]
    assert set(drawing.data.task) == set(tasks)


def test_the_caption_names_every_miss(runs, definitions):
    caption = page.draw_accuracy(runs, definitions).caption
    assert caption.startswith(
        "Plastic networks solve 11 of 16 cases; missed by dp-oja on cue-reward association at low noise"
    )
    assert page.draw_accuracy(runs.assign(accuracy=0.99), definitions).caption.startswith(
        "Plastic networks solve 16 of 16 cases."
    )


def test_p_values_are_adjusted_within_a_noise_level(runs):
    both = page.compare(runs, [("ndp-oja", "dp-oja")])
    low = page.compare(runs[runs.noise == "low"], [("ndp-oja", "dp-oja")])
    assert both[both.noise == "low"].adjusted_p.tolist() == low.adjusted_p.tolist()


def test_what_was_tested_beyond_training_is_one_row_a_run(runs):
    found = page.tested(runs, "noise")
    assert set(found.value) == {0.0, 5.0, 10.0, 20.0, 40.0, 80.0, 120.0}
    assert len(found) == 7 * len(runs) and set(found.columns) >= {"task", "trained_at", "network", "seed", "accuracy"}


def test_who_falls_beyond_what_was_trained_is_named(runs):
    drawing = page.draw_beyond(runs)
    fewest = drawing.data[(drawing.data.field == "n_cues") & (drawing.data.task == "cue-reward")]
    assert (
        drawing.caption.startswith("At 4 times the trained delay plastic networks still have")
        and len(drawing.figure.axes) == 4
    )
    assert page.draw_beyond(runs[runs.network == "snn"]).caption.startswith("Accuracy against the delay")
    assert "these fall below" not in drawing.caption and len(fewest)
    lost = runs.assign(**{c: 0.5 for c in runs if c.startswith("tested.n_cues.")})
    assert "With 2 cues these fall below 0.6: on cue-reward association dp-oja" in page.draw_beyond(lost).caption


def test_what_the_smallest_networks_reach_is_told_by_task():
    rows = [
        {"task": task, "network": name, "hidden": hidden, "seed": seed, "accuracy": accuracy - 0.01 * seed}
        for task, accuracy in (("recall", 0.6), ("cue-reward", 0.99))
        for name in ("snn", "dp-oja")
        for hidden in (6, 12)
        for seed in range(3)
    ]
    drawing = page.draw_sizes(pd.DataFrame(rows))
    assert drawing.caption.startswith(
        "What the best of these networks reaches with 6 hidden neurons, by task: one-shot recall, dp-oja, 0.59 ("
    )
    plain = page.draw_sizes(pd.DataFrame([row for row in rows if row["network"] == "snn"])).caption
    assert "by task: one-shot recall, snn, 0.59 (" in plain


def test_how_large_a_network_must_be_is_the_smallest_that_solves(definitions):
    rows = [
        {"task": "recall", "network": "dp-oja", "hidden": hidden, "seed": seed, "accuracy": accuracy}
        for hidden, accuracy in ((6, 0.7), (12, 0.97), (24, 0.99))
        for seed in range(3)
    ]
    assert "on one-shot recall 12 (`dp-oja`)" in page.large_enough(pd.DataFrame(rows), definitions)
    assert "more than were tried" in page.large_enough(pd.DataFrame(rows).assign(accuracy=0.6), definitions)


def test_the_quietest_noise_is_low_or_what_a_question_put_in_its_place():
    assert page.quietest(pd.DataFrame({"noise": ["high", "low"]})) == "low"
    assert page.quietest(pd.DataFrame({"noise": [40.0]})) == 40.0


def test_whether_modulation_helps_is_counted():
    tests = pd.DataFrame(
        {
            "network": ["ndp-oja", "ndp-oja", "ndp-bcm"],
            "task": ["recall", "cue-reward", "recall"],
            "noise": "low",
            "difference": [-0.01, 0.2, 0.3],
            "adjusted_p": [0.001, 0.001, 0.5],
        }
    )
    told = page.modulation_says(tests, 0.05)
    assert told.startswith(
        "With neuromodulation networks are significantly better in 1 of 3 cases (rule × task × noise) and significantly worse in 1 (ndp-oja on one-shot recall at low"
    )
    assert told.endswith("in 1 no difference is found.")
