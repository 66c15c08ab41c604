"""What every chapter does first: check its parameters, find or make its runs, choose where figures go."""

import dataclasses
import hashlib
import os
import re
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
from ..experiments.sweeps import Store, core_hours, expected_hours, only, sweep
from ..records.atomic import load_yaml
from ..records.origin import find_root as find_root
from ..snn.networks import NETWORKS, NetworkOptions
from ..tasks import TASKS
from .build import STAGE
from .figures import Item, Provenance, Shelf
from .injected import check_given, end_with_papermill
from .own_question import answer
from .parameters import ChapterParameters
from .provenance import chapter_code
from .side_by_side import load_paper_values


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
        """
        if self.parameters.recompute if fresh is None else fresh:
            table, facts = measure(self.parameters.profile, self.parameters.network_names())
            made = records.provenance()
            return table, facts, made["git_commit"], made["cpu"]
        folder = self.root / "book" / "results" / (name or self.name)
        require(
            self.parameters.profile == "paper", "profile", self.parameters.profile, "'paper' unless recompute is true"
        )
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

    def weights(self, experiment: Experiment, config: Config, seed: int) -> dict[str, torch.Tensor]:
        """The trained weights of one run."""
        return self.store.weights(experiment.name, config, seed)

    def cells(self, runs: pd.DataFrame, metric: str) -> dict[tuple[str, str], list[float]]:
        """The values of ``metric`` over seeds for each (noise, network), in the order of the book."""
        groups = runs.sort_values("seed").groupby(["noise", "network"], sort=False)[metric]
        order = {name: k for k, name in enumerate(self.parameters.network_names())}
        values = {key: group.tolist() for key, group in groups}
        noises = list(dict.fromkeys(noise for noise, _ in values))
        return {key: values[key] for key in sorted(values, key=lambda key: (noises.index(key[0]), order[key[1]]))}

    def search_table(self, task: str) -> Item | Markdown:
        """The published search of ``task``: every point of the grid for every network, and what was chosen."""
        require_choice("task", task, TASKS)
        search = temporal.search(task)
        found = self.published_runs(search)
        if found.empty:
            return Markdown("*The search is not published yet.*")
        found = found.rename(columns={"network.name": "network", "training.learning_rate": "learning_rate"})
        default = NetworkOptions()
        found["eta_factor"] = (found["network.options.eta_oja"] / default.eta_oja).round(6)
        mean = found.groupby(["learning_rate", "eta_factor", "network"]).accuracy.mean().unstack()
        mean = mean[[name for name in NETWORKS if name in mean]]
        chosen = {name: {TASKS[task].choice(name): " (chosen)"} for name in mean}
        shown = pd.DataFrame(
            [
                {
                    "learning rate": f"{key[0]:g}",
                    "initial η": f"×{key[1]:g}",
                    **{name: f"{row[name]:.3f}{chosen[name].get(key, '')}" for name in mean.columns},
                }
                for key, row in mean.iterrows()
            ]
        )
        return self.shelf(found).table(
            f"tab-{task}-search",
            found[["network", "learning_rate", "eta_factor", "seed", "accuracy"]],
            shown,
            f"The search on {task}: held-out accuracy at high noise after {search.configs[0].training.steps} steps, mean of "
            f"{found.seed.nunique()} seeds. The initial η is a multiple of {default.eta_oja:g} (Oja) or {default.eta_bcm:g} (BCM).",
        )

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
        made: Sequence[tuple[pd.DataFrame, Experiment]] = (),
        notes: Mapping[str, str] = MappingProxyType({}),
        asks: tuple[str, str] | None = None,
    ) -> Markdown:
        """How to make this page again: the command, what it takes, how long that takes, and how to ask something else.

        Args:
            given: the parameters of the command, as papermill takes them.
            made: the runs behind this page, a table of each kind, and what the command makes in their place.
            notes: what a parameter means on this page, where that is not its usual meaning.
            asks: a question of a reader's own and the ``change`` that asks it, such as ("Does it still work with a delay of
                two seconds?", "task.delay_ms=2000"); None on a page that takes no ``change``.
        """
        rows = pd.DataFrame(
            [
                {
                    "parameter": f"`{name}`",
                    "meaning": notes.get(name, meaning),
                    "allowed": "–" if name in notes else allowed,
                    "default": f"`{default}`" if default != "" else "none",
                }
                for name, default, meaning, allowed in type(self.parameters).described()
                if name != "change" or asks is not None
            ]
        )
        made = [(runs, experiment) for runs, experiment in made if len(runs)]
        took = [self._took(made)] if made else []
        return Markdown(
            "From the root of the repository, in the environment that `make book` sets up:\n\n"
            f"```bash\n. .venv/bin/activate\npapermill book/{self.name}.ipynb out.ipynb {given}\njupyter nbconvert --to html out.ipynb"
            f"    # a page to open in a browser: out.html\n```\n\n{' '.join([*took, self._binder()])}\n\n{self._asking(given, asks)}"
            f"{rows.to_markdown(index=False, disable_numparse=True)}\n\n"
            "Figures go to a folder of their own under `_build/rerun/`, and tables show the published values beside."
            + (" What was stopped goes on where it stopped." if made else "")
        )

    def _asking(self, given: str, asks: tuple[str, str] | None) -> str:
        """How to ask a question of one's own, by an example."""
        if asks is None:
            return ""
        question, change = asks
        return (
            f"**Your own question.** {question} The parameter `change` asks it, and the page then shows your result beside the "
            f'nearest published one:\n\n```bash\n. .venv/bin/activate\npapermill book/{self.name}.ipynb out.ipynb {given} -p change "{change}"\n'
            "jupyter nbconvert --to html out.ipynb\n```\n\n"
        )

    def _published(self, experiment: Experiment) -> pd.DataFrame:
        """The runs of ``experiment`` that are published."""
        runs = self.published_runs(experiment)
        return runs if runs.empty else only(runs, {(config.hash, seed) for config, seed in experiment.runs})

    def _took(self, made: Sequence[tuple[pd.DataFrame, Experiment]]) -> str:
        """How long the runs of a page took, and how long those of its command do: as they were published, or at the same speed."""
        hours = sum(core_hours(runs) for runs, _ in made)
        told = f"The runs behind this page took {hours:.2f} core hours, {hours / 2:.2f} hours on two cores. The command makes "
        told += f"{sum(len(experiment.runs) for _, experiment in made)} runs"
        there = [self._published(experiment) for _, experiment in made]
        if all(len(runs) == len(experiment.runs) for runs, (_, experiment) in zip(there, made)):
            return (
                told
                + f", which took {_minutes(sum(map(core_hours, there)) / 2)} on two cores when they were published."
            )
        return (
            told
            + f": at the speed of these, {_minutes(sum(expected_hours(experiment, runs) for runs, experiment in made) / 2)} on two cores."
        )

    def _binder(self) -> str:
        """Where to run this chapter without installing anything, if the repository is public."""
        public = load_yaml(self.root / "CITATION.cff").get("repository-code", "")
        found = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)/?", public)
        if found is None:
            return "A Binder link stands here once `CITATION.cff` names a public repository (`repository-code`)."
        return f"[Run it on Binder](https://mybinder.org/v2/gh/{found[1]}/HEAD?urlpath=lab/tree/book/{self.name}.ipynb), in the environment of `environment.yml`."

    def status(self, experiment: Experiment, runs: pd.DataFrame) -> str:
        """One sentence, in Markdown: which runs this page shows."""
        missing = len(experiment.runs) - len(runs)
        which = "runs made here" if self.parameters.recompute else "published runs"
        sentence = (
            f"This page shows {len(runs)} {which} at profile `{experiment.profile}`: {len(experiment.configs)} "
            f"configurations, {counted(runs.seed.nunique(), 'seed')}, {core_hours(runs):.2f} core hours on "
            f"{', '.join(sorted(set(runs.cpu)))}."
        )
        sentence += f" **Missing of this profile: {counted(missing, 'run')}.**" if missing else ""
        unrun = set(self.parameters.known) - set(self.parameters.usual) if self.parameters.networks == "all" else set()
        sentence += f" Not yet run: {', '.join(f'`{name}`' for name in sorted(unrun))}." if unrun else ""
        if self.parameters.changes():
            published = self.root / "book" / "results"
            sentence += "\n\n" + answer(experiment, runs, published, self.parameters.changes())
        return sentence


