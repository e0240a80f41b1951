"""The grids that take the paper's statements to a decision."""

from dataclasses import replace

from analysis import accuracy, mutual_info
from attacks import sweep
from experiments.paper import Scale
from experiments.run import Config, _at
from experiments.steps import steps_of
from results import decided
from training.until import Unasked


def test_the_grid_of_the_digits_has_two_regimes_of_everything(options):
    configs = list(decided.digits(Scale(execution=options)))
    asked = Config("results/decided.py:digits", until="decided", execution=options)
    added = [_at(one, asked, 8) for one in configs]
    # every layer, and the curve as published, are of one seed
    assert [int(one.seeds) for one, at in zip(configs, added, strict=True) if at is None] == [1, 1, 1, 1]
    assert all(at.until == "decided" and at.seeds == 8 for at in added if at is not None)
    places = {one.execution.out.relative_to(options.out).as_posix() for one in configs if type(one) is sweep.Config}
    assert places == {
        f"{name}/{kind}".rstrip("/") for name in ("small-data", "all-data") for kind in ("", "as-published")
    }
    trained = {(one.data.train_images, one.settings.epochs) for one in configs if type(one) is accuracy.Config}
    assert trained == {(300, 100), (None, None)}
    assert isinstance(configs[-1], mutual_info.Config)
    small = [replace(one, seeds=Unasked(1)) for one in configs if type(one) is accuracy.Config]
    assert sum(step.kind == "classifier" for step in steps_of(small)) == 2 * 5
