import math

import pytest
import torch

from analysis.bounds import Encoded, decompose, gap, gaussian_marginal, index_code, product, rate, sample_codes
from analysis.ground_truth import linear_gaussian
from vae.posterior import DiagonalGaussian


def test_the_parts_are_those_of_the_definition(monkeypatch):
    monkeypatch.setattr(product, "ROUNDING", 0.0)  # in double precision throughout
    q = linear_gaussian(40, 3, 2.0, 1, shift=0.4, correlation=0.3)
    codes = sample_codes(q)
    normal = torch.distributions.Normal(q.mean, (0.5 * q.log_var).exp())
    joint = torch.stack([normal.log_prob(code).sum(1).logsumexp(0) for code in codes]) - math.log(40)
    alone = torch.stack([normal.log_prob(code).logsumexp(0) for code in codes]) - math.log(40)
    found = decompose(Encoded(q, codes))
    prior = torch.distributions.Normal(0.0, 1.0)
    exact = torch.distributions.kl_divergence(normal, prior)
    assert found.rate == pytest.approx(float(exact.sum(1).mean()))
    assert found.index_code == pytest.approx(index_code(Encoded(q, codes)).value)
    # KL(q_N(z_d) ‖ p) with E log p in closed form
    expected_prior = -0.5 * (q.mean.square() + q.log_var.exp() + math.log(2 * math.pi))
    assert found.dimensions["kl"].tolist() == pytest.approx((alone - expected_prior).mean(0).tolist())
    assert found.dimensions["rate"].tolist() == pytest.approx(exact.mean(0).tolist())
    total = found.index_code + found.total_correlation + found.dimensions["kl"].sum()
    assert total == pytest.approx(found.rate, abs=1e-12)
    # TC by its own definition differs by the draw of log q(z|x), whose mean is known
    draw = float((normal.log_prob(codes) + 0.5 * (q.log_var + math.log(2 * math.pi) + 1)).sum(1).mean())
    assert found.total_correlation == pytest.approx(float((joint - alone.sum(1)).mean()) - draw)


def test_independent_and_correlated_codes():
    # total correlation of q(z): −½ log det of its correlations; at N = 4,000 in 4 dimensions within 0.1
    plain = decompose(linear_gaussian(4000, 4, 2.0, 1))
    assert abs(plain.total_correlation) < 0.1
    assert abs(plain.marginal_kl) < 0.1
    correlated = decompose(linear_gaussian(4000, 4, 2.0, 1, correlation=0.5))
    covariance = torch.full((4, 4), 0.5).double().fill_diagonal_(1.0)
    assert correlated.total_correlation == pytest.approx(-0.5 * float(torch.logdet(covariance)), abs=0.1)
    assert not correlated.saturated


def test_a_saturated_code_is_flagged_and_collapsed_units_are_counted():
    q = linear_gaussian(300, 4, 30.0, 1)
    padded = DiagonalGaussian(
        torch.cat([q.mean, torch.zeros(300, 2).double()], 1), torch.cat([q.log_var, torch.zeros(300, 2).double()], 1)
    )
    found = decompose(padded)
    assert found.saturated
    assert found.dimensions["active"].tolist() == [True] * 4 + [False] * 2
    assert found.dimensions["kl"][4:].tolist() == pytest.approx([0, 0], abs=0.15)
    assert "4 of 6 units active (I_N is saturated" in repr(found)
    rows = found.rows(seed=1)
    assert [row["estimator"] for row in rows] == ["marginal_kl", "total_correlation", "dimensionwise_kl"]
    assert {(row["direction"], row["saturated"], row["n"], row["seed"]) for row in rows} == {(None, True, 300, 1)}


def test_the_gap_is_a_lower_bound_on_the_divergence_from_the_prior():
    # 20 replicates, 4.5 standard errors of their mean
    q = [linear_gaussian(500, 8, 4.0, seed, shift=0.5) for seed in range(20)]
    found = [gap(rate(each), gaussian_marginal(each)) for each in q]
    values = torch.tensor([each.value for each in found])
    truth = 0.5 * 8 * 0.25
    assert values.mean() < truth + 4.5 * values.std() / math.sqrt(20)
    assert values.mean() > truth - 0.2  # a Gaussian q(z): nearly tight
    # paired: far smaller than the errors of its two terms; 20 replicates know the spread to 16%
    reported = sum(each.standard_error for each in found) / 20
    assert 0.5 < reported / values.std() < 1.9
    assert reported < 0.7 * rate(q[0]).standard_error
    assert {(each.direction, each.quantity) for each in found} == {("lower", "KL(q(z)‖p(z))")}
