"""What every chapter does first: check its parameters, find or make its runs, choose where figures go."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
import torch
from IPython.display import Markdown

from .. import records
from ..checks import require, require_choice
from ..experiments import temporal
from ..experiments.changes import changed
from ..experiments.config import Config, Experiment
from ..experiments.sweeps import Store, only, sweep
from ..records.atomic import load_yaml
from ..records.origin import find_root as find_root
from ..tasks import TASKS
from . import claims, rerun
from .build import STAGE
from .figures import Item, Provenance, Shelf, folded
from .injected import check_given, end_with_papermill, skip_what_follows
from .own_question import answer
from .parameters import ChapterParameters
from .phrases import enumerated
from .provenance import chapter_code
from .rerun import Made
from .search_table import search_table
from .side_by_side import load_paper_values
from .training_ends import how_it_ended as how_it_ended
from .training_ends import show_how_it_ended as show_how_it_ended


@dataclasses.dataclass(frozen=True)
class Chapter:
    """One chapter with its parameters."""

    name: str
    parameters: ChapterParameters
    root: Path  # of the repository, or of the folder the book is rendered from

    @property
    def store(self) -> Store:
        """Runs made here; the published ones too, unless everything is to be recomputed."""
        published = None if self.parameters.recompute else self.root / "book" / "results"
        return Store(self.root / ".runs", published)

    @property
    def everything(self) -> Store:
        """Runs made here and the published ones, whatever the parameters say."""
        return Store(self.root / ".runs", self.root / "book" / "results")

    def changed(self, experiment: Experiment) -> Experiment:
        """``experiment`` with what the parameter ``change`` asks for; as it is where that is empty."""
        return changed(experiment, self.parameters.changes())

    def asked(self, *found: tuple[Experiment, pd.DataFrame]) -> Markdown | None:
        """What came of the reader's own question: of each experiment, before its change, and the runs with it; None without one."""
        changes, published = self.parameters.changes(), self.root / "book" / "results"
        if not changes:
            return None
        told = [answer(self.changed(experiment), runs, published, changes) for experiment, runs in found]
        return Markdown("\n\n".join(told))

    def results(self, experiment: Experiment) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The runs of ``experiment`` and their curves: found, or made if there are none or on request.

        Raises:
            ValueError: no run was found and none was asked for.
        """
        if self.parameters.recompute:
            sweep(experiment, self.store, self.parameters.workers, self.parameters.device)
        runs, curves = self.store.results(experiment)
        if runs.empty:
            raise ValueError(f"recompute = False: must be True where nothing is published, as for {experiment.name}")
        return runs, curves

    def stop_without(self, *needed: Experiment | str) -> Markdown | None:
        """Where nothing is published of what this page shows: a note that says so, after which the page's later cells do nothing.

        A page that makes its runs itself, or of a profile that is made on request alone, needs nothing published.

        Args:
            needed: experiments, or names of measurements.
        """
        results, at_paper = self.root / "book" / "results", self.parameters.profile == "paper"
        missing = {}  # by name, what makes it
        for one in () if self.parameters.recompute else needed:
            if isinstance(one, Experiment):
                if one.profile == "paper" and self.store.results(one)[0].empty:
                    missing[one.name] = ("sweep", "publish")
            elif at_paper and not (results / one).exists():
                missing[one] = ("publish",)
        if not missing:
            return None
        skip_what_follows()
        commands = [f"python -m spikepropamine {verb} {name}" for name, verbs in missing.items() for verb in verbs]
        return Markdown(
            f"**Not yet run.** Nothing is published in `book/results` of {enumerated(f'`{name}`' for name in missing)}, which this "
            "page shows from here on; only its text follows. What makes it:\n\n```\n" + "\n".join(commands) + "\n```"
        )

    def at_hand(self, experiment: Experiment) -> tuple[pd.DataFrame, pd.DataFrame]:
        """As :meth:`results`, but with empty tables where there are no runs and none were asked for."""
        return (self.results if self.parameters.recompute else self.store.results)(experiment)

    def published_runs(self, experiment: Experiment) -> pd.DataFrame:
        """The published runs of an experiment that this chapter shows but never makes; empty if none are."""
        published = self.everything.published_runs(experiment.name)
        return pd.DataFrame() if published is None else published.runs

    def measurements(
        self,
        measure: Callable[[str, list[str]], tuple[pd.DataFrame, dict]],
        name: str | None = None,
        fresh: bool | None = None,
    ) -> tuple[pd.DataFrame, dict, str, str]:
        """Measurements, facts about them, commit and processor: published ones, or made by ``measure``.

        Args:
            measure: called with the profile and the names of networks.
            name: of what is published; None takes the chapter's.
            fresh: whether to measure here and now; None leaves that to the parameter ``recompute``.

        Raises:
            ValueError: nothing is published and nothing was to be measured.
        """
        if self.parameters.recompute if fresh is None else fresh:
            table, facts = measure(self.parameters.profile, self.parameters.network_names())
            made = records.provenance()
            return table, facts, made["git_commit"], made["cpu"]
        folder = self.root / "book" / "results" / (name or self.name)
        require(
            self.parameters.profile == "paper", "profile", self.parameters.profile, "'paper' unless recompute is true"
        )
        if not folder.exists():
            raise ValueError(f"recompute = False: must be True where nothing is published, as for {folder.name}")
        table, manifest = records.load_measurements(folder)
        # rows of what is no choice of this chapter, such as a baseline, stay
        left_out = set(self.parameters.known) - set(self.parameters.network_names())
        table = table[~table.network.isin(left_out)]
        return table, manifest["facts"], manifest["git_commit"], manifest["cpu"]

    def published_measurements(self, name: str) -> pd.DataFrame:
        """Measurements as they are published; empty if none are, or if this page shows something else than what is published."""
        folder = self.root / "book" / "results" / name
        if self.parameters.recompute or self.parameters.profile != "paper" or not folder.exists():
            return pd.DataFrame()
        return records.load_measurements(folder)[0]

    def tasks_not_yet_run(self) -> str:
        """A sentence that names the tasks of which nothing is published; empty where there are none."""
        results = self.root / "book" / "results"
        missing = [f"`{task}`" for task in TASKS if not any(results.glob(f"{task}*/runs.parquet"))]
        return f"Not yet run: {', '.join(missing)}." if missing else ""

    def rounds(self) -> list[claims.Round]:
        """The registered rounds, as :func:`spikepropamine.book.claims.load_rounds` reads them."""
        return claims.load_rounds(self.root / "book" / "claims.yml")

    def round(self, number: int = 1, part: str = "") -> claims.Round:
        """One registered round, or one part of it, as :func:`spikepropamine.book.claims.load_round` reads it."""
        return claims.load_round(self.root / "book" / "claims.yml", number, part)

    def weights(self, experiment: Experiment, config: Config, seed: int) -> dict[str, torch.Tensor]:
        """The trained weights of one run."""
        return self.store.weights(experiment.name, config, seed)

    def search_table(self, task: str) -> Item | Markdown:
        """The published search of ``task``, folded, as :func:`spikepropamine.book.search_table.search_table` shows it."""
        require_choice("task", task, TASKS)
        runs = self.published_runs(temporal.search(task))
        if runs.empty:
            return Markdown("*The search is not published yet.*")
        return folded(f"The search on {TASKS[task].label}", search_table(task, runs, self.shelf))

    def shelf(self, runs: pd.DataFrame) -> Shelf:
        """Where this chapter's figures go: a folder of their own, but for the published ones while the book is built.

        So a rerun, whatever its parameters, leaves what is published as it is.
        """
        given = {
            field.name: getattr(self.parameters, field.name)
            for field in dataclasses.fields(self.parameters)
            if getattr(self.parameters, field.name) != field.default
        }
        provenance = Provenance(
            chapter=self.name,
            parameters=given,
            records=tuple(dict.fromkeys(runs["config_hash"])),
            seeds=tuple(sorted(int(seed) for seed in set(runs["seed"]))),
            git_commits=tuple(sorted(set(runs["git_commit"]))),
            versions=records.provenance()["versions"],
            chapter_code=chapter_code(self.root / "book" / f"{self.name}.ipynb"),
        )
        paper = load_paper_values(self.root / "book" / "paper_values.yml")
        meanings = load_yaml(self.root / "book" / "columns.yml")
        if self.parameters.as_published and os.environ.get(STAGE):
            return Shelf(self.root / "figures", "../figures", provenance, None, paper, meanings)
        mark = hashlib.sha256(repr(sorted(given.items())).encode()).hexdigest()[:8]
        folder = self.root / "_build" / "rerun" / f"{self.name}-{self.parameters.profile}-{mark}"
        return Shelf(folder, f"../_build/rerun/{folder.name}", provenance, self.root / "figures", paper, meanings)

    def panel(
        self,
        given: str,
        made: Sequence[Made] = (),
        notes: Mapping[str, str] = MappingProxyType({}),
        asks: tuple[str, str] | None = None,
        beside: Sequence[pd.DataFrame] = (),
    ) -> Markdown:
        """How to make this page again: the command, how long it takes, and how to ask something else.

        Args:
            given: the parameters of the command, as papermill takes them.
            made: the runs behind this page, a table of each kind, and what the command makes in their place.
            notes: what a parameter means on this page, where that is not its usual meaning.
            asks: a question of a reader's own and the ``change`` that asks it, such as ("Does it still work with a delay of
                two seconds?", "task.delay_ms=2000"); None on a page that takes no ``change``.
            beside: runs behind this page that the command does not make.
        """
        made = [(runs, experiment) for runs, experiment in made if len(runs)]
        parts = [rerun.command(self.name, given), rerun.binder(self.root, self.name)]
        if made:
            published = [self._published(experiment) for _, experiment in made]
            parts.append(rerun.how_long(made, published, beside) + " Interrupted runs resume.")
        parts += [
            rerun.asking(self.name, given, asks),
            rerun.parameters(type(self.parameters), notes, asks is not None),
        ]
        parts.append(
            "Figures and tables go to a folder of their own under `_build/rerun/`; a published table's values stand beside the new ones."
        )
        return Markdown("\n\n".join(filter(None, parts)))

    def _published(self, experiment: Experiment) -> pd.DataFrame:
        """The runs of ``experiment`` that are published."""
        runs = self.published_runs(experiment)
        return runs if runs.empty else only(runs, {(config.hash, seed) for config, seed in experiment.runs})

    def status(self, experiment: Experiment, runs: pd.DataFrame) -> str:
        """One sentence, in Markdown: which runs this page shows; and below it what came of a ``change``."""
        unrun = set(self.parameters.known) - set(self.parameters.usual) if self.parameters.networks == "all" else set()
        told = rerun.status(
            experiment, runs, "runs made here" if self.parameters.recompute else "published runs", unrun
        )
        if self.parameters.changes():
            told += "\n\n" + answer(experiment, runs, self.root / "book" / "results", self.parameters.changes())
        return told


def open_chapter(name: str, kind: type[ChapterParameters] = ChapterParameters, **parameters: Any) -> Chapter:
    """The chapter ``name`` with its parameters, of a ``kind``, checked, wherever in the repository it is run from."""
    end_with_papermill()
    check_given(tuple(parameters))
    # papermill's -p passes true and false on as words
    words = {"true": True, "false": False}
    parameters["recompute"] = words.get(parameters["recompute"], parameters["recompute"])
    return Chapter(name, kind(**parameters), find_root())
