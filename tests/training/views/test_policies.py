"""Policies of lists against PIL, in which Fast AutoAugment's code is written, and those of torchvision as wholes."""

import pickle
import sys

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from classifiers.train import Settings
from store import BadInput
from training.views.policies import RANGES, SubPolicies, policy_named


@pytest.fixture
def images():
    stream = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (6, 3, 16, 16), generator=stream, dtype=torch.uint8)


@pytest.mark.parametrize("name", ["autoaugment", "randaugment", "trivialaugment"])
@pytest.mark.parametrize("channels", [1, 3])
def test_named_policies_are_per_image_and_seeded(images, name, channels):
    policy = policy_named(name)
    assert policy.identity == name
    same = images[:1, :channels].expand(32, -1, -1, -1)
    state = torch.random.get_rng_state()
    found = policy(same, 1)
    assert torch.equal(torch.random.get_rng_state(), state)  # the global generator is as it was
    assert found.shape == same.shape
    assert found.dtype == torch.uint8
    assert len({image.numpy().tobytes() for image in found}) > 8
    assert torch.equal(found, policy(same, 1))
    assert not torch.equal(found, policy(same, 2))


def test_none_is_nothing(images):
    policy = policy_named("none")
    assert policy.identity == "none"
    assert torch.equal(policy(images, 1), images)


LEVELS = (0.0, 0.1, 0.37, 0.5, 0.73, 0.9, 1.0)

MOVES = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")

ENHANCERS = {
    "Contrast": ImageEnhance.Contrast, "Color": ImageEnhance.Color, "Brightness": ImageEnhance.Brightness,
    "Sharpness": ImageEnhance.Sharpness,
}  # fmt: skip

STRETCHED = ("AutoContrast", *ENHANCERS)
"""Operations that may differ from PIL's by one level of 255, by rounding."""

LARGEST = {"ShearX": 0.3, "ShearY": 0.3, "TranslateX": 0.45, "TranslateY": 0.45, "Rotate": 30.0}

IDENTITIES = {
    **dict.fromkeys((*MOVES, *ENHANCERS), (0.5,)), "Solarize": (1.0,), "Posterize": (1.0,), "Cutout": (0.0,),
}  # fmt: skip
"""Levels at which operations leave every image as it is; those that have no such level are not here."""


def textured(channels: int, height: int, width: int) -> torch.Tensor:
    """An image that no operation leaves as it is: noise from 40 to 180, brighter towards a corner."""
    stream = torch.Generator().manual_seed(0)
    noise = torch.randint(40, 140, (channels, height, width), generator=stream)
    return (noise + torch.linspace(0, 40, width).long()).to(torch.uint8)


SHAPES = [(3, 16, 16), (1, 16, 16), (3, 12, 22)]


def to_pil(image: torch.Tensor) -> Image.Image:
    return Image.fromarray(image[0].numpy() if len(image) == 1 else image.permute(1, 2, 0).numpy())


def from_pil(image: Image.Image) -> torch.Tensor:
    array = torch.from_numpy(np.array(image))
    return array[None] if array.ndim == 2 else array.permute(2, 0, 1)


def moved_by_pil(name: str, value: float, image: torch.Tensor) -> torch.Tensor:
    picture = to_pil(image)
    if name == "Rotate":
        return from_pil(picture.rotate(value))
    width, height = picture.size
    matrix = {
        "ShearX": (1, value, 0, 0, 1, 0), "ShearY": (1, 0, 0, value, 1, 0),
        "TranslateX": (1, 0, value * width, 0, 1, 0), "TranslateY": (1, 0, 0, 0, 1, value * height),
    }[name]  # fmt: skip
    return from_pil(picture.transform(picture.size, Image.Transform.AFFINE, matrix))


def changed_by_pil(name: str, level: float, image: torch.Tensor) -> torch.Tensor:
    picture = to_pil(image)
    if name in ENHANCERS:
        return from_pil(ENHANCERS[name](picture).enhance(0.1 + 1.8 * level))
    return from_pil(
        {
            "AutoContrast": lambda: ImageOps.autocontrast(picture),
            "Invert": lambda: ImageOps.invert(picture),
            "Equalize": lambda: ImageOps.equalize(picture),
            "Solarize": lambda: ImageOps.solarize(picture, 256 * level),
            "Posterize": lambda: ImageOps.posterize(picture, int(4 + 4 * level)),
        }[name]()
    )


