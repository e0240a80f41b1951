"""Small tasks of sound and of volumes, whose classes are known: ``--data tests.made:TONES``."""

import math

import torch

from tasks.task import InMemory, Sound, Task, Volume


def tones(count: int, seed: int, length: int = 4096, rate: int = 16_000) -> InMemory:
    """Decaying tones, low, middle or high, from somewhere in the first third of a clip."""
    stream = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    pitch = 300 * 2.5**labels * (1 + 0.2 * torch.rand(count, generator=stream))
    time, onset = torch.arange(length) / rate, torch.rand(count, 1, generator=stream) * length / rate / 3
    wave = torch.sin(2 * math.pi * pitch[:, None] * time) * torch.exp(-6 * (time - onset).clamp(min=0)) * (time > onset)
    wave = 0.5 * wave + 0.01 * torch.randn(count, length, generator=stream)
    return InMemory((wave.clamp(-1, 1) * 32_767).short(), labels)


def solids(count: int, seed: int, side: int) -> InMemory:
    """A ball or a box, of some size and somewhere in the middle."""
    stream = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    axis = torch.arange(side)
    grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"))
    centre = side * (0.35 + 0.3 * torch.rand(count, 3, 1, 1, 1, generator=stream))
    size = side * (0.15 + 0.15 * torch.rand(count, 3, 1, 1, 1, generator=stream))
    away = (grid - centre).abs()
    ball, box = (away / size[:, :1]).square().sum(1) < 1, (away < size).all(1)
    inside = torch.where(labels.view(-1, 1, 1, 1) == 0, ball, box)
    return InMemory(inside[:, None].byte() * 255, labels)


TONES = Task("tones", tones(120, 1), {"test": tones(60, 2)}, Sound(4096), 3)

SOLIDS = Task("solids", solids(240, 1, 8), {"test": solids(100, 2, 8)}, Volume(1, 8, 8, 8), 2)
