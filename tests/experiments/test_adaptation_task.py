"""The experiments on the walk that must be learned within the episode, and what is done to a policy's state between trials."""

import dataclasses

import numpy as np
import pytest
import torch

from spikepropamine.experiments import adaptation_task as task
from spikepropamine.experiments.adaptation_task import E_LESIONS, LESIONS, TwoTrialsConfig
from spikepropamine.records import runs as records
from spikepropamine.training.whole_episode import WholeEpisodes
from spikepropamine.walking.memory_policies import MEMORIES, MemoryPolicy
from spikepropamine.walking.two_trials import HIDDEN, TwoTrials, live

SHORT = TwoTrials(shown=6, scored=8)


def policy_and_statistics(name="dp-bcm"):
    policy = MemoryPolicy(name, n_hidden=16).build(*SHORT.sizes(), seed=0)
    n = SHORT.sizes()[0] - 2
    return policy, (torch.zeros(n, dtype=torch.float64), torch.ones(n, dtype=torch.float64))


def state_of(policy, seed=0):
    state = policy.initial_state(4)
    observations = 3 * torch.randn(6, 4, SHORT.sizes()[0], generator=torch.Generator().manual_seed(seed))
    return policy.run(observations, state)[1]


def tensors(state):
    if isinstance(state, torch.Tensor):
        return [state]
    return [x for part in state or () for x in tensors(part)]


def test_forgetting_leaves_nothing_and_keeping_E_leaves_E_alone():
    policy, _ = policy_and_statistics()
    with torch.no_grad():
        state = state_of(policy)
    E = state.network[0].plastic.E
    assert E.abs().sum() > 0
    assert not any(x.any() for x in tensors(LESIONS["all forgotten"].state(state)))
    kept = E_LESIONS["E alone kept"].state(state)
    assert torch.equal(kept.network[0].plastic.E, E)
    assert sum(bool(x.any()) for x in tensors(kept)) == 1
    gone = E_LESIONS["E forgotten"].state(state)
    assert not gone.network[0].plastic.E.any() and torch.equal(gone.network[0].v, state.network[0].v)


def test_swapping_gives_each_episode_what_its_like_of_the_other_half_has():
    policy, _ = policy_and_statistics()
    with torch.no_grad():
        state = state_of(policy)
    swapped = E_LESIONS["E swapped"].state(state)
    assert torch.equal(swapped.network[0].plastic.E, state.network[0].plastic.E[[2, 3, 0, 1]])
    assert torch.equal(swapped.network[0].v, state.network[0].v)
    whole = LESIONS["all swapped"].state(state)
    assert torch.equal(whole.network[0].v, state.network[0].v[[2, 3, 0, 1]])


def test_what_a_policy_forgets_it_cannot_know(monkeypatch):
    """The first trial cannot reach the second through anything but the state: with that forgotten, both directions walk alike."""
    policy, statistics = policy_and_statistics()
    lived = task.walk(policy, statistics, SHORT, episodes=4, lesion=LESIONS["all forgotten"])
    # the starts of the second trial differ by episode; replayed with hidden values exchanged, the actions are the same
    original = np.repeat
    monkeypatch.setattr(
        np, "repeat", lambda a, n: original(np.asarray(a)[::-1], n) if len(np.shape(a)) else original(a, n)
    )
    other = task.walk(policy, statistics, SHORT, episodes=4, lesion=LESIONS["all forgotten"])
    assert np.array_equal(lived.actions[SHORT.second], other.actions[SHORT.second])
    assert not np.array_equal(lived.actions[1], other.actions[1])


@pytest.mark.parametrize("name", MEMORIES)
def test_a_run_of_every_policy_records_its_score_and_its_lesions(name):
    config = TwoTrialsConfig(
        SHORT, MemoryPolicy(name, n_hidden=8), WholeEpisodes(steps=56, episodes=4, epochs=1, minibatches=1)
    )
    trained = config.train(config.build(0), 0, None, lambda step, latest: None)
    plastic = "dp" in name
    for lesion in (*LESIONS, *(E_LESIONS if plastic else ())):
        assert np.isfinite(trained.metrics[f"score.{lesion}"])
    assert ("score.E swapped" in trained.metrics) == plastic
    assert 0 <= trained.metrics["right"] <= 1 and {"score.gap 1 s", "score.gap 5 s"} <= set(trained.metrics)


