"""Progress on a terminal: one bar over all that a command does, with the time left, and what is under way below it.

A command names its *stages*, networks to be trained and analyses of them say, each of so many units, in `overall`;
`stage` counts their units as they are done, and `under_way` shows how far the present one is, epochs or batches, in a
line that goes with it. All of it is on standard error where that is a terminal, and nowhere else.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

__all__ = ["Overall", "in_words", "overall", "stage", "under_way"]


FIRST = TaskID(0)


@dataclass
class Stage:
    """One kind of units.

    Args:
        total: how many there are.
        seconds: that one takes, as far as it is known beforehand.
        done: how many are done, those that were found done included.
        measured: of these, how many were done now.
        spent: seconds that these have taken.
    """

    total: int
    seconds: float | None = None
    done: int = 0
    measured: float = 0.0
    spent: float = 0.0


@dataclass
class Overall:
    """All stages of a command.

    Args:
        stages: by what their units are, in words.
        places: units that are done at once.
        progress: the live display; None where nothing is shown.
        task: its bar in it.
        present: the stage that is under way.
        fraction: of its present unit, how much is done.
        began: when that unit began.
    """

    stages: dict[str, Stage]
    places: int = 1
    progress: Progress | None = None
    task: TaskID = FIRST
    present: str = ""
    fraction: float = 0.0
    began: float = 0.0

    def left(self) -> str:
        """The time that is left, in words, and what comes after of which it is not known how long it takes."""
        seconds, unknown = 0.0, []
        for words, one in self.stages.items():
            if (rest := one.total - one.done) <= 0:
                continue
            spent, measured, part = one.spent, one.measured, self.fraction if words == self.present else 0.0
            if part:
                spent, measured = spent + time.monotonic() - self.began, measured + part
            each = spent / measured if measured else one.seconds
            if each is not None:
                seconds += (rest - part) * each
            elif words != self.present:
                unknown.append(words)
        if all(one.done >= one.total for one in self.stages.values()):
            return ""
        known = f"{in_words(seconds / self.places)} left" if seconds else "how long is not known yet"
        return ", then ".join([known, *unknown])

    def describe(self, words: str, under_way: Sequence[str]) -> None:
        """Say what the bar is of, and what is under way."""
        if self.progress is not None:
            running = f" · {', '.join(under_way)}" if under_way else ""
            self.progress.update(self.task, description=words, words=lambda: f"{self.left()}{running}")

    def show(self) -> None:
        """Bring the bar up to date."""
        if self.progress is not None:
            done = sum(one.done for one in self.stages.values())
            total = sum(one.total for one in self.stages.values())
            self.progress.update(self.task, completed=done, total=total)

    def settle(self, words: str, seconds: float | None) -> None:
        """Count a unit as done.

        Args:
            words: its stage.
            seconds: that it took; None for one that was there already.
        """
        one = self.stages[words]
        one.done += 1
        if seconds is not None:
            one.measured += 1
            one.spent += seconds
        self.fraction, self.began = 0.0, time.monotonic()
        self.show()


def in_words(seconds: float) -> str:
    """About how long it is.

    Example:
        >>> [in_words(seconds) for seconds in (7, 200, 9000)]
        ['about 7 s', 'about 3 min', 'about 2.5 h']
    """
    if seconds < 90:
        return f"about {max(seconds, 1):.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"


class _Words(ProgressColumn):
    """What a task says of itself at this moment."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        words: Callable[[], str] = task.fields["words"]
        return Text(words(), style="progress.remaining")


_current: Overall | None = None


