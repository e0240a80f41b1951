"""A data set in an ``.npz`` archive: ``npz:PATH``."""

from pathlib import Path

from tasks.arrays import open_archive, read_images
from tasks.labels import KEYS, as_labels, check_arrays, checked_labels, one_kind, say_missing
from tasks.task import Task, image_task

__all__ = ["npz"]


def npz(path: Path) -> Task:
    """The images and labels of an archive with the four arrays `tasks.labels.KEYS`.

    Raises:
        BadInput: no such archive, or arrays of other names, types or shapes.
    """
    needed = f"an .npz with arrays {', '.join(KEYS)}"
    with open_archive("--data", path, KEYS, needed) as members:
        check_arrays(members, str(path), needed)
        labels = {key: checked_labels(members[key].read(), key) for key in KEYS[1::2]}
        one_kind(*labels.values())
        train, test = ((read_images(members[images]), as_labels(labels[key])) for images, key in (KEYS[:2], KEYS[2:]))
        return say_missing(image_task(path.stem, train, test), f"npz:{path}")
