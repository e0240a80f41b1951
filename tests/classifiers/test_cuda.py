"""What is promised of training on a CUDA device."""

import warnings
from dataclasses import replace

import pytest
import torch

from classifiers.train import Settings, train
from tasks import Task, image_task

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def noise_images(count: int) -> Task:
    stream = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 3, 32, 32), generator=stream, dtype=torch.uint8)
    labels = torch.arange(count) % 10
    return image_task("noise", (images, labels), (images[:64], labels[:64]))


@pytest.mark.parametrize("augmentation", ["none", "fmix", "fmix-reference", "fmix+mixup", "fmix+cutmix"])
def test_a_step_does_not_wait_for_the_device(options, augmentation):
    data, settings = noise_images(200 * 16), Settings(width=8, batch_size=16, epochs=1, compile=False)
    options = replace(options, device="cuda")
    train(data, augmentation, 2, settings, options)  # loads kernels and builds filters
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            train(data, augmentation, 1, settings, options)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    waits = [each for each in caught if "synchroniz" in str(each.message)]
    # 200 steps: the loss is read every 50, the rest is the beginning and the end of the run
    assert len(waits) < 100, len(waits)


def test_half_precision_and_compilation_learn(options):
    data = noise_images(512)
    metrics = train(data, "none", 1, Settings(width=16, epochs=30, crop=0, flip=False), replace(options, device="cuda"))
    assert metrics.result()["config"]["precision"] == "bf16"
    assert metrics.result()["metrics"]["last_epoch"]["loss"] < 1.5  # 512 images of noise are learnt by heart