def _shown() -> Progress | None:
    """A live display, where standard error is a terminal."""
    console = Console(file=sys.stderr, highlight=False)
    if not console.is_terminal or console.is_dumb_terminal:
        return None
    column = Column(no_wrap=True, overflow="ellipsis")
    return Progress(
        TextColumn("{task.description}", table_column=column, markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        _Words(table_column=column),
        console=console,
        transient=True,
        refresh_per_second=4,
        # what is printed to a file or a pipe stays there
        redirect_stdout=sys.stdout.isatty(),
    )


@contextmanager
def overall(
    stages: Mapping[str, int], quiet: bool = False, seconds: Mapping[str, float | None] | None = None, places: int = 1
) -> Iterator[Overall]:
    """One bar over all stages, as long as it takes; within another one, that one.

    Args:
        stages: how many units there are, by what they are in words.
        quiet: whether nothing is to be shown.
        seconds: that a unit takes, as far as it is known beforehand.
        places: units that are done at once.
    """
    global _current
    if _current is not None:
        for words, total in stages.items():
            _current.stages.setdefault(words, Stage(total))
        yield _current
        return
    known = seconds or {}
    whole = Overall({words: Stage(total, known.get(words)) for words, total in stages.items()}, places)
    progress = None if quiet else _shown()
    _current = whole
    try:
        if progress is None:
            yield whole
            return
        with progress:
            # a signal that ends the process at once finds the cursor where people see it
            progress.console.show_cursor(True)
            whole.progress = progress
            total = sum(stages.values())
            whole.task = progress.add_task("all", total=total, words=whole.left)
            yield whole
    finally:
        _current = None


@contextmanager
def stage(words: str, total: int, quiet: bool = False) -> Iterator[Callable[[bool], None]]:
    """The units of one stage, one after the other.

    Args:
        words: what is done to them.
        total: how many there are.
        quiet: whether nothing is to be shown.

    Yields:
        A function that counts one as done; it is told whether it was done now.
    """
    with overall({words: total}, quiet) as whole:
        before = whole.present
        whole.present, whole.began, whole.fraction = words, time.monotonic(), 0.0
        one = whole.stages[words]
        one.total, one.done = total, 0  # of those that could be trained, the others are not analysed
        if whole.progress is not None:
            whole.progress.update(whole.task, description=words)
        whole.show()
        yield lambda fresh: whole.settle(words, time.monotonic() - whole.began if fresh else None)
        whole.present = before or words


@dataclass
class UnderWay:
    """How far something is.

    Args:
        total: of its steps.
        done: of them.
        words: what is to be said beside it.
        show: brings the line up to date.
        shown: when that was done last.
    """

    total: int
    done: int = 0
    words: str = ""
    shown: float = 0.0
    show: Callable[[], None] = field(default=lambda: None)

    def advance(self, steps: int = 1) -> None:
        """So many steps more are done."""
        self.done += steps
        if (now := time.monotonic()) - self.shown > 0.1 or self.done >= self.total:
            self.shown = now
            self.show()


@contextmanager
def under_way(words: str, total: int, done: int = 0, shown: bool = True) -> Iterator[UnderWay]:
    """How far the present unit is, in a line that goes with it; a bar of its own where there is no other.

    Args:
        words: what it is.
        total: how many steps it takes.
        done: how many are done already.
        shown: whether anything is to be shown.
    """
    line = UnderWay(total, done)
    if not shown:
        yield line
        return
    if _current is None:
        with overall({words: total}) as whole:
            whole.present, whole.began = words, time.monotonic()
            one = whole.stages[words]
            one.done = done
            if whole.progress is not None:
                whole.progress.update(whole.task, description=words, words=lambda: f"{whole.left()}  {line.words}")

            def alone() -> None:
                one.done = line.done
                one.measured, one.spent = float(line.done - done), time.monotonic() - whole.began
                whole.show()

            line.show = alone
            yield line
        return
    whole = _current
    progress = whole.progress
    if progress is None:
        yield line
        return
    task = progress.add_task(f"  {words}", total=total, completed=done, words=lambda: line.words)

    def below() -> None:
        progress.update(task, completed=line.done)
        whole.fraction = (line.done - done) / max(total - done, 1)

    line.show = below
    try:
        yield line
    finally:
        progress.remove_task(task)
