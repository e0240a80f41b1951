"""``python -m analysis.accuracy``."""

from analysis.accuracy import PROGRAM, Config, run
from store.command_line import command

EXAMPLES = (
    "--data cifar10 --augmentations none mixup cutmix fmix --seeds 5",
    "--data digits --until decided --margin 0.5",
    "--config out/accuracy-digits/result.json --epochs 60",
)

if __name__ == "__main__":
    command(Config, run, PROGRAM, examples=EXAMPLES)
