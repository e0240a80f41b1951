"""``python -m analysis.ablation``."""

from analysis.ablation import PROGRAM, Config, run
from store.command_line import command

EXAMPLES = (
    "--vary fraction --data fashion-mnist --equal-steps",
    "--vary alpha --values 0.2 0.5 1 2 --augmentations mixup fmix --seeds 5",
)

if __name__ == "__main__":
    command(Config, run, PROGRAM, examples=EXAMPLES)
