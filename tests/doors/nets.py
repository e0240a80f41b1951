"""Other people's networks, each with a fault or a habit of its own; imported by name, from this folder."""

import torch
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d, relu


class Plain(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 8, 3, padding=1)
        self.fc = nn.Linear(128, classes)

    def features(self, x):
        return relu(self.conv1(x))

    def forward(self, x):
        return self.fc(adaptive_avg_pool2d(self.features(x), 4).flatten(1))


class View(Plain):
    def forward(self, x):
        x = adaptive_avg_pool2d(self.features(x), 4)
        return self.fc(x.view(x.size(0), -1))


class Half(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.net = Plain(channels, classes).bfloat16()
        self.conv1 = self.net.conv1

    def forward(self, x):
        return self.net(x.bfloat16()).float()


class NoNumbers(Plain):
    def forward(self, x):
        return super().forward(x) * float("nan")


class Batches(Plain):
    def __init__(self, channels, classes):
        super().__init__(channels, classes)
        self.normalise = nn.BatchNorm2d(8, track_running_stats=False)

    def features(self, x):
        return relu(self.normalise(self.conv1(x)))


class Segmentation(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, classes, 3, padding=1)

    def forward(self, x):
        return self.conv1(x)


class Pair(nn.Module):
    def forward(self, x):
        return x, 2 * x


class Tuples(Plain):
    def __init__(self, channels, classes):
        super().__init__(channels, classes)
        self.pair = Pair()

    def features(self, x):
        return self.pair(super().features(x))[0]


def made(kind):
    def factory(channels, classes):
        torch.manual_seed(0)
        return kind(channels, classes)

    return factory


plain, view, half, no_numbers = made(Plain), made(View), made(Half), made(NoNumbers)
batches, segmentation, tuples = made(Batches), made(Segmentation), made(Tuples)


def other_names(inputs, outputs):
    return Plain(inputs, outputs)


def raises(channels, classes):
    raise KeyError("depth")


def recurses(channels, classes):
    return recurses(channels, classes)
