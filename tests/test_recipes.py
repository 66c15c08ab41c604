"""The recipes of CONTRIBUTING.md, followed as they stand there in a copy of the repository: they work, and they void nothing.

Slow: each copy is asked for every published run and every verdict, and one copy with all that they add builds the book.
"""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
_STEP = re.compile(
    r"^Create `(?P<new>[^`]+)`:\s+```\w+\n(?P<content>.*?)^```$"
    r"|^In `(?P<file>[^`]+)`, (?P<where>above|below) `(?P<anchor>[^`]+)`, add:\s+```\w+\n(?P<added>.*?)^```$"
    r"|^In `(?P<other>[^`]+)`, replace `(?P<old>[^`]+)` by `(?P<by>[^`]+)`\.$"
    r"|^Run in Python, from the root of the repository:\s+```python\n(?P<run>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
RECIPES = ("A plasticity rule", "A network", "A temporal task", "A novel condition", "A chapter")
# what a copy answers: are the published configurations found, and what are the verdicts?
_ASK = """
import json
from pathlib import Path
from spikepropamine import records
from spikepropamine.book import claims
from spikepropamine.experiments.catalogue import BOOK

root, lost, found = Path(), [], 0
for folder in sorted(path.parent for path in (root / "book" / "results").glob("*/runs.parquet")):
    experiment = BOOK[folder.name]()
    published = records.load_published(folder)
    today = {config.hash for config in experiment.configs}
    lost += sorted(set(published.manifest["configurations"]) - today)
    found += len(set(published.manifest["configurations"]) & today)
    if published.manifest["expected_runs"] != len(experiment.runs):
        lost.append(f"{folder.name} expects {len(experiment.runs)} runs")
judged = claims.judge(claims.load_rounds(root / "book" / "claims.yml"), claims.Published(root / "book" / "results"))
verdicts = [[j.id, j.verdict, repr(j.decision)] for j in judged]
print(json.dumps({"lost": lost, "found": found, "verdicts": verdicts}))
"""


def steps(text, recipe):
    """The steps of one recipe, in their order."""
    (section,) = re.findall(rf"^## {recipe}$(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    found = [match.groupdict() for match in _STEP.finditer(section)]
    promised = len(re.findall(r"^(?:Create `|In `|Run in Python)", section, re.MULTILINE))
    assert len(found) == promised > 0, f"a step of {recipe} is not written as the others are"
    return found


def follow(step, root):
    if step["new"]:
        assert not (root / step["new"]).exists()
        (root / step["new"]).write_text(step["content"], encoding="utf-8")
    elif step["run"]:
        python(root, step["run"])
    else:
        path, old = root / (step["file"] or step["other"]), step["anchor"] or step["old"]
        text = path.read_text(encoding="utf-8")
        if step["other"]:
            assert text.count(old) == 1, (path, old)
            path.write_text(text.replace(old, step["by"]), encoding="utf-8")
            return
        lines = text.splitlines(keepends=True)
        (at,) = (k for k, line in enumerate(lines) if line.startswith(old))
        at += step["where"] == "below"
        path.write_text("".join([*lines[:at], step["added"], *lines[at:]]), encoding="utf-8")


def python(root, code, fails=False):
    """Run Python in ``root`` with its package; what it prints, or how it fails."""
    environment = os.environ | {"PYTHONPATH": str(root / "lib"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True, encoding="utf-8"
    )
    assert (done.returncode != 0) == fails, done.stderr[-3000:]
    return done.stderr if fails else done.stdout


def run_tests(root, *arguments):
    environment = os.environ | {"PYTHONPATH": str(root / "lib"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "0", *arguments]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout[-3000:]


def chapter(root, name, *parameters):
    environment = os.environ | {"PYTHONPATH": str(root / "lib"), "OMP_NUM_THREADS": "1"}
    given = [word for one in parameters for word in ("-p", *one.split(" ", 1))]
    command = [sys.executable, "-m", "papermill", f"book/{name}.ipynb", "out.ipynb", "--no-progress-bar", *given]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr[-3000:]
    page = json.loads((root / "out.ipynb").read_text(encoding="utf-8"))
    outputs = [output for cell in page["cells"] for output in cell.get("outputs", [])]
    return "\n".join("".join(output.get("data", {}).get("text/markdown", "")) for output in outputs)


@pytest.fixture
def copy(repository, tmp_path):
    """A copy of the repository without what was built or trained here."""
    left_out = shutil.ignore_patterns("_build", ".*", "__pycache__", "figures", "*.egg-info")
    root = tmp_path / "copy"
    shutil.copytree(repository, root, ignore=left_out)
    return root


@pytest.fixture(scope="session")
def before(tmp_path_factory):
    """What the repository as it is answers."""
    from spikepropamine.records.origin import find_root

    return json.loads(python(find_root(), _ASK).splitlines()[-1])


def followed(repository, root, before, *recipes):
    """The recipes followed in ``root``, where afterwards nothing published is lost and every verdict stands."""
    text = (repository / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == list(RECIPES)
    for step in (step for recipe in recipes for step in steps(text, recipe)):
        follow(step, root)
    after = json.loads(python(root, _ASK).splitlines()[-1])
    assert after["lost"] == [] and after["found"] == before["found"] >= 547
    assert after["verdicts"] == before["verdicts"] and len(after["verdicts"]) >= 8


def test_a_rule(repository, copy, before):
    followed(repository, copy, before, "A plasticity rule")
    run_tests(copy, "tests/snn/test_plasticity.py", "tests/snn/fused/test_simd.py", "-k", "slopes or rule_s or decays")
    code = """
import torch
from spikepropamine import PlasticLeaky, make_rule
from spikepropamine.snn.scan import scan
layer, spikes = PlasticLeaky(6, 5, make_rule("instar")).double(), (torch.rand(30, 3, 6) < 0.4).double()
found = [scan(layer.synapses, layer.neuron, spikes, path=path)[1].plastic.E for path in ("reference", "fused")]
torch.testing.assert_close(*found)
assert found[0].abs().max() > 0
"""
    python(copy, code)
    said = python(copy, "import spikepropamine; spikepropamine.make_rule('outstar')", fails=True)
    assert "rule = 'outstar': must be one of 'oja', 'bcm', 'hebb', 'stdp', 'instar'" in said


def test_a_network(repository, copy, before):
    followed(repository, copy, before, "A network")
    said = python(copy, "import spikepropamine; spikepropamine.build('dp-hopfield', 4, 4, 2)", fails=True)
    assert "name = 'dp-hopfield': must be one of 'snn', " in said and "'dp-hebb'" in said
    python(
        copy,
        "from spikepropamine.experiments.temporal import temporal\n"
        "from spikepropamine.experiments.sweeps import Store, sweep\n"
        "from pathlib import Path\n"
        "experiment = temporal('recall', 'smoke', 1, ['dp-hebb'])\n"
        "sweep(experiment, Store(Path('.runs')))\n"
        "assert len(Store(Path('.runs')).results(experiment)[0]) == 2",
    )
    assert "Not yet run: `dp-hebb`" in chapter(copy, "cue_association")


def test_a_task(repository, copy, before):
    followed(repository, copy, before, "A temporal task")
    run_tests(copy, "tests/tasks", "-k", "ideal_observer_is_perfect or variants")
    said = python(
        copy,
        "from spikepropamine.book.chapters import open_chapter\n"
        "chapter = open_chapter('temporal_tasks', profile='paper', recompute=False)\n"
        "print(chapter.tasks_not_yet_run())",
    )
    assert said.startswith("Not yet run: ") and "`flag`" in said and "`recall`" not in said
    said = python(copy, "from spikepropamine.experiments.temporal import temporal; temporal('flags')", fails=True)
    assert "task = 'flags': must be one of 'flag', 'cue-association'" in said
    python(
        copy,
        "from spikepropamine.experiments.catalogue import EXPERIMENTS\n"
        "assert {'flag', 'flag-search', 'flag-controls', 'flag-quick'} <= set(EXPERIMENTS)\n"
        "from spikepropamine.experiments.temporal import temporal\n"
        "from spikepropamine.experiments.sweeps import Store, sweep\n"
        "from pathlib import Path\n"
        "sweep(temporal('flag', 'smoke', 1, ['snn', 'dp-oja']), Store(Path('.runs')))",
    )


def test_a_condition(repository, copy, before):
    followed(repository, copy, before, "A novel condition")
    run_tests(copy, "tests/walking/test_conditions.py", "-k", "thick")
    said = python(
        copy,
        "from spikepropamine.walking.conditions import impose; impose(None, 'thick mud')",
        fails=True,
    )
    assert "condition = 'thick mud': must be one of 'training', 'thick oil', 'low friction'" in said
    said = python(
        copy,
        "from pathlib import Path\n"
        "from spikepropamine import records\n"
        "from spikepropamine.book.pages import novel_conditions as page\n"
        "walks, facts = records.load_measurements(Path('book/results/novel-conditions'))\n"
        "print(page.measured_in_words(walks, 20, 1.0, 0))\n"
        "print(page.conditions_table())",
    )
    assert "Not yet run: thick oil." in said and "| thick oil |" in said
    # what was measured is kept, and the new condition alone is left to measure
    python(
        copy,
        "from pathlib import Path\n"
        "from spikepropamine.experiments import catalogue, novel_conditions\n"
        "from spikepropamine.experiments.sweeps import Store\n"
        "from spikepropamine.walking.evaluation import EPISODES\n"
        "store = Store(Path('.runs'), Path('book/results'))\n"
        "known = catalogue.earlier(store, 'novel-conditions', {'episodes': EPISODES}, novel_conditions.rehearse)\n"
        "assert known is not None and 'thick oil' not in set(known.condition)\n"
        "asked = []\n"
        "def how(experiment, config, seed, store, size, conditions):\n"
        "    asked.append(list(conditions))\n"
        "    return [dict(config_hash=config.hash, seed=seed, condition=c) for c in conditions]\n"
        "novel_conditions.measure(how, 'paper', None, ['snn'], store, earlier=known)\n"
        "assert asked and all(one == ['thick oil'] for one in asked), asked",
    )


def test_a_chapter(repository, copy, before):
    followed(repository, copy, before, "A chapter")
    run_tests(copy, "tests/test_project.py", "-k", "firing_rates and same_parameters")
    page = chapter(copy, "firing_rates")
    assert "fig-firing-rates" in page and "papermill book/firing_rates.ipynb" in page


def test_every_page_builds_with_all_that_the_recipes_add(repository, copy, before):
    followed(repository, copy, before, *RECIPES)
    python(copy, "from spikepropamine.__main__ import main; assert main(['book', '--workers', '2']) == 0")
    built = {path.stem for path in (copy / "_build" / "html" / "book").glob("*.html")}
    assert built >= {path.stem for path in (copy / "book").glob("*.*") if path.suffix in (".ipynb", ".md")}
    assert "firing_rates" in built
    told = "".join(path.read_text(encoding="utf-8") for path in (copy / "_build" / "stage" / "book").glob("*.ipynb"))
    for new in ("`dp-hebb`", "`flag`", "thick oil"):
        assert re.search(rf"Not yet run: [^.]*{new}", told), new
