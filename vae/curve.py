"""How a VAE's −ELBO falls in training, on images, or other items, that it is not trained on.

At a handful of steps the −ELBO, rate and squared error are taken of inputs like its own: held-out images, jittered,
flipped and mixed once as in training, always the same, with the same noise of the codes. A VAE is *trained* when its
−ELBO fell by less than `FLAT` nats over the last fifth of its steps. Where the learning rate falls to nothing at the
end every curve is flat there, and only a run of twice the length tells whether it would have gone on.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor

from training import generator
from vae.encode import encode, errors
from vae.nets import VAE

__all__ = ["FLAT", "POINT", "WATCHED", "last_fall", "negative_elbo", "steps_to_watch"]

FLAT = 1.0
"""Nats an item by which −ELBO may fall over the last fifth of the steps of a network that counts as trained."""

WATCHED = 2000
"""Held-out images; differences between two steps are paired over them."""

SHARES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Shares of the steps, after which the images are scored."""

POINT = ("step", "negative_elbo", "rate", "mse")
"""What every point of a learning curve has."""


def steps_to_watch(steps: int) -> list[int]:
    """After how many of ``steps`` steps the held-out images are scored."""
    return sorted({round(share * steps) for share in SHARES})


def negative_elbo(vae: VAE, inputs: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """−ELBO in nats without the constant in σ, rate in nats, and mean squared error of every input, (N,) float64 each.

    Of one sampled code each, with the same noise for a seed.

    Args:
        vae: in evaluation mode.
        inputs: (N, C, …), normalised.
        seed: of the codes' noise.
    """
    rate = encode(vae, inputs).kl_to_standard_normal().cpu()
    squares, distortion = errors(vae, inputs, generator(inputs.device, seed, "reconstruction"))
    return distortion + rate, rate, squares / inputs[0].numel()


def last_fall(curve: Sequence[Mapping[str, float]]) -> float | None:
    """Nats by which −ELBO fell over the last fifth of the steps; negative where it rose, None where it was not seen.

    Args:
        curve: ``step`` and ``negative_elbo`` of the points, in order.
    """
    points = {round(point["step"]): point["negative_elbo"] for point in curve}
    if not points:
        return None
    last = max(points)
    before = points.get(round(0.8 * last))
    return None if before is None or last == 0 else before - points[last]
