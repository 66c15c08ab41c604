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


def test_the_findings_say_how_much_faster_than_what_and_where_plasticity_is_free(table):
    found = page.what_we_found(table, pd.DataFrame())
    assert "10 to 30 times faster on the fused path than the loop" in found
    assert "20 times faster than JAX" in found and "torch.compile" not in found
    assert "From 100 to 400 ticks it stays 20 times faster" in found
    assert (
        "**Plasticity is free** for `dp-oja`: a step takes 30 to 50 ms" in found
        and "40 ms without any in Norse" in found
    )
    assert "GPU" not in found
    slow = table.assign(milliseconds_per_step=table.milliseconds_per_step.where(table.network == "snn", 1e4))
    assert "Plasticity is not free" in page.what_we_found(slow, pd.DataFrame())


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
    assert "1.00 in T, 1.00 in B and 1.00 in the number of synapses" in growth.caption
    assert set(growth.data.series) == {"ticks", "batch", "synapses"}


def test_the_published_record_on_a_gpu_tells_its_runs_apart(on_gpu):
    table, made = on_gpu
    assert set(table.beside) == {"nothing", "13 busy processes"} and table.commit.str.fullmatch("[0-9a-f]{40}").all()
    side = page.compared(table)
    assert side.run.nunique() == 1 and {"JAX", "fused path", "CUDA graph"} <= set(side.implementation)
    (found,) = page.gpu_findings(table)
    assert "while 13 busy processes ran" in found and "With nothing else running" in found
    assert len(page.gpu_shown(table)) == len(table)
    assert "3 runs on machines of one kind" in page.gpu_caption(table, made)
    assert page.draw_gpu(table).caption.startswith("The Triton kernels are")


def test_a_memory_that_was_not_measured_is_called_an_estimate(on_gpu):
    table, _ = on_gpu
    assert "At 1,000 ticks it was not measured; our estimate" in page.gpu_memory(table)
    first = table[(table.implementation == "reference path")].iloc[:1]
    known = pd.concat([table, first.assign(ticks=1000, peak_megabytes=3000.0)])
    said = page.gpu_memory(known)
    assert "3,000 MB at 1,000" in said and "not measured" not in said
    assert page.gpu_memory(table[table.implementation != "fused path"]) == ""


def test_what_is_not_measured_yet_on_a_gpu_is_listed_by_size(on_gpu):
    table, _ = on_gpu
    said = page.gpu_owed(table)
    assert "- `dp-oja`, batch 4,096, 256×256 synapses, 200 ticks: not measured yet." in said
    assert re.search(
        r"batch 4,096, 64×64 synapses, 200 ticks: without .*JAX, jax.checkpoint.*; .*fused path.* in another run", said
    )
    assert "batch 512, 64×64" not in said and "timings that are planned" in page.gpu_findings(table)[0]
    planned = [
        dict(asdict(one), implementation=name, failure="", run="one", beside="nothing", commit="")
        for one, names in gpu.plan(PUBLISHED_PLASTIC)
        for name in names
    ]
    assert page.gpu_owed(pd.DataFrame(planned)) == ""


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
