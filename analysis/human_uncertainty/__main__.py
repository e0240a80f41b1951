"""``python -m analysis.human_uncertainty``."""

from analysis.human_uncertainty import PROGRAM, Config, run
from store.command_line import command

EXAMPLES = (
    "--augmentations none fmix --epochs 30",
    "--model torchvision:resnet18 --weights cifar10_resnet18.pt",
    "--logits logits.npy",
)

if __name__ == "__main__":
    command(Config, run, PROGRAM, examples=EXAMPLES)
