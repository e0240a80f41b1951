"""Images in folders: ``folder:PATH``, with PATH/train/CLASS/… and PATH/test/CLASS/…."""

import os
import sys
from pathlib import Path

import numpy as np

from store import BadInput
from tasks.labels import of_arrays
from tasks.task import Task

__all__ = ["folder"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""The suffixes of files that are images, torchvision's."""

MOST_PIXELS = 50_000_000
"""How many one image may have."""


def folder(path: Path) -> Task:
    """The images in a folder, as RGB.

    Raises:
        BadInput: classes or sizes that differ between train/ and test/, or files that are no images.
    """
    splits, classes = [], []
    for name in ("train", "test"):
        if not (path / name).is_dir():
            raise BadInput("--data", f"folder:{path} without {name}/", "PATH/train/CLASS/ and PATH/test/CLASS/")
        files, names = _image_files(path / name)
        images = [_picture(file) for file, _ in files]
        shapes = {image.shape for image in images}
        if len(shapes) != 1:
            raise BadInput("--data", f"{path / name} with image sizes {sorted(shapes)[:3]}…", "images of one size")
        splits.append((np.stack(images), np.array([target for _, target in files])))
        classes.append(names)
    if classes[0] != classes[1] or splits[0][0].shape[1:] != splits[1][0].shape[1:]:
        raise BadInput("--data", f"folder:{path}", "the same classes and image size in train/ and test/")
    return of_arrays(path.name, *splits)


def _image_files(folder: Path) -> tuple[list[tuple[Path, int]], list[str]]:
    """The images under every class's folder, in the order of their paths, with their classes, and the classes' names.

    Hidden files and folders are no images. What is left out because of its suffix is counted, on standard error. A
    link to a folder that it lies in is not followed.

    Raises:
        BadInput: a class without images, or no class.
    """
    needed = f"images ({' '.join(SUFFIXES)}) under every {folder}/CLASS/"
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not names:
        raise BadInput("--data", f"folder:{folder.parent} (couldn't find any class folder in {folder})", needed)
    files: list[tuple[Path, int]] = []
    left_out = 0
    for target, name in enumerate(names):
        regular, seen = [], set()
        for parent, inner, entries in os.walk(folder / name, followlinks=True):
            real = os.path.realpath(parent)
            if real in seen:
                inner.clear()
                continue
            seen.add(real)
            inner[:] = sorted(name for name in inner if not name.startswith("."))
            for entry in sorted(entries):
                if not entry.startswith("."):
                    regular.append(Path(parent) / entry)
        images = [file for file in regular if file.suffix.lower() in SUFFIXES]
        left_out += len(regular) - len(images)
        if not images:
            raise BadInput("--data", f"folder:{folder.parent} (found no image for the class {name})", needed)
        files += [(file, target) for file in sorted(images)]
    if left_out:
        print(f"{folder}: {left_out} files that are no images by their suffix are left out", file=sys.stderr)
    return files, names


def _picture(file: Path) -> np.ndarray:
    """One image file as H×W×3 bytes, upright: grey ones with three equal channels, transparent ones over black.

    Raises:
        BadInput: no regular file, no whole image, one of more than eight bits a channel or of several frames.
    """
    from PIL import Image, ImageOps

    if not file.is_file():
        raise BadInput("--data", f"{file}, which is no file", "an image")
    try:
        with Image.open(file) as image:
            if image.width * image.height > MOST_PIXELS:
                raise BadInput("--data", f"{file} of {image.width}×{image.height} pixels", "smaller images")
            if image.mode not in ("1", "L", "P", "RGB", "RGBA", "LA", "PA", "CMYK", "YCbCr", "La", "RGBa"):
                raise BadInput("--data", f"{file} of mode {image.mode}", "an image of eight bits a channel")
            if (frames := getattr(image, "n_frames", 1)) > 1:
                raise BadInput("--data", f"{file} of {frames} frames", "an image of one")
            upright = ImageOps.exif_transpose(image)
            if "A" in upright.mode.upper() or "transparency" in upright.info:
                opaque = upright.convert("RGBA")
                upright = Image.alpha_composite(Image.new("RGBA", opaque.size, (0, 0, 0, 255)), opaque)
            return np.asarray(upright.convert("RGB"))
    except BadInput:
        raise
    except Exception as problem:  # Pillow's decoders raise whatever their formats make of damage
        reason = " ".join(str(problem).split())[:100] or type(problem).__name__
        raise BadInput("--data", f"{file}, which cannot be read ({reason})", "an image") from None
