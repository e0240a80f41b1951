"""How much memory data take on their way in: ``python benchmarks/peak_memory.py [--gib 1]``.

Each row is a command line of its own on files that are made here, in a temporary directory: its peak resident memory
less that of the same command on the embedded digits, beside the bytes of the images as they stand in memory.
"""

import argparse
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from PIL import Image

ROOT = Path(__file__).parents[1]

MEASURED = """
import resource, runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=open("peak", "w"))
"""


def peak(directory: Path, *arguments: str) -> tuple[int, int, str, float]:
    """Exit status, peak resident bytes, last line of standard error and seconds of a command."""
    began = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments], cwd=directory, capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(directory)},
    )  # fmt: skip
    last = (ended.stderr.strip().splitlines() or [""])[-1]
    return ended.returncode, int((directory / "peak").read_text()) * 1024, last, time.perf_counter() - began


def archive(path: Path, count: int, side: int, compress: bool) -> int:
    """Write ``count`` training images of ``side`` pixels and ten for testing; bytes of the images."""
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    shape = (count, side, side, 3)
    some = np.zeros(shape[1:], np.uint8) if compress else np.random.default_rng(0).integers(0, 256, shape[1:], np.uint8)
    with zipfile.ZipFile(path, "w", kind) as made:
        for part, number in (("train", count), ("test", 10)):
            with made.open(f"{part}_images.npy", "w", force_zip64=True) as stream:
                head = {"descr": "|u1", "fortran_order": False, "shape": (number, *shape[1:])}
                npy.write_array_header_1_0(stream, head)
                for _ in range(number):
                    stream.write(some.tobytes())
            with made.open(f"{part}_labels.npy", "w") as stream:
                npy.write_array(stream, np.arange(number) % 10)
    return (count + 10) * side * side * 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=1.0, help="of the largest archive")
    size = parser.parse_args().gib * 2**30
    print("| input | file, MB | images, MB | peak above the digits', MB | ratio | seconds | ended |")
    print("|---" * 7 + "|")
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        command = ("vae.train", "--dry-run", "--device", "cpu", "--threads", "1", "--data")
        _, base, _, _ = peak(directory, *command, "digits")

        def row(name: str, file: Path, images: int, data: str) -> None:
            status, most, said, seconds = peak(directory, *command, data)
            above = (most - base) / 1e6
            ratio = f"{1e6 * above / images:.2f}" if images else ""
            words = f"{status}" + (f": {said.partition(': ')[2][:110]}" if status else "")
            print(
                f"| {name} | {file.stat().st_size / 1e6:.1f} | {images / 1e6:.0f} | {above:.0f} | {ratio} "
                f"| {seconds:.1f} | {words} |", flush=True,
            )  # fmt: skip

        made = directory / "a.npz"
        for name, count, side, compress in (
            ("32×32, stored", int(size / 8 / 3072), 32, False),
            ("32×32, stored", int(size / 3072), 32, False),
            ("224×224, stored", int(size / 150528), 224, False),
            ("zeros that are images, deflated", int(size / 3072), 32, True),
        ):
            row(name, made, archive(made, count, side, compress), "npz:a.npz")
        archive(made, 10, 8, True)
        with zipfile.ZipFile(made) as small:
            others = {name: small.read(name) for name in small.namelist() if name != "train_images.npy"}
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as bomb:
            for name, content in others.items():
                bomb.writestr(name, content)
            with bomb.open("train_images.npy", "w") as stream:
                npy.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": (600 * 2**20,)})
                for _ in range(600):
                    stream.write(bytes(2**20))
        row("zeros that are no images, deflated", made, 0, "npz:a.npz")
        pictures = directory / "pictures"
        for part in ("train", "test"):
            (pictures / part / "a").mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(pictures / part / "a" / "0.png")
        large = pictures / "train" / "a" / "1.png"
        Image.new("1", (30000, 30000)).save(large)
        row("a PNG of 30,000×30,000", large, 0, "folder:pictures")


if __name__ == "__main__":
    main()
