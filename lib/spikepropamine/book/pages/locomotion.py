"""Figures, tables and sentences of the chapter on learning to walk."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...experiments.gait import LEGS
from ...experiments.locomotion import EXPERIMENTS, LocomotionConfig
from ...records.statistics import Interval, interquartile_mean
from ...snn.networks import NETWORKS
from ...walking.conditions import CONDITIONS, TRAINING
from .. import figures, plots
from ..claims import number
from ..drawings import LIMBS
from ..figures import Drawing
from ..judges.judge import Definitions
from ..phrases import between, enumerated
from .plasticity_in_walking import relative

COLUMNS = {"network.name": "network", "task.environment": "environment"}
ANT = "Ant-v5"
SHOWN_SECONDS = 5.0
# where the model's legs are as the robot walks along x; the model's own names are those of a robot that looks along y
PLACES = {
    ANT: {
        "front left": "front left",
        "front right": "rear left",
        "back left": "rear right",
        "back right": "front right",
    }
}


def tidy(runs: pd.DataFrame) -> pd.DataFrame:
    """``runs`` with the columns ``network`` and ``environment``."""
    return runs.rename(columns=COLUMNS)


def with_curves(curves: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Whole entries of ``curves`` with network and environment of their runs.

    The last entry may stand for fewer updates than the others, and then for the episodes that ended soonest: it is left out.
    """
    curves = curves.merge(runs[["config_hash", "seed", "network", "environment"]], on=["config_hash", "seed"])
    return curves[curves.step % curves.groupby("environment").step.transform("min") == 0]


