"""A linear model of words: what networks of texts are held against, as VAEs are against the linear one.

A logistic regression on the frequencies of a text's words, each weighed by how rare it is (tf–idf), by scikit-learn
with its default settings (`TfidfVectorizer`, `LogisticRegression`): the words of the training texts in lower case, two
letters at least, in no order; an L2 penalty of 1. Nothing is tuned and nothing drawn, so that it has no seeds.
"""

import torch
from torch import Tensor

from tasks import Task

__all__ = ["linear_logits"]


def linear_logits(task: Task) -> Tensor | None:
    """Logits (N, K), float64, of the scored texts of a task, by a linear model of the words of its training texts.

    Soft rows count for their largest class. A class without a training text has the lowest logit of all.

    Args:
        task: of texts as they are written.

    Returns:
        None where the training texts have no word of two letters, or show one class alone.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = TfidfVectorizer()
    try:
        train = words.fit_transform(task.train.inputs)
    except ValueError:  # no word
        return None
    scored, targets = words.transform(task.test.inputs), task.train.targets
    logits = torch.zeros(len(task.test), task.classes, dtype=torch.float64)

    def fitted(labels: Tensor) -> tuple[Tensor, Tensor]:
        """The classes that there are, and what the model says of the scored texts, (N,) of two and else (N, K)."""
        model = LogisticRegression(max_iter=1000).fit(train, labels.numpy())
        return torch.from_numpy(model.classes_), torch.from_numpy(model.decision_function(scored))

    if task.several:
        for label in range(task.classes):
            there = targets[:, label] > 0.5
            if there.any() and not there.all():
                logits[:, label] = fitted(there.long())[1]
        return logits
    targets = targets.argmax(1) if targets.ndim == 2 else targets
    if len(targets.unique()) < 2:
        return None
    classes, said = fitted(targets)
    said = torch.stack([torch.zeros_like(said), said], 1) if said.ndim == 1 else said
    logits[:] = said.min() - 1
    logits[:, classes] = said
    return logits
