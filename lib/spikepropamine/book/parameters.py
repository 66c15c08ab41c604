"""The parameters that every experiment chapter takes, and what each of them may be."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch

from ..checks import require, require_choice, require_count
from ..experiments.changes import Changes, parse
from ..experiments.choices import (
    PROFILES,
    PUBLISHED_MEMORIES,
    PUBLISHED_NETWORKS,
    PUBLISHED_POLICIES,
    check_networks,
    check_workers,
)
from ..snn.networks import NETWORKS
from ..walking.memory_policies import MEMORIES
from ..walking.policies import POLICIES


def chosen_devices() -> tuple[str, ...]:
    """The devices a run may take on this machine."""
    return ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)


def _parameter(default: object, meaning: str, allowed: str):
    return field(default=default, metadata={"meaning": meaning, "allowed": allowed})


@dataclass(frozen=True)
class ChapterParameters:
    """The parameters that every experiment chapter takes, checked.

    Raises:
        ValueError: naming the parameter, its value and what is allowed.
    """

    profile: str = _parameter("paper", "how much: seconds, minutes, or what is published", "`smoke`, `quick`, `paper`")
    recompute: bool = _parameter(False, "train or measure here and now, whatever is published", "`true`, `false`")
    seeds: int | None = _parameter(
        None, "how many seeds, from 0 up; left out, the profile's own number", "whole numbers from 1"
    )
    networks: str | tuple[str, ...] = _parameter(
        "all", "which networks; `all` are those of the published book", "`all`, or names separated by commas: {known}"
    )
    workers: int | str = _parameter(
        1,
        "runs at a time, or where a Dask scheduler listens",
        "whole numbers from 1, or an address such as `tcp://10.0.0.1:8786`",
    )
    device: str = _parameter("cpu", "where networks are trained", "`cpu`, or `cuda` where there is one")
    change: str | Mapping[str, Any] | None = _parameter(
        "",
        "fields of the task, the network or the training that are to differ, for a question of your own",
        "`path=value` pairs separated by commas, such as `task.delay_ms=2000, network.n_hidden=96`, or a mapping in a YAML "
        "file given by `-f`",
    )
    known: ClassVar[tuple[str, ...]] = tuple(NETWORKS)  # the networks to choose from
    usual: ClassVar[tuple[str, ...]] = PUBLISHED_NETWORKS  # what "all" means: those of the published book

    def __post_init__(self):
        require_choice("profile", self.profile, PROFILES)
        require(isinstance(self.recompute, bool), "recompute", self.recompute, "true or false")
        if self.seeds is not None:
            require_count("seeds", self.seeds)
        self.network_names()
        check_workers(self.workers)
        require_choice("device", self.device, chosen_devices())
        self.changes()

    def network_names(self) -> list[str]:
        """The names in the order of the book."""
        if self.networks == "all":
            return list(self.usual)
        given = [name.strip() for name in self.networks.split(",")] if isinstance(self.networks, str) else self.networks
        require(isinstance(given, (list, tuple)), "networks", given, "'all', or names separated by commas")
        return check_networks(given, self.known)

    def changes(self) -> Changes:
        """What is to change, by the field's path."""
        return parse(self.change)

    @classmethod
    def described(cls) -> list[tuple[str, object, str, str]]:
        """Name, default, meaning and what is allowed of each parameter."""
        known = ", ".join(f"`{name}`" for name in cls.known)
        return [
            (f.name, f.default, f.metadata["meaning"], f.metadata["allowed"].format(known=known))
            for f in dataclasses.fields(cls)
        ]

    @property
    def as_published(self) -> bool:
        """Whether these are the parameters of the published book."""
        return self == type(self)(workers=self.workers)


@dataclass(frozen=True)
class WalkingParameters(ChapterParameters):
    """The parameters of a chapter about walking, where the ordinary policy is a choice too."""

    known: ClassVar[tuple[str, ...]] = POLICIES
    usual: ClassVar[tuple[str, ...]] = PUBLISHED_POLICIES


@dataclass(frozen=True)
class MemoryParameters(ChapterParameters):
    """The parameters of the chapter on adaptation, where policies with another kind of memory are a choice too."""

    known: ClassVar[tuple[str, ...]] = MEMORIES
    usual: ClassVar[tuple[str, ...]] = PUBLISHED_MEMORIES
