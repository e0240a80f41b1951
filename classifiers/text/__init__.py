"""Classifiers of texts: tokens, word vectors, and the networks of the paper's Table 5."""

from classifiers.text.classifier import TextClassifier, load_text_run
from classifiers.text.networks import LSTM, WordCNN
from classifiers.text.settings import TextSettings

__all__ = ["LSTM", "TextClassifier", "TextSettings", "WordCNN", "load_text_run"]
