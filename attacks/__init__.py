"""How robust classifiers are: Foolbox's attacks over perturbation sizes, and checks of what they say.

The sweep is a module, with `Config` and `run`: ``from attacks import sweep``.

Example:
    >>> import tempfile
    >>> import torch
    >>> from attacks import sweep
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> images, labels = (digits.images[:50] * 15).astype("uint8"), digits.target[:50]
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))  # from images in [0, 1] to logits
    >>> with tempfile.TemporaryDirectory() as out:
    ...     swept = sweep.run(network, images, labels, attacks=["fgsm"], epsilons=[0, 0.1], out=out, quiet=True)
    >>> fgsm = swept.table.query("curve == 'robust' and estimator == 'fgsm'").set_index("epsilon")["value"]
    >>> bool(fgsm[0.1] <= fgsm[0.0])  # accuracies in per cent
    True
"""

import os
import sys

# `python -m` looks into the working directory first, where a training.py is somebody else's. It comes last instead,
# and on PYTHONPATH it stays where it is.
if (
    sys.argv[0] == "-m"
    and os.path.exists(sys.path[0])
    and os.path.samefile(sys.path[0], ".")
    and os.path.realpath(sys.path[0]) != os.path.realpath(sys.path[-1])
):
    sys.path.append(sys.path.pop(0))
