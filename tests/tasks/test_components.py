"""Several questions of every item: rows of targets, one question alone, and what is refused."""

import itertools
from dataclasses import replace

import pytest
import torch

from store import BadInput
from tasks.components import MORE, blocks, checked_components, indices_of, one_component, rows_of
from tasks.graphemes.made_up import made_up_graphemes
from tasks.metrics import FURTHER
from tasks.parts import _combinations, stratified
from tasks.task import Component, Image, InMemory, Task, image_task

COMPONENTS = (Component("root", 5), Component("vowel", 3), Component("consonant", 2))


def indices(count: int = 40) -> torch.Tensor:
    stream = torch.Generator().manual_seed(0)
    return torch.stack([torch.randint(one.classes, (count,), generator=stream) for one in COMPONENTS], 1)


def task(count: int = 40) -> Task:
    images = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 4, 4)
    split = InMemory(images, rows_of(indices(count), COMPONENTS))
    return Task("three", split, {"test": split.only(torch.arange(9))}, Image(1, 4, 4), 10, components=COMPONENTS)


def test_a_row_has_one_1_in_every_block():
    rows, chosen = rows_of(indices(), COMPONENTS), indices()
    assert rows.dtype == torch.float32
    slow = torch.zeros(40, 10)
    for place, of_item in enumerate(chosen.tolist()):
        for start, index in zip((0, 5, 8), of_item, strict=True):
            slow[place, start + index] = 1
    assert torch.equal(rows, slow)
    assert torch.equal(indices_of(rows, COMPONENTS), chosen)
    assert blocks(COMPONENTS) == (slice(0, 5), slice(5, 8), slice(8, 10))


@pytest.mark.parametrize("place", range(3))
def test_one_component_alone_has_class_indices(place):
    whole, (name, classes) = task(), COMPONENTS[place]
    alone = one_component(whole, name)
    assert (alone.name, alone.classes, alone.components) == (f"three ({name})", classes, ())
    assert torch.equal(alone.train.targets, indices()[:, place])
    assert torch.equal(alone.test.targets, indices()[:9, place])
    assert torch.equal(alone.train.inputs, whole.train.inputs)
    assert alone.metrics == MORE
    assert set(MORE) <= set(FURTHER)


def test_every_component_is_data_of_its_own_and_the_same_one_every_time():
    digests = [one_component(task(), name).digest for name, _ in COMPONENTS]
    assert len({task().digest, *digests}) == 4
    assert one_component(task(), "root").digest == digests[0]
    assert one_component(task(39), "root").digest != digests[0]


def test_votes_are_those_of_the_component():
    votes = torch.arange(90.0).view(9, 10)
    assert torch.equal(one_component(replace(task(), votes=votes), "vowel").votes, votes[:, 5:8])


def test_a_component_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(BadInput) as problem:
        one_component(task(), "vowels")
    line = "--component: got 'vowels'; needs a component of three: root, vowel, consonant; perhaps vowel?"
    assert str(problem.value) == line
    images = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    plain = image_task("plain", (images, torch.arange(2)), (images, torch.arange(2)))
    with pytest.raises(BadInput) as problem:
        one_component(plain, "root", "component")
    assert str(problem.value) == "component: got 'root'; needs a data set of several components, which plain is not"


def wrong(change) -> InMemory:
    targets = task().train.targets.clone()
    change(targets)
    return InMemory(task().train.inputs, targets)


def two_roots(targets):
    targets[3, :5] = torch.tensor([1.0, 1, 0, 0, 0])


def halves(targets):
    targets[3, 5:8] = torch.tensor([0.5, 0.5, 0])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"components": (Component("root", 9), Component("vowel", 2))}, "10 classes whose components have 11"),
        ({"components": (*COMPONENTS[:2], Component("root", 2))}, "root, vowel, root; needs names that differ"),
        ({"components": (("root", 10),)}, r"the component \('root', 10\); needs Component\(name, classes\)"),
        ({"components": (*COMPONENTS, Component("one", 1))}, "component one has 1 classes; needs two classes at least"),
        ({"several": True}, "several labels and of components; needs several=False"),
        ({"train": wrong(two_roots)}, "train targets that are no such rows: 1; needs rows of 10 columns with one 1"),
        ({"train": wrong(halves)}, "train targets that are no such rows: 1"),
        ({"tests": {"test": InMemory(task().train.inputs, indices()[:, 0])}}, r"test targets of shape \(40,\)"),
    ],
)
def test_components_that_are_none_are_refused(changed, words):
    with pytest.raises(BadInput, match=words) as problem:
        checked_components(replace(task(), **changed), "mine")
    assert "\n" not in str(problem.value)


def test_components_that_are_ones_are_left_as_they_are():
    assert checked_components(task(), "mine").components == COMPONENTS
    images = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    plain = image_task("plain", (images, torch.arange(2)), (images, torch.arange(2)))
    assert checked_components(plain, "mine") is plain


def test_tenths_of_few_items_a_combination_are_disjoint_and_of_one_size():
    targets = made_up_graphemes().train.targets  # 10 of each of 60; of 6 of each, 5 and 7 there are no whole tenths
    for each in (6, 5, 7, 10):
        some = targets[: 60 * each]
        folds = [stratified(some, fold / 10, (fold + 1) / 10, components=True) for fold in range(10)]
        assert torch.equal(torch.cat(folds).sort().values, torch.arange(60 * each))
        assert max(map(len, folds)) - min(map(len, folds)) <= 4
        for fold in folds:
            assert some[fold].sum(0).min() > 0  # every class of every component
            most = some[fold].unique(dim=0, return_counts=True)[1].max()
            assert most <= -(-each // 10)


def test_a_larger_share_of_combinations_holds_the_smaller_ones():
    targets = made_up_graphemes().train.targets[:360]
    shares = [set(stratified(targets, 0, share, components=True).tolist()) for share in (0.1, 0.25, 0.5, 0.9, 1)]
    assert all(smaller < larger for smaller, larger in itertools.pairwise(shares))
    assert [len(share) for share in shares] == pytest.approx([36, 90, 180, 324, 360], abs=3)


def slow_stratified(classes, start, stop):
    order = torch.randperm(len(classes), generator=torch.Generator().manual_seed(0))
    chosen = []
    for number in classes.unique():
        members = [place for place in order.tolist() if classes[place] == number]
        chosen += members[round(start * len(members)) : round(stop * len(members))]
    return sorted(chosen)


def test_shares_of_classes_are_what_they_always_were():
    classes = torch.randint(7, (200,), generator=torch.Generator().manual_seed(1)) * 3
    for start, stop in ((0, 0.1), (0.35, 0.8), (0.8, 1)):
        assert stratified(classes, start, stop).tolist() == slow_stratified(classes, start, stop)


def test_combinations_are_numbered_as_whole_rows_are():
    rows = rows_of(indices(300), COMPONENTS)
    numbers, whole = _combinations(rows), rows.unique(dim=0, return_inverse=True)[1]
    pairs = set(zip(numbers.tolist(), whole.tolist(), strict=True))
    assert len(pairs) == len(numbers.unique()) == len(whole.unique()) == 30
