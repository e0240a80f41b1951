import torch
from torch.distributions import Independent, Normal, kl_divergence

from vae import DiagonalGaussian


def a_posterior(n: int = 50, d: int = 4) -> DiagonalGaussian:
    stream = torch.Generator().manual_seed(0)
    draw = torch.randn(2, n, d, dtype=torch.float64, generator=stream)
    return DiagonalGaussian(2 * draw[0], draw[1] - 1)


def as_torch(q: DiagonalGaussian) -> Independent:
    return Independent(Normal(q.mean, (0.5 * q.log_var).exp()), 1)


def test_kl_is_torchs():
    q = a_posterior()
    prior = Independent(Normal(torch.zeros_like(q.mean), torch.ones_like(q.mean)), 1)
    torch.testing.assert_close(q.kl_to_standard_normal(), kl_divergence(as_torch(q), prior))


def test_kl_of_the_prior_is_zero_and_its_gradient_too():
    mean, log_var = (torch.zeros(3, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    kl = DiagonalGaussian(mean, log_var).kl_to_standard_normal().sum()
    kl.backward()
    assert kl == 0
    assert mean.grad.abs().sum() == log_var.grad.abs().sum() == 0


def test_log_prob_is_torchs():
    q = a_posterior()
    codes = q.sample(torch.Generator().manual_seed(1))
    torch.testing.assert_close(q.log_prob(codes), as_torch(q).log_prob(codes))


def test_samples_have_the_posteriors_moments():
    q = DiagonalGaussian(torch.full((200_000, 1), 2.0), torch.full((200_000, 1), 1.0))
    codes = q.sample(torch.Generator().manual_seed(1)).double()
    variance = float(torch.tensor(1.0).exp())
    assert abs(codes.mean() - 2) < 5 * (variance / 200_000) ** 0.5  # 5 standard errors
    assert abs(codes.var() - variance) < 5 * variance * (2 / 200_000) ** 0.5


def test_the_kl_is_the_expected_log_ratio():
    q = DiagonalGaussian(torch.full((100_000, 2), 0.7).double(), torch.full((100_000, 2), -1.0).double())
    codes = q.sample(torch.Generator().manual_seed(1))
    prior = Independent(Normal(torch.zeros(2).double(), torch.ones(2).double()), 1)
    ratio = q.log_prob(codes) - prior.log_prob(codes)
    assert abs(ratio.mean() - q.kl_to_standard_normal()[0]) < 5 * ratio.std() / len(codes) ** 0.5
