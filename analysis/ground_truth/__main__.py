"""``python -m analysis.ground_truth``."""

from analysis.ground_truth import PROGRAM, Config, run
from store.command_line import command

if __name__ == "__main__":
    command(Config, run, PROGRAM)