def apply(name: str, level: float, image: torch.Tensor) -> torch.Tensor:
    return SubPolicies([[(name, 1.0, level)]])(image)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", [name for name in RANGES if name not in (*MOVES, "Cutout")])
def test_an_operation_on_grey_levels_is_pils(name, shape):
    image = textured(*shape)
    seen = 0
    for level in LEVELS:
        found, expected = apply(name, level, image), changed_by_pil(name, level, image)
        assert found.dtype == torch.uint8
        assert (found.int() - expected.int()).abs().max() <= (1 if name in STRETCHED else 0)
        seen = max(seen, int((found.int() - image.int()).abs().max()))
    assert seen > 12 or (name == "Color" and shape[0] == 1)  # it acts, by far more than the tolerance


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", MOVES)
def test_an_operation_that_moves_pixels_is_pils_in_either_direction(name, shape):
    image = textured(*shape)
    torch.manual_seed(0)
    for level in (0.0, 0.1, 0.37, 0.73, 1.0):
        strength = LARGEST[name] * abs(2 * level - 1)
        either = [moved_by_pil(name, sign * strength, image) for sign in (1, -1)]
        assert not torch.equal(*either)
        drawn = [apply(name, level, image) for _ in range(24)]  # one direction only: once in 2**23
        which = [tuple(torch.equal(found, each) for each in either) for found in drawn]
        assert set(which) == {(True, False), (False, True)}


@pytest.mark.parametrize("name", IDENTITIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_an_operation_leaves_images_alone_at_its_neutral_level_only(name, shape):
    image = torch.cat([textured(*shape), torch.full((shape[0], 1, shape[2]), 255, dtype=torch.uint8)], 1)
    for level in IDENTITIES[name]:
        for kind in (float, int) if level in (0, 1) else (float,):
            assert torch.equal(apply(name, kind(level), image), image)
    if (name, shape[0]) != ("Color", 1):
        assert not torch.equal(apply(name, 0.8, image), image)


def test_contrast_is_stretched_and_histograms_are_flattened_once():
    full = torch.arange(256, dtype=torch.uint8).view(1, 16, 16)
    assert torch.equal(apply("AutoContrast", 0.3, full), full)
    assert torch.equal(apply("Equalize", 0.3, full), full)
    half = full // 2 + 64
    found = apply("AutoContrast", 0.3, half)
    assert int(found.min()) == 0
    assert int(found.max()) >= 254  # 255 but for rounding
    assert torch.equal(apply("Invert", 0.3, half), 255 - half)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("level", [0.4, 0.8, 1.0])
def test_cutout_is_a_rectangle_drawn_by_pil(level, shape):
    image = textured(*shape)
    _, height, width = shape
    side = 0.2 * level * width
    colour = (125, 123, 114) if shape[0] == 3 else 123
    for seed in range(40):
        torch.manual_seed(seed)
        found = apply("Cutout", level, image)
        # the draws in the same order: sub-policy, whether, x and y
        torch.manual_seed(seed)
        torch.randint(1, ())
        torch.rand(())
        x, y = (float(torch.rand(())) * size for size in (width, height))
        left, top = int(max(0, x - side / 2)), int(max(0, y - side / 2))
        picture = to_pil(image)
        corners = (left, top, min(width, left + side), min(height, top + side))
        ImageDraw.Draw(picture).rectangle(corners, colour)
        assert torch.equal(found, from_pil(picture))
        assert not torch.equal(found, image)


def test_an_operation_of_no_probability_never_happens():
    image = textured(3, 16, 16)
    for name in RANGES:
        assert torch.equal(SubPolicies([[(name, 0.0, 0.0)]])(image), image)


def test_probabilities_in_expectation(images):
    # 400 draws of a coin of 0.3: outside ± 4 standard errors (0.09) in 6 of 100,000 runs of other seeds
    policy = SubPolicies([[("Invert", 0.3, 0.0)]])
    torch.manual_seed(0)
    share = sum(not torch.equal(policy(images[0]), images[0]) for _ in range(400)) / 400
    assert abs(share - 0.3) < 4 * (0.3 * 0.7 / 400) ** 0.5
    both = SubPolicies([[("Invert", 1.0, 0.0)], []])
    share = sum(not torch.equal(both(images[0]), images[0]) for _ in range(400)) / 400
    assert abs(share - 0.5) < 4 * 0.5 / 20


def test_a_list_from_a_file(images, tmp_path):
    python, json = tmp_path / "a.py", tmp_path / "b.json"
    python.write_text("[[('Invert', 1.0, 0.2), ('Invert', 1, 0.1)], [('Invert', 1.0, 0.5), ('Invert', 1.0, 0)]]")
    json.write_text('[[["Invert", 1.0, 0.2], ["Invert", 1, 0.1]], [["Invert", 1.0, 0.5], ["Invert", 1.0, 0]]]')
    policy = policy_named(f"file:{python}")
    assert torch.equal(policy(images, 1), images)  # twice
    assert policy_named(f"file:{json}").identity == policy.identity
    assert str(tmp_path) not in policy.identity


def test_what_a_list_says_identifies_it_not_how_it_is_laid_out(tmp_path):
    path = tmp_path / "a.py"

    def identity(text: str) -> str:
        path.write_text(text)
        return policy_named(f"file:{path}").identity

    first = identity("[[('Invert', 0.5, 0.25)]]")
    assert identity('[\n  [["Invert", .50, 25e-2]],  # reformatted\n]') == first
    assert identity("[[('Invert', 0.5, 0.26)]]") != first
    assert identity("[[('Invert', 0.5, 0.25)], []]") != first


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense(", "which is no list"),
        ("__import__('os').system('true')", "which is no list"),
        ("[]", "no list, or an empty one"),
        ("[3]", "sub-policy 1: 3"),
        ("[[('Invert', 1.0)]]", r"sub-policy 1: \('Invert', 1.0\)"),
        ("[[], [('Nonsense', 1.0, 0.1)]]", "sub-policy 2: .*one of ShearX"),
        ("[[('Invert', 1.5, 0.1)]]", "numbers from 0 to 1"),
        ("[[('Invert', 'x', 0.1)]]", "numbers from 0 to 1"),
    ],
)
def test_unsuitable_lists(tmp_path, text, words):
    path = tmp_path / "policy.txt"
    path.write_text(text)
    with pytest.raises(BadInput, match=words):
        policy_named(f"file:{path}")