def test_a_configuration_rehearses_alike_and_tells_of_its_fields():
    config = TwoTrialsConfig(SHORT, MemoryPolicy("ndp-oja", n_hidden=8), WholeEpisodes())
    first, again = config.rehearse(), config.rehearse()
    assert first == again and "gradient.policy.network.synapses.rule.raw_eta" in first
    other = dataclasses.replace(config, training=WholeEpisodes(discount=0.5)).rehearse()
    assert other["advantages"] != first["advantages"]


def test_every_policy_has_two_tries_of_one_budget():
    search = task.search()
    for name in MEMORIES:
        tries = [config for config in search.configs if config.network.name == name]
        assert len({config.hash for config in tries}) == 2
        assert {config.training.steps for config in tries} == {task.SEARCHED_STEPS}


@pytest.mark.parametrize("hidden", HIDDEN)
def test_held_out_episodes_have_every_hidden_value_alike_and_swap_it_for_another(hidden):
    variant = dataclasses.replace(SHORT, hidden=hidden)
    policy = MemoryPolicy("mlp", n_hidden=8).build(*variant.sizes(), seed=0)
    n, drawn = variant.sizes()[0] - variant.n_cues, []
    statistics = torch.zeros(n, dtype=torch.float64), torch.ones(n, dtype=torch.float64)

    def note(task_, hidden_, *more):
        drawn.append(hidden_)
        return live(task_, hidden_, *more)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(task, "live", note)
        task.walk(policy, statistics, variant, episodes=2 * len(HIDDEN[hidden]))
    assert np.bincount(drawn[0]).tolist() == [2] * len(HIDDEN[hidden])
    assert (np.roll(drawn[0], len(drawn[0]) // 2) != drawn[0]).all()


def test_what_is_reminded_differs_from_its_variant_in_that_alone():
    for told, variant in zip(task.reminded().configs, task.TOLD, strict=True):
        assert told.task.reminded and told.network.name == "mlp"
        (usual,) = task.two_trials(variant, policies=["mlp"]).configs
        assert dataclasses.replace(told, task=dataclasses.replace(told.task, reminded=False)) == usual


@pytest.mark.parametrize("variant", ("", task.FINDS_OUT))
def test_policies_at_other_rates_differ_in_their_rate_alone(variant):
    usual = {config.network.name: config for config in task.two_trials(variant).configs}
    tried: dict[str, set] = {}
    for config in task.other_rates(variant).configs:
        name = config.network.name
        tried.setdefault(name, set()).add(config.training.learning_rate)
        alike = dataclasses.replace(config.training, learning_rate=usual[name].training.learning_rate)
        assert dataclasses.replace(config, training=alike) == usual[name]
    assert tried["gru"] == set(task.OTHER_RATES) and max(task.OTHER_RATES) < min(task.RATES)
    assert set(tried) == (set(MEMORIES) - {"mlp"} if variant else {"gru"})
    with pytest.raises(ValueError, match="variant = '-limb'"):
        task.other_rates("-limb")


def test_a_profile_sets_how_long_a_variant_is_trained():
    assert task.two_trials(task.FINDS_OUT).configs[0].training.steps == 800_000
    assert task.two_trials(task.FINDS_OUT, "smoke").configs[0].training.steps == 400


def test_variants_differ_in_what_they_say():
    main = task.two_trials(policies=["snn"])
    for variant, changes in task.VARIANTS.items():
        other = task.two_trials(variant, policies=["snn"])
        assert (other.configs[0].hash != main.configs[0].hash) == bool(changes)
    with pytest.raises(ValueError, match="variant = '-moon'.*'-limb'"):
        task.two_trials("-moon")
    with pytest.raises(ValueError, match="policies = 'lstm'"):
        task.two_trials(policies=["lstm"])


def test_what_was_chosen_is_what_the_published_search_found_best(repository):
    found = records.load_published(repository / "book" / "results" / "two-trials-search").runs
    for name, cell in found.groupby("network.name"):
        best = cell.loc[cell["score"].idxmax()]
        rate, factor = task.CHOSEN[name]
        assert rate == best["training.learning_rate"]
        assert task.policy(name, factor).options.eta_oja == pytest.approx(best["network.options.eta_oja"])
