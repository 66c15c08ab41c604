"""Whatever is done to a policy or to its state: it acts as it runs, or is refused by name. Nothing ends the process."""

import contextlib
import os
import subprocess
import sys
import textwrap

import pytest
import snntorch
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook
from torch.nn.utils import parametrize, prune
from torch.utils._python_dispatch import TorchDispatchMode

from spikepropamine.snn.scan import fire
from spikepropamine.walking.inference import acting
from spikepropamine.walking.memory_policies import MemoryPolicy
from spikepropamine.walking.policies import Policy, PolicyState, SpikingPolicy, each

OBSERVATIONS = 3 * torch.randn(4, 5, generator=torch.Generator().manual_seed(0))


def policy_of(name="dp-oja"):
    return Policy(name, n_hidden=8).build(5, 3, 0)


def put(whole, path, value):
    """Set the attribute of ``whole`` at a dotted ``path``."""
    *outer, last = path.split(".")
    for name in outer:
        whole = getattr(whole, name)
    setattr(whole, last, value)


def tensors(state):
    found = []
    each(lambda x: found.append(x) or x, state)
    return found


@torch.no_grad()
def assert_acts_as_it_runs(policy, setting=contextlib.nullcontext, act=None):
    act, acted = act or acting(policy), policy.initial_state(4)
    ran = acted
    with setting():
        for _ in range(3):
            means, acted = act(OBSERVATIONS, acted)
            expected, ran = policy.run(OBSERVATIONS[None], ran)
            assert torch.equal(means, expected[0])
            assert all(map(torch.equal, tensors(acted), tensors(ran)))


def answers_of_a_child(*attempts):
    """What each attempt, the text of statements, is refused with in a process of its own, which one of them may end."""
    code = """
        import sys, torch
        from torch import nn
        from spikepropamine.walking.inference import acting
        from spikepropamine.walking.policies import Policy
        for attempt in sys.argv[1:]:
            p, o = Policy("ndp-oja", n_hidden=8).build(5, 3, 0), torch.ones(4, 5)
            act = acting(p)
            _, s = act(o, p.initial_state(4))
            print(attempt, file=sys.stderr, flush=True)
            try:
                exec(attempt)
                print("taken")
            except (TypeError, ValueError) as error:
                print(error)
    """
    child = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(code), *attempts],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert child.returncode == 0, child.stderr[-2000:]
    return child.stdout.splitlines()


# ---------------------------------------------------------------- parts that do not fit one another


def test_parts_of_sizes_that_do_not_fit_are_refused_by_name():
    refused = {
        "p.encoder = nn.Linear(5, 20000)": "network.synapses.in_features = 8: must be 20000, the out_features of encoder",
        "p.encoder = nn.Linear(5, 4)": "network.synapses.in_features = 8: must be 4, the out_features of encoder",
    }
    for name, shape, fit in (
        ("alpha", (4, 4), (8, 8)),
        ("weight", (8, 4), (8, 8)),
        ("bias", (4,), (8,)),
        ("modulator_weight", (2, 2), (8, 8)),
    ):
        name = f"network.synapses.{name}"
        refused[f"p.{name} = nn.Parameter(torch.zeros({shape}))"] = f"{name}.shape = {shape}: must be {fit}"
    found = answers_of_a_child(*(f"{change}; acting(p)(o, p.initial_state(4))" for change in refused))
    assert [line.replace("(8)", "(8,)") for line in found] == list(refused.values())


@pytest.mark.parametrize(
    "path, part, error, said",
    [
        ("encoder", nn.Identity(), TypeError, "encoder = Identity: must be an nn.Linear"),
        ("network", None, TypeError, "network = NoneType: must be of spikepropamine.snn.networks.SpikingNetwork"),
        ("network.synapses", None, TypeError, "network.synapses = NoneType: must be an nn.Linear"),
        (
            "network.synapses.alpha",
            nn.Parameter(torch.zeros(8, 8).double()),
            TypeError,
            "alpha has dtype torch.float64",
        ),
        ("network.readout", nn.Linear(7, 3), ValueError, "readout.in_features = 7: must be 8"),
        ("network.readout", nn.Linear(8, 3).double(), TypeError, "network.readout.weight has dtype torch.float64"),
        ("network.integrator", snntorch.Leaky(beta=0.5), ValueError, "reset_mechanism = 'subtract': must be 'none'"),
        ("neuron", None, TypeError, "neuron = NoneType: must be snntorch.Leaky"),
        ("ticks", 0, ValueError, "ticks = 0: must be a whole number >= 1"),
    ],
)
def test_parts_of_another_kind_are_refused_by_name_as_run_does(path, part, error, said):
    policy, state = policy_of(), policy_of().initial_state(4)
    put(policy, path, part)
    run = lambda: policy.run(OBSERVATIONS[None], state)  # noqa: E731
    for attempt in (lambda: acting(policy), run, lambda: policy.initial_state(4)):
        with pytest.raises(error) as refused:
            attempt()
        assert said in str(refused.value)


