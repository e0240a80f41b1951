"""A grid of all of them."""

from analysis import accuracy, mutual_info
from classifiers.train import Settings
from mixinfo_extras import confidence
from tasks import DataOptions
from vae.train import Settings as VaeSettings


def extras(scale):
    """Classifiers and VAEs of this package's networks, under its augmentation, on its data."""
    common = {"seeds": scale.seeds, "data": DataOptions("dots"), "execution": scale.execution}
    settings = Settings(network="tiny", policy="maybe-inverted", epochs=2)
    yield accuracy.Config(("none", "columns"), settings=settings, **common)
    yield confidence.Config(("none", "columns"), settings=settings, **common)
    yield mutual_info.Config(
        ("none", "fmix+columns"),
        bounds=("rate", "gaussian_marginal", "mean_upper"),
        settings=VaeSettings(network="flat", latents=4, epochs=2),
        **common,
    )