def _minutes(hours: float) -> str:
    return counted(max(1, round(60 * hours)), "minute")


def counted(n: int, what: str) -> str:
    """``n`` of ``what``, in words: 1 seed, 2 seeds."""
    return f"{n} {what}" + ("" if n == 1 else "s")


def how_it_ended(curves: pd.DataFrame) -> dict[str, float]:
    """What the end of training looks like, means over the seeds of ``curves``: is it still learning, do neurons fire (Hz), do gradients flow?"""
    mean = curves.groupby("step")[["accuracy", "firing_rate", "gradient_norm"]].mean()
    last = mean.iloc[-1]
    earlier = mean[mean.index <= 0.8 * mean.index[-1]]
    before = earlier.iloc[-1] if len(earlier) else mean.iloc[0]
    return {
        "accuracy": last.accuracy,
        "last_gain": last.accuracy - before.accuracy,
        "firing_rate": last.firing_rate,
        "gradient_norm": last.gradient_norm,
    }


def show_how_it_ended(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of :func:`how_it_ended` as they are read."""
    shown = {"accuracy": "{:.3f}", "last_gain": "{:+.3f}", "firing_rate": "{:.1f} Hz", "gradient_norm": "{:.2g}"}
    titles = {"last_gain": "gain, last fifth", "firing_rate": "firing rate", "gradient_norm": "gradient norm"}
    return rows[[*shown]].apply(lambda column: column.map(shown[column.name].format)).rename(columns=titles)


def open_chapter(name: str, kind: type[ChapterParameters] = ChapterParameters, **parameters: Any) -> Chapter:
    """The chapter ``name`` with its parameters, of a ``kind``, checked, wherever in the repository it is run from."""
    end_with_papermill()
    check_given(tuple(parameters))
    # papermill's -p passes true and false on as words
    words = {"true": True, "false": False}
    parameters["recompute"] = words.get(parameters["recompute"], parameters["recompute"])
    return Chapter(name, kind(**parameters), find_root())
