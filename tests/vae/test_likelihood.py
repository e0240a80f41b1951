"""p(x|z) against torch's distributions, and where the decoder's output starts."""

import math

import torch
from torch.distributions import Normal
from torch.nn import functional as F

from vae.likelihood import Bernoulli, Gaussian
from vae.linear import fit_linear

MEAN, STD = torch.tensor([0.3, 0.1]).view(1, 2, 1, 1, 1), torch.tensor([0.4, 0.2]).view(1, 2, 1, 1, 1)


def a_batch(grey: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    """Values in [0, 1] of 2×3×4×5, and a decoder's output."""
    stream = torch.Generator().manual_seed(0)
    values = torch.rand(6, 2, 3, 4, 5, generator=stream)
    return values if grey else values.round(), torch.randn(6, 2, 3, 4, 5, generator=stream)


def test_gaussian_distortion_and_constant_are_the_log_density():
    items, output = a_batch()
    likelihood = Gaussian(0.3)
    squares, losses = likelihood.errors(items, output)
    expected = -Normal(output, 0.3).log_prob(items).flatten(1).sum(1)
    torch.testing.assert_close(likelihood.nats(losses) + likelihood.constant(120), expected)
    torch.testing.assert_close(squares, (items - output).square().sum((1, 2, 3, 4)))
    assert likelihood.mean(output) is output


def test_bernoulli_distortion_is_the_log_probability_of_black_and_white():
    values, output = a_batch(grey=False)
    likelihood = Bernoulli(MEAN, STD)
    _, losses = likelihood.errors((values - MEAN) / STD, output)
    odds = 8 * (MEAN + STD * output - 0.5)
    expected = -torch.distributions.Bernoulli(logits=odds).log_prob(values).flatten(1).sum(1)
    torch.testing.assert_close(likelihood.nats(losses), expected, rtol=1e-4, atol=1e-4)
    assert likelihood.constant(120) == 0


def test_grey_values_cost_their_entropy_at_least():
    values, output = a_batch()
    likelihood = Bernoulli(MEAN.double(), STD.double())
    values, items = values.double(), ((values - MEAN) / STD).double()
    floor = -(torch.xlogy(values, values) + torch.xlogy(1 - values, 1 - values)).flatten(1).sum(1)
    assert (likelihood.errors(items, output.double(), torch.float64)[1] > floor).all()
    best = (values.logit() / 8 + 0.5 - MEAN) / STD
    squares, losses = likelihood.errors(items, best, torch.float64)
    torch.testing.assert_close(losses, floor)
    torch.testing.assert_close(squares, torch.zeros_like(squares), atol=1e-8, rtol=0)


def test_the_mean_is_the_probability_in_units_of_normalised_items():
    values, output = a_batch()
    likelihood = Bernoulli(MEAN, STD)
    probability = torch.sigmoid(8 * (MEAN + STD * output - 0.5))
    torch.testing.assert_close(likelihood.mean(output) * STD + MEAN, probability)
    items = (values - MEAN) / STD
    by_hand = (likelihood.mean(output) - items).square().flatten(1).sum(1)
    torch.testing.assert_close(likelihood.errors(items, output)[0], by_hand, rtol=1e-4, atol=1e-4)


def test_a_linear_vae_under_bernoulli_is_scored_on_one_fixed_code_each():
    stream = torch.Generator().manual_seed(0)
    values = (torch.rand(300, 1, 4, 4, generator=stream).cumsum(-1) > 1).float()
    mean, std = values.mean(), values.std()
    items = (values - mean) / std
    gaussian = fit_linear([items], 5, 1.0)
    likelihood = Bernoulli(mean.view(1, 1, 1, 1), std.view(1, 1, 1, 1))
    linear = type(gaussian)(gaussian.centre, gaussian.axes, gaussian.eigenvalues, 1.0, gaussian.shape, likelihood)
    posterior = linear.encode(items)
    torch.testing.assert_close(posterior.mean, gaussian.encode(items).mean)
    picture = linear.decode(posterior.sample(torch.Generator().manual_seed(0)))
    log_odds = 8 * (picture * std + mean - 0.5)
    expected = F.binary_cross_entropy_with_logits(log_odds, values.double(), reduction="none").flatten(1).sum(1)
    torch.testing.assert_close(linear.negative_elbo(items), expected + posterior.kl_to_standard_normal())
    squares = ((log_odds.sigmoid() - values) / std).square().flatten(1).sum(1)
    torch.testing.assert_close(linear.squared_error(items), squares)
    assert torch.equal(linear.negative_elbo(items), linear.negative_elbo(items))
    # below what one probability for all values costs
    share = float(mean)
    entropy = -16 * (share * math.log(share) + (1 - share) * math.log(1 - share))
    assert float(linear.negative_elbo(items).mean()) < entropy