@pytest.mark.parametrize(
    "name, path, part, error, said",
    [
        ("rsnn", "encoder", nn.Linear(5, 4), ValueError, "cell.synapses.in_features = 8: must be 4"),
        ("rsnn", "cell", nn.Identity(), TypeError, "cell = Identity: must be of spikepropamine.snn.controls.Recurrent"),
        ("rsnn", "readout", nn.Linear(7, 3), ValueError, "readout.in_features = 7: must be 8"),
        ("rsnn", "readout", nn.Linear(8, 3).double(), TypeError, "readout.weight has dtype torch.float64"),
        ("rsnn", "ticks", 0, ValueError, "ticks = 0: must be a whole number >= 1"),
        ("gru", "encoder", nn.Identity(), TypeError, "encoder = Identity: must be an nn.Linear"),
        ("gru", "readout", nn.Linear(7, 3), ValueError, "readout.in_features = 7: must be 8"),
        ("gru", "cell", nn.GRU(8, 3), ValueError, "cell = GRU(8, 3): must be as nn.GRU(8, 8)"),
        ("gru", "cell", nn.LSTM(8, 8), TypeError, "cell = LSTM: must be of torch.nn.modules.rnn.GRU"),
        ("gru", "cell", nn.GRU(8, 8).double(), TypeError, "cell.weight_ih_l0 has dtype torch.float64"),
        (
            "mlp",
            "layers",
            nn.Identity(),
            TypeError,
            "layers = Identity: must be of torch.nn.modules.container.Sequential",
        ),
        ("mlp", "layers", nn.Sequential(nn.Tanh()), TypeError, "layers.0 = Tanh: must be an nn.Linear"),
    ],
)
def test_parts_of_the_other_memories_too(name, path, part, error, said):
    policy = MemoryPolicy(name, n_hidden=8).build(5, 3, 0)
    state = policy.initial_state(4)
    put(policy, path, part)
    with pytest.raises(error) as refused:
        acting(policy)(OBSERVATIONS, state)
    assert said in str(refused.value)


def test_what_is_no_policy_is_refused_by_name():
    for other, name in ((None, "NoneType"), (nn.Linear(2, 2), "Linear"), ("dp-oja", "str")):
        with pytest.raises(TypeError, match=f"policy = {name}: must be a policy"):
            acting(other)


def test_it_keeps_the_weights_that_it_was_made_with():
    for name in ("snn", "ndp-bcm"):
        policy, same = policy_of(name), policy_of(name)
        act = acting(policy)
        with torch.no_grad():
            for weight in policy.parameters():
                weight.data.add_(1)
        policy.ticks, policy.encoder = 7, nn.Linear(5, 4)
        assert_acts_as_it_runs(same, act=act)


# ---------------------------------------------------------------- parts with a mind of their own


class Louder(nn.Linear):
    def forward(self, x):
        return super().forward(x) + 1


class Shifted(SpikingPolicy):
    def activity(self, observations, state):
        *spikes, means, state = super().activity(observations, state)
        return *spikes, means + 1, state


class Doubled(nn.Module):
    def forward(self, x):
        return 2 * x


def hooked(policy):
    policy.network.readout.register_forward_hook(lambda module, given, out: out + 1)


def own_readout(policy):
    policy.network.readout = Louder(8, 3)


def own_activity(policy):
    policy.__class__ = Shifted


def pruned(policy):
    prune.l1_unstructured(policy.network.readout, "weight", 3)
    policy.network.readout.weight_orig.data.add_(1)


def own_betas(policy):
    policy.network.integrator = snntorch.Leaky(beta=torch.rand(3), reset_mechanism="none")


def parametrized(policy):
    parametrize.register_parametrization(policy.network.readout, "weight", Doubled())


def spectral(policy):
    nn.utils.parametrizations.spectral_norm(policy.encoder)


@pytest.mark.parametrize("change", [hooked, own_readout, own_activity, pruned, own_betas, parametrized])
def test_it_acts_as_it_runs_whatever_was_changed(change):
    policy = policy_of()
    change(policy)
    assert_acts_as_it_runs(policy)


def test_a_parametrization_is_asked_at_each_step():
    policy, same = policy_of(), policy_of()
    for one in (policy, same):
        torch.manual_seed(0)
        spectral(one)
    act, acted, ran = acting(policy), policy.initial_state(4), same.initial_state(4)
    for _ in range(3):
        means, acted = act(OBSERVATIONS, acted)
        expected, ran = same.run(OBSERVATIONS[None], ran)
        torch.testing.assert_close(means, expected[0])


