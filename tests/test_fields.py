"""A configuration that gets a field after records were published is still found."""

import dataclasses
from dataclasses import dataclass, field

import pytest

from spikepropamine.experiments.catalogue import EXPERIMENTS
from spikepropamine.fields import added, plain, unsaid
from spikepropamine.records import config_hash, load_published
from spikepropamine.snn.networks import NetworkOptions


@dataclass(frozen=True)
class Before:
    rate: float = 1.0


@dataclass(frozen=True)
class After:
    rate: float = 1.0
    decay: float = added(0.0)
    more: dict[str, float] = added({})


@dataclass(frozen=True)
class Whole:
    part: After = field(default_factory=After)


def test_an_added_field_counts_only_where_it_says_something_new():
    assert config_hash(After()) == config_hash(Before()) == config_hash({"rate": 1.0})
    assert plain(Whole()) == {"part": {"rate": 1.0}}
    others = [After(2.0), After(decay=0.1), After(more={"eta": 1.0})]
    assert len({config_hash(one) for one in [After(), *others]}) == 4
    assert plain(Whole(others[2])) == {"part": {"rate": 1.0, "more": {"eta": 1.0}}}
    assert unsaid(Whole(others[2])) == {"part": {"decay": 0.0, "more": {}}}
    assert all(config_hash(plain(one)) == config_hash(one) for one in others)


def test_configurations_with_mappings_can_be_kept_in_sets_and_share_nothing():
    assert len({After(), After(), After(decay=1.0)}) == 2
    one, other = After(), After()
    one.more["eta"] = 1.0
    assert other.more == {}


def test_published_configurations_have_the_fields_that_options_had_before():
    later = {"rule", "learn_beta", "learn_threshold"}
    assert set(plain(NetworkOptions())) == {f.name for f in dataclasses.fields(NetworkOptions)} - later


def test_every_published_configuration_is_found_and_reproduced(repository):
    found = 0
    for folder in sorted(path.parent for path in (repository / "book" / "results").glob("*/runs.parquet")):
        published = load_published(folder).manifest
        configs = {config.hash: config for config in EXPERIMENTS[folder.name]().configs}
        for key, content in published["configurations"].items():
            assert key in configs, (folder.name, content)
            assert plain(configs[key]) == content and config_hash(content) == key
            found += 1
    assert found >= 547


@pytest.mark.parametrize("options", [dict(rule={"speed": 1.0}), dict(rule={"eta": -1.0}), dict(rule=3)])
def test_bad_arguments_of_rules_are_refused_by_name(options):
    from spikepropamine.snn.networks import build

    with pytest.raises(ValueError, match="(rule|argument of rule oja|eta) = .*must be"):
        build("dp-oja", 2, 2, 2, **options)
