import re
import shutil
import subprocess
import sys

import pandas as pd

from spikepropamine.audit.remaking import plan
from spikepropamine.book import claims, readme
from spikepropamine.book.judges import JUDGES
from spikepropamine.experiments.sweeps import Store


def test_the_table_of_results_is_that_of_the_published_claims(repository):
    assert (repository / "README.md").read_text(encoding="utf-8") == readme.with_results(repository)


def test_a_verdict_that_changes_changes_the_table(repository, tmp_path):
    shutil.copytree(repository / "figures" / "tab-claims", tmp_path / "figures" / "tab-claims")
    (tmp_path / "book").mkdir()
    for name in ("README.md", "book/claims.yml"):
        shutil.copy(repository / name, tmp_path / name)
    data = tmp_path / "figures" / "tab-claims" / "data.csv"
    pd.read_csv(data).assign(verdict="refuted").to_csv(data, index=False)
    readme.write_results(tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "refuted" in text and text != (repository / "README.md").read_text(encoding="utf-8")


def test_the_commands_of_the_table_make_all_that_its_claims_rest_on(repository):
    store = Store(repository / ".runs", repository / "book" / "results")
    for one in claims.load_rounds(repository / "book" / "claims.yml"):
        for claim in one.claims:
            if not claim.ours:
                action, *what = readme.COMMANDS[claim.chapter].split()
                made = {step.name for step in plan(what, store)}
                assert action == "remake" and set(JUDGES[claim.judge].rests_on(claim, one)) <= made, claim.id


def test_the_code_in_the_readme_runs(repository):
    (code,) = re.findall(r"```python\n(.*?)```", (repository / "README.md").read_text(encoding="utf-8"), flags=re.S)
    assert len(code.strip().splitlines()) <= 13
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr


def test_every_file_that_the_readme_links_is_there(repository):
    links = re.findall(r"\]\(([\w./-]+)\)", (repository / "README.md").read_text(encoding="utf-8"))
    assert len(links) > 5 and [link for link in links if not (repository / link).exists()] == []
