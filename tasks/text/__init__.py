"""Data sets of texts: as they are published, inside packages, and anybody's own.

A reader is a function of a path that returns a `tasks.Task` of texts as they are written; networks' tokenizers make
token ids of them. Where a set has no test part, a fifth of its distinct texts is held out (`tasks.text.splits`).
"""

import functools
from collections.abc import Callable
from pathlib import Path

from tasks.task import Task
from tasks.text.debtags import debtags
from tasks.text.imdb import imdb
from tasks.text.made_up import made_up_sentences
from tasks.text.news import news_5
from tasks.text.ratings import ratings_5, ratings_5_raters
from tasks.text.reviews import imdb_half, rotten_tomatoes
from tasks.text.sentences import SITES, sentences
from tasks.text.tables import Columns, read_csv, read_jsonl
from tasks.text.toxic import toxic
from tasks.text.tweets import tweets_3
from tasks.text.yelp import yelp_2, yelp_5

__all__ = ["NAMED", "PUBLISHED", "TABLES", "Columns"]

TABLES: dict[str, Callable[[Path, Columns], Task]] = {"csv": read_csv, "jsonl": read_jsonl}
"""Functions that read anybody's texts at a path, by the word before it."""

PUBLISHED: dict[str, Callable[[Path], Task]] = {"imdb": imdb, "yelp-2": yelp_2, "yelp-5": yelp_5, "toxic": toxic}
"""Functions that read data sets as they are published from the folder they lie in, by the word before it."""

NAMED: dict[str, Callable[..., Task]] = {
    "imdb-half": imdb_half,
    "rotten-tomatoes": rotten_tomatoes,
    **{f"sentences-{site}": functools.partial(sentences, site) for site in SITES},
    "ratings-5": ratings_5,
    "ratings-5-raters": ratings_5_raters,
    "tweets-3": tweets_3,
    "news-5": news_5,
    "debtags": debtags,
    "made-up-sentences": made_up_sentences,
}
"""Functions that find data inside packages, or read them at a path, by name; made-up sentences need none."""
