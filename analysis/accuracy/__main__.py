"""``python -m analysis.accuracy``."""

from analysis.accuracy import PROGRAM, Config, run
from store.command_line import command

if __name__ == "__main__":
    command(Config, run, PROGRAM)
