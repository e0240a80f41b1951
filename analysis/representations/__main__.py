"""``python -m analysis.representations``."""

from analysis.representations import PROGRAM, Config, run
from store.command_line import command

if __name__ == "__main__":
    command(Config, run, PROGRAM)
