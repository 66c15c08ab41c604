"""Published weights in a network that can be used at once."""

from pathlib import Path

from torch import nn

from ..checks import require, require_choice, require_count
from ..snn.controls import CONTROLS
from ..snn.networks import NETWORKS
from ..tasks import TASKS
from ..tasks.task import NOISE_HZ
from .sweeps import Store
from .temporal import Experiment, controls, temporal
from .temporal_round_two import CELLS, COMPARED, round_two


def load_pretrained(
    task: str,
    network: str,
    seed: int | None = None,
    noise: str = "low",
    results: Path | str | None = None,
    *,
    round: int = 1,
) -> nn.Module:
    """A network with the weights that it had at the end of a published run.

    ``load_pretrained("recall", "ndp-bcm")(spikes)`` gives the readout, (T, B, outputs), of spikes (T, B, inputs) drawn by
    the task, such as ``Recall().sample(64, generator).spikes``. It knows the temporal tasks alone; trained walkers are
    revived by :func:`spikepropamine.experiments.locomotion.revive`.

    Args:
        task: a name of TASKS, on which it was trained.
        network: a name of NETWORKS or CONTROLS; in round two one of those that it compares, ``lsnn``, ``lsnn-100``,
            ``rsnn-long`` and ``stp`` among them.
        seed: of the run; None takes the round's first. Weights are published of that one alone, unless a page needs more.
        noise: the noise level it was trained at. Controls were trained at "low" alone, weak cues at "high".
        results: the folder of published results; None looks for ``book/results`` from here up, then beside the package.
        round: of evidence, 1 or 2.

    Raises:
        ValueError: an unknown task, network, noise level or round, or a run whose weights are not published.
        FileNotFoundError: no folder of published results.
    """
    require_choice("task", task, TASKS)
    require_choice("noise", noise, NOISE_HZ)
    require_choice("round", round, (1, 2))
    experiment = _of_round_one(task, network) if round == 1 else _of_round_two(task, network, noise)
    seed = experiment.seeds[0] if seed is None else seed
    require_count("seed", seed, at_least=0)
    store = Store(Path(".runs"), _published(results))
    configs = [config for config in experiment.configs if config.task.noise == noise]
    there = store.published_runs(experiment.name)
    of = [one for config in configs for one in ([] if there is None else there.seeds_with_weights(config.hash))]
    require(
        seed in of,
        "seed",
        seed,
        f"a seed whose weights of {network} on {task} at {noise} noise are published: {', '.join(map(str, of)) or 'none'}",
    )
    made = configs[0].build(seed)
    missing, unexpected = made.load_state_dict(there.weights(configs[0].hash, seed), strict=False)
    # published weights hold what is learned; time constants and thresholds that are not are the configuration's
    lacking = sorted(set(missing) & {name for name, _ in made.named_parameters()}) + sorted(unexpected)
    require(not lacking, "weights", lacking, f"those of {network}")
    return made.eval()


def _of_round_one(task: str, network: str) -> Experiment:
    require_choice("network", network, (*NETWORKS, *CONTROLS))
    return temporal(task, networks=[network]) if network in NETWORKS else controls(task, networks=[network])


def _of_round_two(task: str, network: str, noise: str) -> Experiment:
    require_choice("network", network, COMPARED)
    require_choice("noise", noise, [level for level in NOISE_HZ if f"{task}-{level}" in CELLS])
    return round_two(f"{task}-{noise}", networks=[network])


def _published(results: Path | str | None) -> Path:
    if results is not None:
        require(
            isinstance(results, (str, Path)) and Path(results).is_dir(),
            "results",
            str(results),
            "a folder of published results, book/results",
        )
        return Path(results)
    here, package = Path.cwd(), Path(__file__).resolve()
    for folder in (here, *here.parents, *package.parents):
        if (folder / "_toc.yml").is_file() and (folder / "book" / "results").is_dir():
            return folder / "book" / "results"
    raise FileNotFoundError(
        f"{here}: must lie in the book's repository, which holds book/results; or name that folder by results="
    )
