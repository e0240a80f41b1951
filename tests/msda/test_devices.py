"""Compilation, and the promise not to wait for a CUDA device."""

import pytest
import torch

from msda import MIXERS, get_mixer

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def check(mixed, images):
    weight = mixed.weight.view(-1, *[1] * (images.ndim - 1))
    mask = weight if mixed.mask is None else mixed.mask
    torch.testing.assert_close(mixed.images, mask * images + (1 - mask) * images[mixed.partner])
    if mixed.mask is not None:
        torch.testing.assert_close(mask.flatten(1).mean(1), mixed.weight)


def compile_and_check(name, backend, device="cpu", **options):
    torch._dynamo.reset()
    images = torch.rand(4, 3, 8, 8, device=device)
    compiled = torch.compile(get_mixer(name, **options), fullgraph=True, backend=backend)
    one, other = compiled(images), compiled(images)
    check(one, images)
    assert name == "none" or not torch.equal(one.images, other.images)
    if name.startswith("fmix"):
        assert set(one.mask.unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("name", MIXERS)
@pytest.mark.parametrize(
    "options", [{}, {"scope": "batch", "alpha": 2}, {"alpha": 0.2}, {"salience_std": 0.2}], ids=str
)
def test_compiles_to_one_graph(name, options):
    compile_and_check(name, "aot_eager", **options)


@pytest.mark.endurance
@pytest.mark.parametrize("name", MIXERS)
def test_compiles_with_the_default_backend(name):
    compile_and_check(name, "inductor")


@needs_cuda
@pytest.mark.parametrize("name", MIXERS)
@pytest.mark.parametrize("options", [{}, {"scope": "batch"}, {"salience_std": 0.2}, {"max_soft": 0.2}], ids=str)
def test_cuda_is_not_waited_for(name, options):
    images = torch.rand(16, 3, 32, 32, device="cuda")
    targets = torch.randint(10, (16,), device="cuda")
    logits = torch.randn(16, 10, device="cuda")
    generator = torch.Generator("cuda").manual_seed(0)
    mixer = get_mixer(name, **options)
    # the first call builds filters on the host and loads kernels
    mixer(images, generator=generator)
    try:
        torch.cuda.set_sync_debug_mode("error")
        mixed = mixer(images, generator=generator)
        mixed.cross_entropy(logits, targets)
        mixed.soft_targets(targets, 10)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    check(mixed, images)


@needs_cuda
@pytest.mark.parametrize("name", MIXERS)
@pytest.mark.parametrize("shape", [(5, 2, 9), (5, 2, 8, 12), (4, 1, 5, 6, 7)])
def test_cuda_identities(name, shape):
    images = torch.rand(*shape, device="cuda")
    generator = torch.Generator("cuda")
    one = get_mixer(name)(images, generator=generator.manual_seed(1))
    again = get_mixer(name)(images, generator=generator.manual_seed(1))
    check(one, images)
    assert torch.equal(one.images, again.images)
    with pytest.raises(ValueError, match="generator on cpu"):
        get_mixer(name)(images, generator=torch.Generator())