def test_policies_of_other_people(tmp_path):
    path = tmp_path / "views.py"
    text = "import torch\n\n\ndef half(image):\n    return 255 - image if torch.rand(()) < 0.5 else image\n\n\n"
    path.write_text(text + "def floats(image):\n    return image / 255\n\n\nnumber = 3\n")
    policy = policy_named(f"{path}:half")
    images = torch.zeros(400, 1, 4, 4, dtype=torch.uint8)
    inverted = policy(images, 1).flatten(1).amin(1) == 255
    # of 400 draws of one half, with 4.5 standard deviations: fails once in 10⁵
    assert abs(int(inverted.sum()) - 200) < 45
    assert torch.equal(policy(images, 1), policy(images, 1))
    assert policy.identity.startswith("views.py:half ")
    path.write_text(text.replace("0.5", "0.4") + "number = 3\n")
    assert policy_named(f"{path}:half").identity != policy.identity
    assert policy_named("torchvision.transforms.v2:TrivialAugmentWide")(images[:2], 1).shape == (2, 1, 4, 4)
    for name, words in (("number", "number, a int"), ("nothing", "something that views.py has")):
        with pytest.raises(BadInput, match=words):
            policy_named(f"{path}:{name}")
    path.write_text("def floats(image):\n    return image / 255\n")
    with pytest.raises(BadInput, match=r"which makes torch.float32 \(3, 16, 16\) of an image"):
        policy_named(f"{path}:floats")


def test_settings_with_a_policy_of_a_file_go_to_another_process(tmp_path):
    path = tmp_path / "views.py"
    path.write_text("def same(image):\n    return image\n")
    settings = Settings(policy=f"{path}:same")
    packed = pickle.dumps(settings)
    del sys.modules[settings.parsed_policy.policy.__module__]  # as in a process that has not read it
    assert pickle.loads(packed).parsed_policy.identity == settings.parsed_policy.identity
