"""The two-line uses: a batch transform and a collate function."""

import pickle

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset
from torchvision.transforms import v2

from msda import MIXERS, FMix, MixCollate, MixTransform, MixUp, get_mixer

IMAGES = torch.rand(12, 3, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(12) % 4


@pytest.mark.parametrize("name", [*MIXERS, "fmix+mixup"])
def test_transform_mixes_images_and_labels_alike(name):
    torch.manual_seed(3)
    images, labels = MixTransform(get_mixer(name), 4)(IMAGES, LABELS)
    torch.manual_seed(3)
    mixed = get_mixer(name)(IMAGES)
    assert torch.equal(images, mixed.images)
    assert torch.equal(labels, mixed.soft_targets(LABELS, 4))
    torch.testing.assert_close(labels.sum(1), torch.ones(12))


def test_transform_fits_into_a_pipeline():
    pipeline = v2.Compose([v2.ToDtype(torch.float32, scale=True), MixTransform(FMix(), 4)])
    images, labels = pipeline((IMAGES * 255).to(torch.uint8), LABELS)
    assert images.shape == IMAGES.shape
    assert labels.shape == (12, 4)
    images, labels = MixTransform(FMix(), 4)((IMAGES, LABELS))
    assert labels.shape == (12, 4)


def test_transform_takes_rows():
    rows = torch.nn.functional.one_hot(LABELS, 4).float()
    _, labels = MixTransform(MixUp())(IMAGES, rows)
    assert labels.shape == (12, 4)


@pytest.mark.parametrize("workers", [0, 2])
def test_collate_in_a_loader(workers):
    loader = DataLoader(
        TensorDataset(IMAGES, LABELS),
        batch_size=4,
        num_workers=workers,
        collate_fn=MixCollate(FMix(), 4),
        drop_last=True,
    )
    runs = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        runs.append(list(loader))
    for images, labels in runs[0]:
        assert images.shape == (4, 3, 8, 8)
        assert labels.shape == (4, 4)
        torch.testing.assert_close(labels.sum(1), torch.ones(4))
    # seeded by the loader: the same seed repeats an epoch, another does not
    assert all(torch.equal(a[0], b[0]) for a, b in zip(runs[0], runs[1], strict=True))
    assert not all(torch.equal(a[0], b[0]) for a, b in zip(runs[0], runs[2], strict=True))


def test_both_can_be_pickled_and_named():
    for adapter in (MixTransform(FMix(), 4), MixCollate(FMix(), 4)):
        copy = pickle.loads(pickle.dumps(adapter))
        assert "decay_power=3.0" in repr(copy)
        assert "num_classes=4" in repr(copy)


def test_bad_use_is_refused():
    with pytest.raises(TypeError, match="NoneType"):
        MixTransform(FMix(), 4)(IMAGES)
    with pytest.raises(TypeError, match="list"):
        MixTransform(FMix(), 4)(IMAGES, [0, 1])
    with pytest.raises(ValueError, match="num_classes"):
        MixTransform(FMix())(IMAGES, LABELS)
    with pytest.raises(ValueError, match="pairs"):
        MixCollate(FMix(), 4)([(IMAGES[0], 0, 1), (IMAGES[1], 1, 1)])
    with pytest.raises(ValueError, match="batch of 1"):
        MixCollate(FMix(), 4)([(IMAGES[0], 0)])
