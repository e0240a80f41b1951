"""``python -m tasks.sound.speak``: what ``commands-espeak`` says, kept in a file for ``commands-espeak:FILE``."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from store import BadInput
from store.command_line import command
from store.places import given, write_atomically
from tasks.sound.espeak import CLIPS, spoken

__all__ = ["Config", "run"]

PROGRAM = "python -m tasks.sound.speak"

EXAMPLES = ("--out commands.npz", "--out few.npz --clips 600")


@dataclass(frozen=True)
class Config:
    """Speak the words of Speech Commands by espeak-ng and flite, for --data commands-espeak:FILE."""

    out: Path = Path("commands.npz")
    """the file, an .npz of 32 kB a clip"""
    clips: int = CLIPS
    """how many to train on; a third as many are said by held-out voices, a sixth as many by flite's"""

    def __post_init__(self) -> None:
        given("--out", self.out)
        if self.out.is_dir():
            raise BadInput("--out", f"{self.out}, a directory", "a file")


def run(config: Config) -> None:
    """Speak, and write the file."""
    arrays = spoken(config.clips)
    with write_atomically(config.out) as temporary, open(temporary, "wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    print(config.out)


if __name__ == "__main__":
    command(Config, run, PROGRAM, examples=EXAMPLES)