def together(found: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The runs and the curves of all robots that have runs, tidy; ``found`` is both of each."""
    there = [tidy(runs) for runs, _ in found.values() if len(runs)]
    if not there:
        return pd.DataFrame(), pd.DataFrame()
    runs = pd.concat(there, ignore_index=True)
    curves = pd.concat([curves for _, curves in found.values() if len(curves)], ignore_index=True)
    return runs, with_curves(curves, runs)


SEEDS_FOR_INTERVALS = 5


def with_enough(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``table`` of robots on which every policy has seeds enough for intervals."""
    if table.empty:
        return table
    seeds = table.groupby(["environment", "network"]).seed.nunique().groupby("environment").min()
    return table[table.environment.isin(seeds.index[seeds >= SEEDS_FOR_INTERVALS])]


def plastic_of(names: Sequence[str]) -> list[str]:
    """Those of ``names`` that have plastic synapses."""
    return [name for name in names if name in NETWORKS and NETWORKS[name][0] is not None]


# ---------------------------------------------------------------- what we found


def ant_first(table: pd.DataFrame) -> pd.DataFrame:
    """``table``, which may be empty, with the robot first that round one's claims are about."""
    if table.empty:
        return table
    return table.sort_values("environment", key=lambda column: column != ANT, kind="stable").reset_index(drop=True)


def what_we_found(
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    definitions: Definitions,
    ways: pd.DataFrame,
    names: Sequence[str],
    cause: str = "",
) -> str:
    """Three or four sentences, as a list; ``cause`` says why spiking policies stay behind."""
    middle = reached(runs)
    robots, plastic = list(dict.fromkeys(runs.environment)), plastic_of(names)
    lines = []
    if ANT in robots and plastic:
        walk = [n for n in plastic if (ANT, n) in middle and middle[ANT, n].low >= definitions.walks_at_least]
        lines.append(
            f"**Do plastic spiking networks learn to walk?** In round one, on Ant, {len(walk)} of {len(plastic)} do by our criterion "
            f"(a return of at least {definitions.walks_at_least:,} by the lower end of the interval): "
            + ", ".join(f"{n} {middle[ANT, n]:,.0f}" for n in plastic if (ANT, n) in middle)
            + "."
        )
    tests = against_plain(runs, plastic)
    if len(tests):
        better = tests[(tests.adjusted_p < definitions.significant_at) & (tests.difference > 0)]
        plain = ", ".join(f"{middle[e, 'snn'].mean:,.0f} on {e}" for e in robots if (e, "snn") in middle)
        lines.append(
            f"**Plasticity {'helps in some cases' if len(better) else 'is not shown to help'}.** The plain snn of round one reaches {plain}, "
            f"{_place_of_plain(middle, robots, names)}; a plastic network is significantly better in {len(better)} of "
            f"{len(tests)} comparisons"
            + (f" ({', '.join(f'{r.network} on {r.environment}' for r in better.itertuples())})" if len(better) else "")
            + "."
            + _likely_reason(ways)
        )
    shares = shares_of_ordinary(runs, names)
    if shares:
        lines.append(
            "**Spiking policies reach less than the ordinary network**: "
            + " and ".join(f"{between(values)} of the MLP's return on {e}" for e, values in shares.items())
            + "."
            + still_rising(curves)
            + cause
        )
    return "\n".join(f"- {line}" for line in map(figures.minus, lines))


def _place_of_plain(middle: Mapping[tuple[str, str], Interval], robots: Sequence[str], names: Sequence[str]) -> str:
    """Where snn stands among the spiking policies of each robot: "place 3 of 5 spiking policies on Ant-v5"."""
    told = []
    for robot in robots:
        means = {n: middle[robot, n].mean for n in names if n in NETWORKS and (robot, n) in middle}
        if "snn" in means:
            place = sorted(means, key=lambda n: -means[n]).index("snn") + 1
            told.append(f"place {place} of {len(means)} spiking policies on {robot}")
    return " and ".join(told)


def _likely_reason(ways: pd.DataFrame) -> str:
    """Why plasticity does not help, as far as it was measured; empty where it was not."""
    if ways.empty:
        return ""
    shares = relative(ways)
    swapped = shares[shares.way == "E swapped between episodes"].groupby("environment", sort=False).share
    kept = {robot: interquartile_mean(values).mean for robot, values in swapped}
    if not kept or min(kept.values()) < 0.9:
        return ""
    told = " and ".join(f"{share:.0%} on {robot}" for robot, share in kept.items())
    return f" A likely reason: a steady walk needs no memory. With the E of another episode these policies keep their progress ({told})."


def reached(runs: pd.DataFrame) -> dict[tuple[str, str], Interval]:
    """By (environment, network) the interquartile mean of the return over seeds, with its interval."""
    return {
        key: interquartile_mean(cell["return"]) for key, cell in runs.groupby(["environment", "network"], sort=False)
    }


def shares_of_ordinary(runs: pd.DataFrame, names: Sequence[str]) -> dict[str, list[float]]:
    """By environment what the spiking policies reach of the MLP's return."""
    middle = reached(runs)
    return {
        e: [middle[e, n].mean / middle[e, "mlp"].mean for n in names if n in NETWORKS and (e, n) in middle]
        for e in dict.fromkeys(runs.environment)
        if (e, "mlp") in middle and any((e, n) in middle for n in names if n in NETWORKS)
    }


def last_fifth(curves: pd.DataFrame) -> pd.Series:
    """By (environment, network) the relative change of the mean return from the fourth fifth of training to the last."""
    part = curves.step / curves.groupby("environment").step.transform("max")
    fifth = np.ceil(part * 5).rename("fifth")
    mean = curves.groupby(["environment", "network", fifth], sort=False)["return"].mean().unstack("fifth")
    return (mean[5.0] / mean.get(4.0, np.nan) - 1).dropna()


def still_rising(curves: pd.DataFrame) -> str:
    """Which robots' policies still gained in the last fifth of training, in words; empty where there is nothing to say."""
    gains = last_fifth(curves).groupby("environment", sort=False)
    told = [f"{between(list(values), '+.0%')} on {environment}" for environment, values in gains]
    return (
        f" In the last fifth of training, over which the learning rate goes to zero, mean returns changed by {enumerated(told)}."
        if told
        else ""
    )


def against_plain(runs: pd.DataFrame, plastic: Sequence[str]) -> pd.DataFrame:
    """Each plastic network against snn on each robot, p adjusted over all of them."""
    return plots.comparisons(runs, "return", [(name, "snn") for name in plastic], ["environment"])


def shown_tests(tests: pd.DataFrame, significant_at: float) -> pd.DataFrame:
    """The comparisons as they are read."""
    return pd.DataFrame(
        {
            "comparison": tests.network + " less " + tests.against,
            "robot": tests.environment,
            "significant": ["yes" if p < significant_at else "no" for p in tests.adjusted_p],
            "difference of mean returns": [f"{r.difference:+,.0f} ({r.low:+,.0f} to {r.high:+,.0f})" for r in tests.itertuples()],
            "adjusted p": [f"{p:.2f}" if p >= 0.01 else f"{p:.1g}" for p in tests.adjusted_p],
            "P(better)": [f"{s:.2f}" for s in tests.superiority],
        }
    )  # fmt: skip


# ---------------------------------------------------------------- robots, policies, search


def described(configs: Mapping[str, LocomotionConfig]) -> str:
    """The robots, the policies and their training in words, all values from the configurations (one of each robot)."""
    first = next(iter(configs.values()))
    policy, training = first.network, first.training
    environment = first.task.make()
    lasts, step = environment.spec.max_episode_steps, environment.unwrapped.dt
    environment.close()

    def each(tell) -> str:
        return ", ".join(f"{tell(config.training)} on {name}" for name, config in configs.items())

    sizes = {name: config.task.sizes() for name, config in configs.items()}
    return (
        "Reward is gymnasium's: speed along x, less the cost of action and, on Ant, of contact, with a bonus of 1 for every step "
        f"on which Ant has not fallen over. An episode lasts {lasts} control steps of {1000 * step:g} ms, so an ant that stands "
        f"through it earns about {lasts}. "
        + " ".join(f"{name} has {o} observations and {a} torques." for name, (o, a) in sizes.items())
        + f" Steps of training: {each(lambda t: format(t.steps, ','))}.\n\n"
        f"A spiking policy of round one is two populations of {policy.n_hidden} neurons. The observations, normalised by their running "
        f"statistics, are a current into the first for {policy.ticks} ticks of {policy.options.dt:g} ms a control step. Its spikes "
        "reach the second through the synapses that in the `dp` and `ndp` networks are plastic; the potential of a leaky readout "
        "is the mean of the action. Potentials, traces and efficacies run on through the whole episode and start at zero in the "
        "next. The critic is an ordinary network that sees the observations.\n\n"
        f"Training is by proximal policy optimisation: {training.environments} environments, {training.rollout} control steps of "
        f"each between updates, {training.minibatches} minibatches, epochs {each(lambda t: t.epochs)}, first standard deviation of "
        f"actions {each(lambda t: format(t.initial_std, 'g'))}. Gradients reach back through pieces of {training.piece} control "
        f"steps ({training.piece * step:g} s), each replayed from the state in which it began: credit for what E was written with "
        "earlier than that is not learned, which may be why these walks find little use for E ([](adaptation.ipynb) trains "
        f"through whole episodes). Discount {training.discount:g}, λ {training.gae:g}, clip {training.clip:g}, Adam annealed to "
        "zero. The full list is `PPO` in `lib/spikepropamine/training/ppo.py`, one file from top to bottom."
    )


def shown_search(tried: pd.DataFrame, chosen: Mapping[str, tuple[float, float]], eta: float) -> pd.DataFrame:
    """A search as it is read: returns by learning rate, factor on η and policy; ``eta`` is the default η of Oja's rule."""
    factor = (tried["network.options.eta_oja"] / eta).round(6).rename("factor")
    mean = tried.groupby([tried["training.learning_rate"], factor, tried["network.name"]])["return"].mean().unstack()
    rows = []
    for (rate, by), row in mean.iterrows():
        marks = {name: " (chosen)" if chosen.get(name) == (rate, by) else "" for name in row.index}
        values = {name: f"{row[name]:,.0f}{marks[name]}" for name in chosen if name in row.index}
        rows.append({"learning rate": f"{rate:g}", "initial η": f"×{by:g}", **values})
    return pd.DataFrame(rows)


# ---------------------------------------------------------------- learning and returns


def draw_learning(curves: pd.DataFrame, names: Sequence[str]) -> Drawing:
    """Return in the course of training, a panel a robot."""
    robots, styles = list(dict.fromkeys(curves.environment)), figures.network_styles(names)
    figure, axes = figures.grid(1, len(robots), height=2.9, squeeze=False)
    data = curves[["environment", "network", "seed", "step", "return"]].dropna()
    ends = {}
    for axis, robot in zip(axes[0], robots):
        part = data[data.environment == robot].assign(millions=lambda t: t.step / 1e6)
        plots.band(axis, part, "millions", "return", styles)
        axis.set(title=robot, xlabel="environment steps (millions)")
        for name, cell in part.groupby("network", sort=False):
            end = cell.groupby("seed").step.max().min()
            ends[robot, name] = interquartile_mean(cell[cell.step == end]["return"]).mean
    axes[0][0].set_ylabel("return, with exploration noise")
    plots.legend_above(figure, {name: styles[name] for name in names if name in set(data.network)})
    told = "; ".join(f"{name} on {robot} {number(value)}" for (robot, name), value in ends.items())
    ahead = [robot for robot in robots if _leader(ends, robot) == "mlp"]
    plain = [
        value / ends[robot, "snn"]
        for (robot, name), value in ends.items()
        if name in plastic_of(names) and (robot, "snn") in ends
    ]
    beside = f", and the plastic networks end at {between(plain)} of the plain one" if plain else ""
    return Drawing(
        figure,
        data,
        (f"The ordinary network ends ahead on {' and '.join(ahead)}{beside}: " if ahead else "")
        + "return with exploration noise of the episodes that ended in the course of training, interquartile mean over seeds with 95% bootstrap "
        "intervals.",
        f"Learning curves of return over environment steps, a panel a robot. Last values: {told}.",
    )  # fmt: skip


def _leader(ends: Mapping[tuple[str, str], float], robot: str) -> str:
    of = {name: value for (at, name), value in ends.items() if at == robot}
    return max(of, key=lambda name: of[name], default="")


def draw_returns(runs: pd.DataFrame, names: Sequence[str], walks: Mapping[str, float], episodes: int) -> Drawing:
    """Return after training of every seed, a panel a robot; ``walks`` is the return from which a policy walks, by robot."""
    robots, styles = list(dict.fromkeys(runs.environment)), figures.network_styles(names)
    figure, axes = figures.grid(1, len(robots), height=2.6, squeeze=False)
    for axis, robot in zip(axes[0], robots):
        plots.seeds_and_interval(axis, runs[runs.environment == robot], "return", styles, horizontal=True)
        if robot in walks:
            plots.limits(axis, {"walks": walks[robot]}, horizontal=True)
        axis.set(xlabel="return", xlim=(0, None))
        axis.set_title(robot, pad=14)
    middle = reached(runs)
    told = "; ".join(f"{name} on {robot} {i:,.0f}" for (robot, name), i in middle.items())
    shares = shares_of_ordinary(runs, names)
    message = " and ".join(f"{between(v)} of the MLP's return on {e}" for e, v in shares.items())
    return Drawing(
        figure,
        runs[["environment", "network", "seed", "return", "length"]],
        (f"Spiking policies reach {message}: " if shares else "")
        + f"return after training, without exploration, of every seed (faint, mean of {episodes} episodes) and interquartile mean "
        "with its 95% bootstrap interval.",
        f"Dot plot of returns, a panel a robot. Interquartile means: {told}.",
    )


def returns_data(runs: pd.DataFrame, walks: pd.DataFrame, moderate: Mapping[str, float]) -> pd.DataFrame:
    """What tab-locomotion holds: returns under the training condition, and under novel ones at moderate strength."""
    trained = runs.assign(condition=TRAINING, mean_return=runs["return"])
    columns = ["environment", "network", "condition", "seed", "mean_return"]
    if walks.empty:
        return trained[columns]
    at = walks[walks.strength.eq(walks.condition.map(moderate)) & walks.network.isin(set(runs.network))]
    return pd.concat([trained[columns], at.rename(columns={"return": "mean_return"})[columns]], ignore_index=True)


def shown_returns(runs: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Returns as they are read, a row a policy."""
    middle, robots = reached(runs), list(dict.fromkeys(runs.environment))
    return pd.DataFrame(
        {"policy": name} | {e: f"{middle[e, name]:,.0f}" if (e, name) in middle else "–" for e in robots}
        for name in names
    )


# ---------------------------------------------------------------- beside what others report


OURS = "PPO"  # what trains every policy of this book


def related(theirs: Mapping[str, Any], ours: Mapping[str, pd.DataFrame], names: Sequence[str]) -> pd.DataFrame:
    """What other spiking controllers reach, from related_values.yml, and what this book's do: a row a network and a robot.

    Args:
        theirs: related_values.yml.
        ours: runs by what to call them; empty ones are left out.
        names: of policies.
    """
    rows = []
    for robot, returns in theirs["returns"].items():
        ordinary = returns[theirs["ordinary"]]
        for network in theirs["networks"]:
            rows.append(
                (theirs["called"], robot, theirs["algorithm"], network, returns[network], returns[network] / ordinary)
            )
    for source, runs in ours.items():
        middle = {key: interval.mean for key, interval in reached(runs).items()} if len(runs) else {}
        for robot in dict.fromkeys(robot for robot, _ in middle):
            ordinary = middle.get((robot, "mlp"))
            for name in names if ordinary else ():
                if (robot, name) in middle:
                    rows.append((source, robot, OURS, name, middle[robot, name], middle[robot, name] / ordinary))
    columns = ["source", "environment", "algorithm", "network", "return", "share_of_ordinary"]
    return pd.DataFrame(rows, columns=columns)


def beside_related(theirs: Mapping[str, Any], table: pd.DataFrame) -> str:
    """How near to an ordinary network other spiking controllers come, and how near these do; the answer first."""
    others = [name for name in theirs["networks"] if name != theirs["ordinary"]]
    reach = table[table.network.isin(others)].share_of_ordinary
    ours = table[(table.algorithm == OURS) & table.network.isin(NETWORKS)].share_of_ordinary
    cited = ", ".join(f"{name} {{cite:p}}`{theirs['networks'][name]}`" for name in others)
    if ours.empty:
        return ""
    return (
        f"{'Nearer to an ordinary network than those of this book' if reach.min() > ours.max() else 'As near to an ordinary network as the best of these'}: "
        f"{cited}, trained by {theirs['algorithm']} {{cite:p}}`{theirs['networks'][theirs['ordinary']]}`, reach {between(list(reach))} of the "
        f"ordinary network's return, and the spiking policies of this book, trained by {OURS}, {between(list(ours))}. Their numbers are those of "
        f"{{cite:t}}`{theirs['source']}` ({theirs['statistic']}), who trained all of them alike; they are read from {theirs['read_from']}. The "
        "versions of the robots, the sizes of the networks and the numbers of steps differ, so that shares can be compared and returns cannot."
    )


def shown_related(table: pd.DataFrame) -> pd.DataFrame:
    """:func:`related` as it is read."""
    shown = table.assign(
        **{
            "return": table["return"].map("{:,.0f}".format),
            "share_of_ordinary": table.share_of_ordinary.map("{:.0%}".format),
        }
    )
    heads = {"source": "from", "environment": "robot", "algorithm": "trained by"}
    return shown.rename(columns=heads | {"share_of_ordinary": "share of the ordinary network's"})


# ---------------------------------------------------------------- a walk, looked at closely


def walkers_in_words(facts: Mapping, environment: str, name: str) -> str:
    """Which walk is shown."""
    (one,) = (w for w in facts["walkers"] if w["environment"] == environment and w["network"] == name)
    fell = one["falls_before"]
    return (
        f"The walker is `{name}` on {environment}, seed {one['seed']}, whose return of {one['return']:,.0f} is in the middle of its "
        f"seeds' (the lower of two), in an episode that no training or evaluation used"
        + (f" ({fell} before it ended in a fall)." if fell else ".")
    )


ROBOTS = {environment: name for name, environment in EXPERIMENTS.items()}  # a robot's name in experiments


def films_in_words(facts: Mapping) -> str:
    """The films with what is seen in each, as Markdown."""
    films = pd.DataFrame(facts["films"])
    lines = []
    for film, rows in films.groupby("film", sort=False):
        first = rows.iloc[0]
        told = ", ".join(
            f"{r.network} (seed {r.seed}) {round(r.metres, 1) + 0.0:.1f} m" + ("" if r.fell_s is None or np.isnan(r.fell_s) else f", falls after {r.fell_s:.1f} s")
            for r in rows.itertuples()
        )  # fmt: skip
        undisturbed = first.condition == TRAINING
        what = film.removeprefix(ROBOTS[first.environment]).replace("-", " ").strip()
        condition = "nothing is different" if undisturbed else f"{first.strength:g} {CONDITIONS[first.condition].unit}"
        lines.append(
            f":::{{film}} results/gait/film-{film}.mp4\n**{first.environment}, {what}**: {condition}. From left "
            f"to right, with the way made in the first 10 s of the same episode: {told}.\n:::\n"
        )
    return figures.minus("\n".join(lines))


def draw_gait(gait: pd.DataFrame, environment: str, name: str) -> Drawing:
    """Joints, feet, firing rates, E and M in the first seconds of one walk."""
    shown = gait[(gait.environment == environment) & (gait.network == name) & (gait.time_s <= SHOWN_SECONDS)]
    legs, t = LEGS[environment], shown.time_s
    palette = dict(zip(legs, LIMBS))  # as the robots are drawn
    places = PLACES.get(environment, {})
    longest = max(map(len, legs.values()))
    dashes = dict(zip(range(longest), ("-", "--", ":")))
    figure, axes = figures.grid(5, 1, height=7.4, sharex=True, height_ratios=[2, 1, 1.2, 1.2, 1.2])
    for leg, joints in legs.items():
        for k, joint in enumerate(joints):
            axes[0].plot(t, shown[f"angle.{joint}"], color=palette[leg], ls=dashes[k], lw=1)
        axes[0].plot([], [], color=palette[leg], lw=2, label=places.get(leg, leg))
    words = ", ".join(
        f"{place} {how}"
        for place, how in zip(("hip", "knee or ankle", "foot"), ("solid", "dashed", "dotted")[:longest])
    )
    axes[0].legend(ncols=len(legs), loc="lower center", bbox_to_anchor=(0.5, 1.0))
    axes[0].set_ylabel("joint angle (rad)")
    for k, leg in enumerate(legs):
        axes[1].fill_between(t, k, k + 0.8 * shown[f"contact.{leg}"], step="pre", color=palette[leg], lw=0)
    axes[1].set_yticks([k + 0.4 for k in range(len(legs))], [places.get(leg, leg) for leg in legs])
    axes[1].set_title("foot on the ground", loc="left")
    axes[2].plot(t, shown["rate.encoder"], color="black", lw=1, label="first population")
    axes[2].plot(t, shown["rate.hidden"], color="#0072B2", lw=1, ls="--", label="second population")
    axes[2].set(ylabel="rate (Hz)", ylim=(0, 1.35 * shown[["rate.encoder", "rate.hidden"]].to_numpy().max()))
    axes[2].legend(ncols=2, loc="upper right")
    axes[3].plot(t, shown["E.mean_abs"], color="#D55E00", lw=1.2)
    axes[3].set(ylabel="mean |E|", ylim=(0, None))
    axes[4].fill_between(t, shown["M.10"], shown["M.90"], color="#0072B2", alpha=0.25, lw=0)
    axes[4].plot(t, shown["M.50"], color="#0072B2", lw=1)
    axes[4].set(ylabel="M (10, 50, 90%)", xlabel="time (s)", ylim=(-1.05, 1.05))
    figure.align_ylabels(axes)
    end, whole = shown.iloc[-1], gait[(gait.environment == environment) & (gait.network == name)]
    most = whole["E.mean_abs"].max()
    half = shown[shown["E.mean_abs"] >= 0.5 * most].time_s.min()
    grows = (
        f"E comes within {half:.1f} s to half of the {most:.2f} that its mean size reaches later"
        if half == half
        else "E keeps growing"
    )
    kept = [c for c in shown if shown[c].notna().any()]
    return Drawing(
        figure,
        shown[kept],
        f"Some joints swing in a steady rhythm while {grows}. The first {SHOWN_SECONDS:g} s of a walk of {name} on {environment}: "
        f"joint angles (colour by leg, as in the drawing of the robots; {words}), feet on the ground, mean firing rates, mean size of E, and the modulator over the "
        "neurons of the second population (band: the middle four fifths; line: the median).",
        f"Five stacked time series. Joints swing to and fro, feet touch the ground and leave it. Mean |E| starts at zero and is "
        f"{end['E.mean_abs']:.2f} after {SHOWN_SECONDS:g} s; the middle four fifths of M lie between {end['M.10']:.2f} and "
        f"{end['M.90']:.2f} there.",
    )  # fmt: skip


# ---------------------------------------------------------------- how long it takes


def shown_speed(runs: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Environment steps a second of the whole training loop, median over runs."""
    speed = runs.groupby(["network", "environment"]).steps_per_second.median().unstack()
    speed = speed.reindex([name for name in names if name in speed.index]).round(0)
    return speed.map(lambda value: "–" if np.isnan(value) else f"{value:,.0f}").rename_axis(columns=None).reset_index()


def trouble(runs: pd.DataFrame) -> str:
    """What went wrong in all runs: simulations that diverged, gradients that were not finite."""
    diverged = int(runs.diverged.sum() + runs.diverged_episodes.sum())
    return (
        f"Episodes whose simulation diverged, in all of the training and evaluation of {len(runs):,} runs: {diverged}. "
        f"Updates skipped for a gradient that was not finite: {int(runs.skipped_updates.sum())}."
    )
