"""``python -m analysis.ground_truth``."""

from analysis.ground_truth import PROGRAM, Config, run
from store.command_line import command

EXAMPLES = (
    "--tasks gaussian-d16-i3 staircase-i4 --seeds 5",
    "--tasks clusters-s1 crossed-s1 --bounds infonce leave_one_out_by_class",
)

if __name__ == "__main__":
    command(Config, run, PROGRAM, examples=EXAMPLES)
