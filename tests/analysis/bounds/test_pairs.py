import math

import pytest
import torch
from torch.distributions import Independent, Normal

from analysis import bounds
from analysis.bounds import Encoded, sample_codes
from analysis.bounds import pairs as module
from analysis.bounds.pairs import all_pairs
from analysis.ground_truth import heteroscedastic, linear_gaussian
from vae.posterior import DiagonalGaussian


def slow(posterior: DiagonalGaussian, codes: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The definition: torch's log-densities, a loop over what is left out."""
    normal = Independent(Normal(posterior.mean, (0.5 * posterior.log_var).exp()), 1)
    logs = torch.stack([normal.log_prob(code) for code in codes])  # (i, j): log q(z_i|x_j)
    n = len(codes)
    own = logs.diagonal().clone()
    hidden = logs.masked_fill(torch.eye(n, dtype=torch.bool), -math.inf)
    others, everyone = hidden.logsumexp(1), logs.logsumexp(1)
    infonce, leave_one_out = torch.zeros(n).double(), torch.zeros(n).double()
    for k in range(n):
        rest = torch.arange(n) != k
        infonce[k] = (logs[rest][:, rest].logsumexp(1) - everyone[rest]).sum()
        leave_one_out[k] = (hidden[rest][:, rest].logsumexp(1) - others[rest]).sum()
    return own, others, infonce, leave_one_out


def duplicates() -> DiagonalGaussian:
    q = linear_gaussian(40, 3, 4.0, 0)
    return DiagonalGaussian(q.mean.repeat(2, 1), q.log_var.repeat(2, 1))


def narrow_twin() -> DiagonalGaussian:
    """Every image has a twin with the same mean and a far smaller variance, denser at its codes than its own."""
    q = linear_gaussian(40, 3, 2.0, 0)
    return DiagonalGaussian(q.mean.repeat(2, 1), torch.cat([q.log_var, q.log_var - 8]))


ENCODERS = {
    "linear-Gaussian, 3 nats": lambda: linear_gaussian(150, 8, 3.0, 0),
    "linear-Gaussian, 70 nats": lambda: linear_gaussian(120, 64, 70.0, 0),
    "heteroscedastic": lambda: heteroscedastic(130, 5, 0),
    "nothing": lambda: DiagonalGaussian(torch.zeros(100, 4).double(), torch.zeros(100, 4).double()),
    "duplicates": duplicates,
    "narrow twins": narrow_twin,
    "three images": lambda: linear_gaussian(3, 2, 1.0, 0),
    "far from the origin": lambda: linear_gaussian(90, 4, 6.0, 0, shift=1e3),
}


@pytest.mark.parametrize("block", [10**6, 300])
@pytest.mark.parametrize("name", ENCODERS)
def test_the_pass_is_the_definition(name, block, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", block)
    posterior = ENCODERS[name]()
    codes = sample_codes(posterior)
    found = all_pairs(posterior, codes)
    own, others, infonce, leave_one_out = slow(posterior, codes)
    torch.testing.assert_close(found.matching, own, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found.others, others, rtol=1e-9, atol=1e-9)
    # log(1 − p) is −p below p = 0.01: relative error under 0.005
    torch.testing.assert_close(found.infonce_without, infonce, rtol=5e-3, atol=1e-8)
    torch.testing.assert_close(found.leave_one_out_without, leave_one_out, rtol=5e-3, atol=1e-8)


def test_tiny_variances_far_out_go_by_differences():
    # a mean of 1,000 in units of a standard deviation of 1e-7: the expanded square would lose every digit
    q = linear_gaussian(60, 2, 3.0, 0)
    far = DiagonalGaussian(
        1e-7 * q.mean + torch.linspace(-1e3, 1e3, 60).double()[:, None], q.log_var - 14 * math.log(10)
    )
    codes = sample_codes(far)
    found = all_pairs(far, codes)
    own, others, *_ = slow(far, codes)
    torch.testing.assert_close(found.matching, own, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found.others, others, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("distance", [10.0, 1e3])
@pytest.mark.parametrize("dense", [False, True])
def test_densities_beyond_floating_point_stay_finite(distance, dense):
    # codes ten or a thousand standard deviations apart in 64 dimensions: others at −10⁴ or −10⁸ nats; or the posterior
    # of a twin denser than the own one by more than e⁷⁰⁰
    mean = distance * torch.arange(50).double()[:, None].expand(-1, 64)
    log_var = torch.zeros(50, 64).double()
    if dense:
        mean, log_var = mean.repeat(2, 1), torch.cat([log_var, log_var - 30])
    posterior = DiagonalGaussian(mean.contiguous(), log_var)
    codes = sample_codes(posterior)
    found = all_pairs(posterior, codes)
    _, others, *_ = slow(posterior, codes)
    torch.testing.assert_close(found.others, others, rtol=1e-9, atol=1e-6)
    for values in (found.infonce_without, found.leave_one_out_without):
        assert torch.isfinite(values).all()
    encoded = Encoded(posterior, codes)
    for bound in (bounds.infonce(encoded), bounds.leave_one_out(encoded)):
        assert math.isfinite(bound.value)
        assert math.isfinite(bound.standard_error)
