import pytest
import torch
from torchvision.transforms.v2 import functional as image_functional

from store import BadInput
from training.policies import RANGES, SubPolicies, policy_named


@pytest.fixture
def images():
    stream = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (6, 3, 16, 16), generator=stream, dtype=torch.uint8)


@pytest.mark.parametrize("name", ["autoaugment", "randaugment", "trivialaugment"])
@pytest.mark.parametrize("channels", [1, 3])
def test_named_policies_are_per_image_and_seeded(images, name, channels):
    policy, identity = policy_named(name)
    assert identity == name
    same = images[:1, :channels].expand(32, -1, -1, -1)
    state = torch.random.get_rng_state()
    found = policy(same, 1)
    assert torch.equal(torch.random.get_rng_state(), state)  # the global generator is as it was
    assert found.shape == same.shape
    assert found.dtype == torch.uint8
    assert len({image.numpy().tobytes() for image in found}) > 8
    assert torch.equal(found, policy(same, 1))
    assert not torch.equal(found, policy(same, 2))


def test_none_is_nothing():
    assert policy_named("none") == (None, "none")


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_operation_works(images, name, channels):
    image = images[0, :channels]
    for magnitude in (0.0, 0.5, 1.0):
        found = SubPolicies([[(name, 1.0, magnitude)]])(image)
        assert found.shape == image.shape
        assert found.dtype == torch.uint8
    assert torch.equal(SubPolicies([[(name, 0.0, 1.0)]])(image), image)


def test_magnitudes_are_the_published_ranges(images):
    image = images[0]

    def apply(name, magnitude):
        return SubPolicies([[(name, 1.0, magnitude)]])(image)

    assert torch.equal(apply("Brightness", 0.5), image)  # factor 1
    assert torch.equal(apply("Contrast", 1.0), image_functional.adjust_contrast(image, 1.9))
    assert torch.equal(apply("Posterize", 0.0), image & 0b11110000)
    assert torch.equal(apply("Posterize", 1.0), image)
    assert torch.equal(apply("Solarize", 0.0), 255 - image)
    for sign in (1, -1):
        torch.manual_seed(0)
        moved = [apply("TranslateX", 0.5 / 0.45 * 0.5) for _ in range(20)]  # a quarter of 16 pixels
        shifted = torch.roll(image, 4 * sign, 2)
        keep = slice(4, 16) if sign == 1 else slice(0, 12)
        assert any(torch.equal(each[:, :, keep], shifted[:, :, keep]) for each in moved)
    cut = apply("Cutout", 1.0)
    assert (cut != image).any(0).sum() <= 9  # a fifth of 16 pixels: at most 3 × 3


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
    policy, identity = policy_named(f"file:{python}")
    assert torch.equal(policy(images, 1), images)  # twice
    assert policy_named(f"file:{json}")[1] == identity
    assert str(tmp_path) not in identity


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
