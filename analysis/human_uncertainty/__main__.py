"""``python -m analysis.human_uncertainty``."""

from analysis.human_uncertainty import PROGRAM, Config, run
from store.command_line import command

if __name__ == "__main__":
    command(Config, run, PROGRAM)
