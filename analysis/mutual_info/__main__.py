"""``python -m analysis.mutual_info``."""

from analysis.mutual_info import PROGRAM, Config, run
from store.command_line import command

EXAMPLES = (
    "--data fashion-mnist --train-images 10000 --seeds 5",
    "--augmentations none my_mixes.py:ResizeMix --until decided",
    "--posterior codes.npz --bounds rate gaussian_marginal infonce",
)

if __name__ == "__main__":
    command(Config, run, PROGRAM, examples=EXAMPLES)
