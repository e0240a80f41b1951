"""``python -m analysis.ablation``."""

from analysis.ablation import PROGRAM, Config, run
from store.command_line import command

if __name__ == "__main__":
    command(Config, run, PROGRAM)
