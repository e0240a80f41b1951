"""Made-up sentences that praise or blame, for what must work without any file: smoke runs, examples, tests.

A sentence has a subject, a quality, and half of the time an aside; one in four is denied, which turns blame into
praise. There is nothing to be learnt from them about augmentations.
"""

import random

import torch

from tasks.task import Task, text_task

__all__ = ["made_up_sentences"]

SUBJECTS = ("the film", "the soup", "this hotel", "the book", "my phone", "the concert", "that shop", "the first act")
QUALITIES = (
    ("dull", "broken", "cold", "far too long", "a waste of money", "badly made"),
    ("lovely", "well made", "a joy", "worth every penny", "surprisingly good", "clever"),
)
"""Of blame, and of praise."""
ASIDES = ("as my sister says", "and it was raining", "for what it costs", "at least on a Monday", "I think")
COUNTS = (480, 240)
"""Sentences to train on, and to score."""


def made_up_sentences() -> Task:
    """Sentences of two classes, blame and praise, always the same ones, none of them twice."""
    chance = random.Random(0)
    sentences: dict[str, int] = {}
    while len(sentences) < sum(COUNTS):
        praise, denied = chance.random() < 0.5, chance.random() < 0.25
        is_or_not = chance.choice(("is not", "was never")) if denied else chance.choice(("is", "was", "seems"))
        words = [chance.choice(SUBJECTS), is_or_not, chance.choice(QUALITIES[praise])]
        if chance.random() < 0.5:
            words.append(f", {chance.choice(ASIDES)}")
        sentence = " ".join(words).replace(" ,", ",") + chance.choice((".", "!"))
        sentences.setdefault(sentence[0].upper() + sentence[1:], int(praise != denied))
    texts, labels = list(sentences), torch.tensor(list(sentences.values()))
    first = COUNTS[0]
    return text_task("made-up sentences", (texts[:first], labels[:first]), (texts[first:], labels[first:]))
