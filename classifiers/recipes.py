"""How networks are trained where nothing else is asked for: by what the items are, and by the network.

Sources: Harris et al. (2020), arXiv 2002.12047, App. E, and the reference code. Of texts, what it has for Toxic
Comments (for IMDb and Yelp, none is known); of shapes, what it trains a network of points with.
"""

from typing import Any

from classifiers.networks import NETWORKS, OF_TEXTS, TRANSFORMER
from classifiers.text.networks import HIDDEN
from tasks import Task
from tasks.task import Sound, Text, Volume

__all__ = ["BY_OPTIMIZER", "tiny", "usual_network", "usual_settings"]

IMAGES = {
    "epochs": 200,
    "batch_size": 128,
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "weight_decay": 1e-4,
    "schedule": "step",
    "milestones": (0.5, 0.75),
    "warm_up": 0.0,
    "crop": 4,
    "flip": True,
}
"""What networks of images are trained with."""

RECIPES: dict[str, dict[str, Any]] = {
    "densenet-bc-190-40": {"epochs": 300, "batch_size": 32, "milestones": (1 / 3, 1 / 2, 3 / 4)},
    "pyramidnet-272-200": {"epochs": 1800, "batch_size": 64, "schedule": "cosine"},
}
"""What networks of images are trained with where it is not that."""

SOUND = IMAGES | {
    "epochs": 90,
    "learning_rate": 0.01,
    "milestones": (1 / 3, 2 / 3, 8 / 9),
    "crop": 0,
    "flip": False,
}
"""What networks of sound are trained with."""

VOLUMES = IMAGES | {
    "epochs": 50,
    "batch_size": 16,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
    "milestones": (1 / 5, 2 / 5, 3 / 5, 4 / 5),
    "crop": 0,
}
"""What networks of shapes in three dimensions are trained with."""

TEXTS = {
    "epochs": 10,
    "batch_size": 64,
    "optimizer": "adam",
    "learning_rate": 1e-4,
    "weight_decay": 0.0,
    "schedule": "step",
    "milestones": (),
    "warm_up": 0.0,
    "crop": 0,
    "flip": False,
}
"""What networks of texts are trained with."""

TRANSFORMERS = {"epochs": 3, "batch_size": 32, "learning_rate": 5e-5, "warm_up": 0.1}
"""What transformers are trained with where it is not that."""

BY_OPTIMIZER: dict[str, dict[str, float]] = {
    "sgd": {"learning_rate": 0.1, "weight_decay": 1e-4},
    "adam": {"learning_rate": 1e-3, "weight_decay": 0.0},
}
"""What networks are trained with where another optimiser is asked for than the usual one."""


def usual_network(task: Task) -> str:
    """The name of the network that is trained on the items of a task."""
    return {Text: "text-cnn", Volume: "voxel-cnn"}.get(type(task.modality), "preact-resnet18")


def tiny(task: Task) -> bool:
    """Whether items are so small that a second thread would slow their training down."""
    return isinstance(task.modality, Text) or min(task.shape[1:]) < 16


def usual_settings(task: Task, network: str) -> dict[str, Any]:
    """What `classifiers.train.Settings` leaves open, for the items of a task.

    Args:
        task: of which only what its items are matters.
        network: the name of the one that is trained.
    """
    if isinstance(task.modality, Text):
        usual = TEXTS | {"width": HIDDEN if network in OF_TEXTS else None}
        return usual | (TRANSFORMERS if network == "bert" or network.startswith(TRANSFORMER) else {})
    width = NETWORKS[network].usual if network in NETWORKS else None
    if isinstance(task.modality, Sound):
        return SOUND | {"width": width}
    if isinstance(task.modality, Volume):
        return VOLUMES | {"width": width, "flip": task.modality.mirrored}
    usual = IMAGES | {"width": width, "flip": task.modality.mirrored} | RECIPES.get(network, {})
    if tiny(task):
        usual |= {"epochs": 30, "batch_size": 64, "crop": 1}
        usual |= {"width": 16} if network == "preact-resnet18" else {}
    return usual
