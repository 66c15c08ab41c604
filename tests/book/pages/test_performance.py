import math
import re
from dataclasses import asdict

import pandas as pd
import pytest

from spikepropamine import records
from spikepropamine.book.pages import performance as page
from spikepropamine.experiments.choices import PUBLISHED_PLASTIC
from spikepropamine.timing import gpu

FACTS = {"flops": 1e11, "bytes": 1e10}


def measured(network, implementation, milliseconds, series="headline", **size):
    fields = dict(batch=64, inputs=64, hidden=64, ticks=200, rate=0.1, failure="", peak_megabytes=milliseconds)
    return dict(
        network=network,
        implementation=implementation,
        milliseconds_per_step=milliseconds,
        series=series,
        **fields | size,
    )


@pytest.fixture
def table():
    rows = [
        measured("snn", "Norse", 40.0),
        measured("snn", "fused path", 10.0),
        measured("dp-oja", "straightforward loop", 900.0),
        measured("dp-oja", "JAX", 600.0),
        measured("dp-oja", "fused path", 30.0),
        measured("ndp-bcm", "straightforward loop", 500.0),
        measured("ndp-bcm", "JAX", math.nan, failure="No module named 'jax'"),
        measured("ndp-bcm", "fused path", 50.0),
    ]
    for series, column in (("ticks", "ticks"), ("batch", "batch"), ("synapses", "inputs")):
        for size in (100, 400):
            rows.append(measured("dp-oja", "straightforward loop", 10.0 * size, series, **{column: size}))
            rows.append(measured("dp-oja", "fused path", 0.5 * size, series, **{column: size}))
    table = pd.DataFrame(rows)
    table["workload"] = table.network + table.batch.astype(str)
    return table.assign(ratio_to_reference=1.0)


@pytest.fixture
def on_gpu(repository):
    return page.gpu_record(repository / "book" / "results" / "gpu")


def test_the_findings_say_how_much_faster_than_what_and_what_plasticity_costs(table):
    found = page.what_we_found(table, pd.DataFrame())
    assert (
        "10 to 30 times faster on our compiled kernels (the *fused path*) than the straightforward loop over ticks"
        in found
    )
    assert "20 times faster than JAX" in found and "torch.compile" not in found
    assert (
        "For dp-oja at batch 64, from 100 to 400 ticks, it is 20 times faster; at 400 ticks it takes 200 MB, the loop 4,000 MB."
        in found
    )
    assert (
        "is faster than a step without plasticity in other libraries** for `dp-oja`: 30 to 50 ms against 40 ms" in found
    )
    assert "It takes 3.0 to 5.0 times as long as our own network without plasticity (10 ms)." in found
    fast = table.assign(milliseconds_per_step=table.milliseconds_per_step.where(table.implementation != "Norse", 60.0))
    assert "in other libraries**: 30 to 50 ms against 60 ms in Norse" in page.what_we_found(fast, pd.DataFrame())
    assert "GPU" not in found
    slow = table.assign(milliseconds_per_step=table.milliseconds_per_step.where(table.network == "snn", 1e4))
    assert "A plastic step on the fused path is slower than" in page.what_we_found(slow, pd.DataFrame())


def test_what_could_not_run_is_named_and_shown_without_a_number(table):
    rows = page.headline(table)
    assert page.failures(rows) == "- JAX on `ndp-bcm` could not run: No module named 'jax'"
    shown = page.headline_shown(rows, FACTS).set_index(["network", "implementation"])
    assert shown.loc[("ndp-bcm", "JAX"), "time (ms)"] == "–" and shown.loc[("snn", "Norse"), "times the floor"] == "–"
    assert int(shown.loc[("dp-oja", "fused path"), "times the floor"]) > 1


def test_a_table_without_a_headline_is_refused_by_name(table):
    with pytest.raises(ValueError, match=r"series = \['batch', 'synapses', 'ticks'\]: must be with a headline"):
        page.headline(table[table.series != "headline"])


def test_the_drawings_hold_what_they_say(table):
    drawing = page.draw_headline(page.headline(table))
    assert drawing.caption.startswith("On one core the fused path is 10.0 to 20.0 times faster than the next best")
    assert [axis.get_title() for axis in drawing.figure.axes] == ["snn", "dp-oja", "ndp-bcm"]
    growth = page.draw_growth(table)
    assert growth.caption.startswith(
        "Time grows about linearly with ticks, batch and synapses (exponents 1.00, 1.00, 1.00), and memory with ticks about as fast as time (1.00)."
    )
    less = table.assign(peak_megabytes=table.peak_megabytes**0.5)
    assert "memory with ticks more slowly than time (0.50)" in page.draw_growth(less).caption
    assert set(growth.data.series) == {"ticks", "batch", "synapses"}


