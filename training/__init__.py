"""What a network sees in training, and the training loop that VAEs and classifiers share.

Example:
    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> from sklearn.datasets import load_digits
    >>> from store import Run
    >>> from training import fit, random_crop
    >>> digits = load_digits()
    >>> images, labels = torch.tensor(digits.images[:, None] / 16).float(), torch.tensor(digits.target)
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    >>> def losses(indices, stream, step):  # of a batch; all that is random comes from the stream
    ...     logits = network(random_crop(images[indices], 1, stream))
    ...     return {"loss": torch.nn.functional.cross_entropy(logits, labels[indices])}
    >>> with tempfile.TemporaryDirectory() as store:
    ...     run = Run(Path(store), "example", "linear on digits", {"seed": 1})
    ...     run.begin()
    ...     trained = fit(
    ...         run, network, torch.optim.SGD(network.parameters(), lr=0.1), losses, images=len(images), batch_size=64,
    ...         epochs=2, seed=1, learning_rate=lambda step: 0.1, device=torch.device("cpu"),
    ...     )
    >>> trained["loss"] < 2.3  # less than log 10, the loss of a network that has learnt nothing
    True
"""

from training.devices import resolve_device, use_threads
from training.loop import Diverged, Interrupted, fit
from training.seeds import generator
from training.views import Pipeline, colour_jitter, random_crop, random_flip

__all__ = [
    "Diverged",
    "Interrupted",
    "Pipeline",
    "colour_jitter",
    "fit",
    "generator",
    "random_crop",
    "random_flip",
    "resolve_device",
    "use_threads",
]
