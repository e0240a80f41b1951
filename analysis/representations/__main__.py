"""``python -m analysis.representations``."""

from analysis.representations import PROGRAM, Config, run
from store.command_line import command

EXAMPLES = (
    "--data digits --augmentations none fmix --checkpoints",
    "--model timm:resnet18 --weights pretrained --data folder:photos --layers layer4",
    "--features features.npz",
)

if __name__ == "__main__":
    command(Config, run, PROGRAM, examples=EXAMPLES)
