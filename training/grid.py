"""Networks of several augmentations and seeds, trained or found trained: what analyses compare."""

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, ClassVar, Literal, NamedTuple, Self

from store import MOST_SEEDS, BadInput, Run, positive, slug
from store.command_line import Options
from store.registry import known_as
from tasks import DataOptions, Task
from training.plan import Plan, plan_of, where
from training.reuse import all_once
from training.until import Unasked, check_until

__all__ = ["Grid", "Trainer", "Which", "different"]

Which = tuple[str, int]
"""Augmentation and seed."""


class Trainer(NamedTuple):
    """What trains one kind of network.

    Args:
        what: one of them is called.
        run_of: of a task, an augmentation, a seed, settings and execution options: the run, trained or not.
        train: of the same: trains it, or finds it trained.
        summary: of a run's record, in a few words.
    """

    what: str
    run_of: Callable[[Task, str, int, Any, Options], Run]
    train: Callable[[Task, str, int, Any, Options], Run]
    summary: Callable[[dict[str, Any]], str]


def different(option: str, names: tuple[str, ...]) -> None:
    """Refuse no name, or one that is there twice.

    Raises:
        BadInput: blaming ``option``.
    """
    if not names or len({slug(known_as(name)) for name in names}) != len(names):
        raise BadInput(option, " ".join(names) or "nothing", "one or more different names")


@dataclass(frozen=True)
class Grid:
    """The configuration of an analysis of networks, of every augmentation as many: analyses' own are subclasses."""

    augmentations: tuple[str, ...] = ("none", "mixup", "cutmix", "fmix")
    """none, mixup, cutmix, fmix, fmix-reference, package.module:NAME, FILE.py:NAME, or hybrids such as fmix+mixup"""
    seeds: int = Unasked(3)
    """how many networks per augmentation: seeds 1 to SEEDS"""
    _: KW_ONLY  # an analysis's own options come before the rest
    until: Literal["decided"] | None = None
    """decided: instead of --seeds, compare 3, 5, 8, 12 and 20 seeds until every pair of augmentations is told apart, is
    equal within the margin, or would hardly be decided by more"""
    most: Literal[3, 5, 8, 12, 20] = 20
    """with --until decided, the last number of seeds"""
    margin: float | None = None
    """a difference within it counts as none, in units of what is compared (None: the margin stated for it, if any)"""
    smoke: bool = False
    """one seed, two epochs, watermarked: shows that everything works, and nothing else"""
    data: DataOptions = field(default_factory=DataOptions)
    settings: Any = None
    execution: Options = field(default_factory=Options)

    first_seed = 1  # no field: only analyses whose documents are joined have the option
    trainer: ClassVar[Trainer]

    def __post_init__(self) -> None:
        positive("--seeds", self.seeds, MOST_SEEDS)
        positive("--first-seed", self.first_seed)
        self._check_until()
        different("--augmentations", self.augmentations)
        for augmentation in self.augmentations:
            self.settings.mixer(augmentation, "--augmentations")

    def _check_until(self) -> None:
        """Refuse what does not go together with adding seeds, or without."""
        if self.margin is not None and not 0 < self.margin < math.inf:
            raise BadInput("--margin", self.margin, "a number above 0")
        check_until(self)
        if self.until is None:
            return
        if self.first_seed != 1:
            raise BadInput("--first-seed", f"{self.first_seed} beside --until decided", "1: looks begin there")
        if self.execution.force:
            raise BadInput("--force", "beside --until decided", "another --store: a look goes on from the one before")
        if len(self.augmentations) < 2:
            raise BadInput("--until", f"decided, of {' '.join(self.augmentations)} alone", "several --augmentations")

    def smoked(self) -> Self:
        """The configuration as it is done: with ``--smoke``, one seed and two epochs."""
        return replace(self, seeds=1, settings=replace(self.settings, epochs=2)) if self.smoke else self

    def networks(self) -> list[Which]:
        """Augmentation and seed of every network, a seed's augmentations together."""
        seeds = range(self.first_seed, self.first_seed + self.seeds)
        return [(augmentation, seed) for seed in seeds for augmentation in self.augmentations]

    def run_of(self, task: Task, network: Which) -> Run:
        """The run directory of one network, trained or not."""
        return self.trainer.run_of(task, *network, self.settings, self.execution)

    def say(self, task: Task) -> None:
        """Say what would be trained and what would be reused (``--dry-run``)."""
        for network in self.networks():
            run = self.run_of(task, network)
            self.execution.say(f"{run.status:<8} {run.path}")
        plan = self.plan(task)
        self.execution.say(f"{plan.networks - plan.missing} {self.trainer.what}s to reuse, {plan.missing} to train")
        if plan.missing:
            self.execution.say(where(self.execution))
            self.execution.say(plan.time())
        if self.until is not None:
            self.execution.say(f"that is with {self.seeds} seeds, the first look; with up to {self.most} until decided")

    def plan(self, task: Task) -> Plan:
        """How many networks there are and how many are to be trained, and for how long."""
        runs = [self.run_of(task, network) for network in self.networks()]
        return plan_of(self.trainer.what, runs[0].kind, task.name, runs, len(task.train), self.execution)

    def train(self, task: Task) -> tuple[dict[Which, Run], list[str]]:
        """Train what is missing: the finished runs, and why others failed."""
        return all_once(
            self.networks(),
            lambda network: self.run_of(task, network),
            lambda network: self.trainer.train(task, *network, self.settings, self.execution),
            self.execution,
            self.trainer.summary,
        )