class Watch(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        return function(*arguments, **(named or {}))


@contextlib.contextmanager
def hook_of_all():
    hook = register_module_forward_hook(lambda module, given, out: 2 * out if isinstance(module, nn.Linear) else None)
    try:
        yield
    finally:
        hook.remove()


@pytest.mark.parametrize("setting", [lambda: torch.autocast("cpu"), Watch, hook_of_all, torch.inference_mode])
def test_it_acts_as_it_runs_whatever_pytorch_does_meanwhile(setting):
    assert_acts_as_it_runs(policy_of(), setting)


def test_it_acts_as_it_runs_under_vmap():
    policy, many = policy_of(), 3 * torch.randn(3, 4, 5)
    act, state = acting(policy), policy.initial_state(4)
    found = torch.func.vmap(lambda x: act(x, state)[0])(many)
    torch.testing.assert_close(found, torch.stack([act(x, state)[0] for x in many]))


# ---------------------------------------------------------------- the state between two steps


def test_a_state_whose_memory_was_exchanged_is_refused_by_name():
    tensors = ["encoder.v", "network[0].v", "network[1]"]
    tensors += [f"network[0].plastic.{name}" for name in ("E", "x_pre", "x_post", "theta")]
    others = ["torch.zeros(1)", "{}.data[:1]", "{}.data.flatten()", "torch.zeros(4, 8, 8, dtype=torch.float64)"]
    attempts = [f"s.{x}.data = {other.format(f's.{x}')}; act(o, s)" for other in others for x in tensors]
    for attempt, found in zip(attempts, answers_of_a_child(*attempts), strict=True):
        wrong = "has dtype torch.float64: must be" if "float64" in attempt else ".shape = "
        assert wrong in found, f"{attempt}: {found}"


@pytest.mark.parametrize("which", range(7))
def test_a_state_that_was_written_to_is_looked_at_again(which):
    policy = policy_of()
    act = acting(policy)
    _, state = act(OBSERVATIONS, policy.initial_state(4))
    # a write that makes sense counts
    tensors(state)[which].fill_(0.5)
    means, _ = act(OBSERVATIONS, state)
    assert torch.equal(means, policy.run(OBSERVATIONS[None], state)[0][0])
    _, state = act(OBSERVATIONS, policy.initial_state(4))
    tensors(state)[which][(0,) * tensors(state)[which].ndim] = torch.nan
    with pytest.raises(ValueError, match="1 of .* entries NaN or infinite.: must be finite"):
        act(OBSERVATIONS, state)


def test_who_writes_to_the_mean_does_not_write_to_the_state():
    policy = policy_of()
    act = acting(policy)
    means, state = act(OBSERVATIONS, policy.initial_state(4))
    means.fill_(7)
    assert not (state.network[1] == 7).any()


def test_a_state_that_is_none_of_a_policy_is_refused_by_name():
    policy = policy_of()
    act, fit = acting(policy), policy.initial_state(4)
    hidden, y = fit.network
    for state, said in (
        (PolicyState(fit.encoder, None), "state.network is a NoneType: must be a pair"),
        (PolicyState(fit.encoder, "ab"), "state.network is a str: must be a pair"),
        (PolicyState(None, fit.network), "state is a NoneType: must be a HiddenState"),
        (
            PolicyState(fit.encoder, (hidden._replace(plastic=fit.encoder), y)),
            "state.plastic is a HiddenState: must be",
        ),
    ):
        for attempt in (lambda: act(OBSERVATIONS, state), lambda: policy.run(OBSERVATIONS[None], state)):
            with pytest.raises(TypeError, match=said):
                attempt()


# ---------------------------------------------------------------- sizes and shapes, as they were given


@pytest.mark.parametrize("name", ["rsnn", "gru", "dp-oja"])
def test_a_batch_that_no_tensor_holds_is_refused_by_name(name):
    policy = MemoryPolicy(name).build(5, 3, 0)
    with pytest.raises(ValueError, match=r"batch_size × n_hidden = 64000000000000: must be 2\*\*31 at most"):
        policy.initial_state(10**12)
    wide = MemoryPolicy(name, n_hidden=1).build(1, 2**20, 0)
    with pytest.raises(ValueError, match="batch_size × n_outputs"):
        wide.initial_state(2**20)


@pytest.mark.parametrize("name", ["mlp", "rsnn", "gru", "dp-oja"])
@pytest.mark.parametrize("shape", [(3, 4), (5,), (1, 3, 5)])
def test_observations_are_refused_with_the_shape_that_they_have(name, shape):
    policy = MemoryPolicy(name).build(5, 3, 0)
    with pytest.raises(ValueError) as refused:
        acting(policy)(torch.ones(shape), policy.initial_state(3))
    assert str(refused.value) == f"observations.shape = {shape}: must be (B, 5)"


class Silent(nn.Module):
    def forward(self, current, v):
        return None, v


class Forgetful(nn.Module):
    def forward(self, current, v):
        return current, None


@pytest.mark.parametrize("neuron, said", [(Silent(), "its spikes is a NoneType"), (Forgetful(), "its v is a NoneType")])
def test_a_neuron_that_returns_no_tensors_is_refused_by_name(neuron, said):
    with pytest.raises(TypeError, match=f"neuron = {type(neuron).__name__}: must return tensors .*{said}"):
        fire(torch.ones(2, 1, 3), torch.ones(1, 3), neuron)
    policy = policy_of()
    policy.network.neuron = neuron
    with pytest.raises(TypeError, match=said):
        acting(policy)(OBSERVATIONS, policy.initial_state(4))
