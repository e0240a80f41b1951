"""Data sets of clips of sound: as they are published, spoken by a synthesiser, and made up.

A reader is a function that returns a `tasks.Task` of clips, int16, of one length and rate; networks see their
spectrograms (`tasks.log_mel`).
"""

from collections.abc import Callable
from pathlib import Path

from tasks.sound.espeak import commands_espeak
from tasks.sound.made_up import made_up_sounds
from tasks.sound.speech_commands import speech_commands
from tasks.task import Task

__all__ = ["NAMED", "PUBLISHED"]

PUBLISHED: dict[str, Callable[[Path], Task]] = {"commands": speech_commands}
"""Functions that read data sets as they are published from the folder they lie in, by the word before it."""

NAMED: dict[str, Callable[..., Task]] = {"commands-espeak": commands_espeak, "made-up-sounds": made_up_sounds}
"""Functions that make data sets, by name; what has been spoken before is read at a path."""
