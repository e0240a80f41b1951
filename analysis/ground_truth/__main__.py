"""``python -m analysis.ground_truth``."""

from analysis.ground_truth import PROGRAM, Config, run
from store.command_line import command

EXAMPLES = (
    "--tasks gaussian-d16-i3 staircase-i4 --seeds 5",
    "--bounds rate infonce my_bounds.py:tighter",
)

if __name__ == "__main__":
    command(Config, run, PROGRAM, examples=EXAMPLES)