def test_the_published_record_on_a_gpu_tells_its_runs_apart(on_gpu):
    table, made = on_gpu
    assert set(table.beside) == {"nothing", "13 busy processes"} and table.commit.str.fullmatch("[0-9a-f]{40}").all()
    side = page.compared(table)
    assert side.run.nunique() == 1 and {"JAX", "fused path", "CUDA graph"} <= set(side.implementation)
    step, wide, owed = page.gpu_findings(table)
    assert "launched from Python: " in step and "times faster than JAX (dp-oja), " in step
    assert "Recorded as a CUDA graph themselves" in step
    assert re.fullmatch(r"At batch 4,096 dp-oja takes \d+ ms, and one core of that machine [\d,]+ ms.", wide)
    assert "timings that are planned on a GPU" in owed
    shown = page.gpu_shown(table)
    sizes = list(shown[["network", "B", "synapses", "T"]].itertuples(index=False, name=None))
    assert len(shown) == len(table) and len(set(sizes)) == sum(a != b for a, b in zip(sizes, sizes[1:])) + 1
    assert {"Triton kernels", "fused path, one CPU core"} <= set(shown.implementation) and "0.64" in set(
        shown["time (ms)"]
    )
    assert "Gathered from two runs on machines of one kind" in page.gpu_caption(table, made)
    drawn = page.draw_gpu(table)
    assert re.match(
        r"The Triton kernels are [\d.]+ to [\d.]+ times faster than JAX and JAX, jax.checkpoint, the best of the others, at the 2 of 8 sizes where JAX ran",
        drawn.caption,
    )
    without = page.draw_gpu(table[~table.implementation.str.startswith("JAX")])
    assert (
        "times faster than CUDA graph and fused path on the CPU, the best of the others, at every size drawn"
        in without.caption
    )
    assert re.search(r"and recorded as a CUDA graph another [\d.]+ to [\d.]+ times faster", drawn.caption)
    names = {label.get_text() for label in drawn.figure.axes[0].get_yticklabels()}
    assert {"Triton kernels", "Triton kernels, CUDA graph", "fused path, one CPU core"} <= names


def test_memory_is_told_where_both_paths_were_measured_at_the_same_ticks(on_gpu):
    table, _ = on_gpu
    said = page.gpu_memory(table)
    assert (
        "MB at 200 ticks and 178 MB at 1,000. The reference path, which keeps every tick, takes 458 MB and 2,282 MB."
        in said
    )
    assert page.gpu_memory(table[table.implementation != "fused path"]) == ""
    assert page.gpu_memory(table[(table.implementation != "reference path") | (table.ticks == 200)]) == ""


def test_what_is_not_measured_yet_on_a_gpu_is_listed_by_size(on_gpu):
    table, _ = on_gpu
    shown = page.owed_shown(table).set_index("size")
    assert shown.loc["dp-oja, B=4,096, 256×256, T=200"]["Triton kernels"] == "**not yet**"
    partly = shown.loc["dp-oja, B=512, 64×64, T=200"]
    assert (partly["JAX"], partly["Triton kernels"]) == ("in another run", "yes")
    assert shown.loc["dp-oja, B=512, 256×256, T=200"]["torch.compile"] == "–"
    owed = (shown == "**not yet**").sum().sum()
    assert re.search(rf"{owed} of \d+ planned timings are not made yet", page.gpu_owed(table).markdown)
    assert (
        "dp-oja, B=4,096, 64×64, T=200" not in shown.index
        and "timings that are planned" in page.gpu_findings(table)[-1]
    )
    planned = [
        dict(asdict(one), implementation=name, failure="", run="one", beside="nothing", commit="")
        for one, names in gpu.plan(PUBLISHED_PLASTIC)
        for name in names
    ]
    assert page.gpu_owed(pd.DataFrame(planned)) is None


def test_a_record_of_one_run_needs_no_columns_about_runs(tmp_path, on_gpu):
    table, _ = on_gpu
    plain = page.compared(table).drop(columns=["run", "beside", "commit"])
    records.save_measurements(tmp_path / "gpu", "gpu", plain, {"gpu": "a GPU", "cuda": "13.0", "rounds": 3})
    found, made = page.gpu_record(tmp_path / "gpu")
    assert set(found.commit) == {made["git_commit"]} and "while" not in page.gpu_findings(found)[0]
    assert page.gpu_record(tmp_path / "nothing")[0].empty


def test_no_finding_without_kernels(on_gpu):
    table, _ = on_gpu
    without = table[~table.implementation.str.startswith("fused path")]
    assert page.gpu_findings(without) == [] and page.gpu_findings(pd.DataFrame()) == []
    assert "not measured yet" in page.gpu_says(without)


def test_the_groups_of_what_the_book_costs_sum_to_all():
    names = ["recall", "recall-search", "two-trials", "round-two-search", "recall-quick"]
    rows = pd.DataFrame({"experiment": names, "runs": [1, 2, 4, 8, 16], "core_hours": 1.0, "made_again": 0})
    rows = rows.assign(runs_planned=rows.runs, profile=["paper"] * 4 + ["quick"])
    nothing = {"": (pd.DataFrame({"experiment": []}), {"facts": {"runs": {}}})}
    shown = page.cost_shown(rows, {"temporal": ("recall",), "walk": ("two-trials",)}, nothing).set_index("experiment")
    assert shown.loc[["**temporal**", "**walk**", f"**{page.REST}**", "**all**"], "runs"].tolist() == [
        "3 of 3",
        "4 of 4",
        "8 of 8",
        "15 of 15",
    ]


def test_how_far_from_the_floor_is_said_with_the_numbers_of_the_list(table):
    facts = {"flops": 1e12, "bytes": 1e12}
    rows = page.headline(table)
    own = [r for r in rows.itertuples() if r.implementation == page.OWN and r.network != "snn"]
    times = sorted(r.milliseconds_per_step / page.floor(r, facts) for r in own)
    assert f"takes {times[0]:.0f} to {times[-1]:.0f} times as long" in page.over_floor(rows, facts)
    assert page.over_floor(rows[rows.network == "snn"], facts) == ""
    assert page.floors(rows, facts).count("Its floor is") == len(own)
