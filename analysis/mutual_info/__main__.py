"""``python -m analysis.mutual_info``."""

from analysis.mutual_info import PROGRAM, Config, run
from store.command_line import command

if __name__ == "__main__":
    command(Config, run, PROGRAM)
