"""Files of ``--config``: what of them counts, and what is refused, naming the file and the key."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest
import tyro

from store import BadInput, Run
from store.command_line import Options, parse
from store.options import MACHINE, option_types

PROGRAM = "python -m some.job"


@dataclass(frozen=True)
class Part:
    """A part."""

    epochs: int | None = None
    learning_rate: float = 0.1
    schedule: Literal["step", "cosine"] | None = None
    flip: bool | None = None

    def __post_init__(self):
        if self.epochs == 0:
            raise BadInput("--epochs", 0, "an integer of at least 1")


@dataclass(frozen=True)
class Config:
    """A command."""

    names: tuple[str, ...] = ("none", "fmix")
    sizes: tuple[float, ...] = ()
    seeds: int = 3
    until: Literal["decided"] | None = None
    smoke: bool = False
    files: tuple[Path, ...] = ()
    settings: Part = field(default_factory=Part)
    execution: Options = field(default_factory=Options)


@dataclass(frozen=True)
class WithName:
    """A command with an argument."""

    experiment: Annotated[str, tyro.conf.Positional]
    seeds: int = 3


@pytest.fixture
def parsed(tmp_path, monkeypatch):
    """Parses a command line beside a file with a content."""
    monkeypatch.chdir(tmp_path)

    def parse_with(content: object, *words: str, config=Config):
        path = Path("o.toml" if isinstance(content, str) else "o.json")
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return parse(config, PROGRAM, ["--config", str(path), *words])

    return parse_with


def document(**config) -> dict:
    return {"schema": 1, "command": PROGRAM, "config": config, "results": []}


def test_a_toml_file_holds_options_flat_or_in_tables_of_the_parts(parsed):
    flat = 'learning-rate = 1\nepochs = 2\nnames = ["a", "b c"]\nsizes = []\nsmoke = true\nflip = false\nstore = "s"\n'
    config = parsed(flat + 'files = ["x", "y"]\n')
    assert config.settings == Part(2, 1.0, flip=False)
    assert (config.names, config.sizes, config.smoke) == (("a", "b c"), (), True)
    assert config.execution.store == Path("s")
    assert config.files == (Path("x"), Path("y"))
    tables = 'smoke = false\n[settings]\nlearning_rate = 0.5\nschedule = "cosine"\n[execution]\nthreads = 2\n'
    assert parsed(tables) == Config(settings=Part(None, 0.5, "cosine"), execution=Options(threads=2))


@pytest.mark.parametrize(
    "words",
    [["--epochs", "5"], ["--epochs=5"], ["--names", "x", "--epochs", "5"], ["--epochs", "5", "--learning_rate", "0.1"]],
)
def test_the_command_line_counts_before_the_file(parsed, words):
    config = parsed('epochs = 2\nlearning_rate = 0.3\nnames = ["a"]\nseeds = 4\n', *words)
    assert (config.settings.epochs, config.seeds) == (5, 4)
    assert config.settings.learning_rate == (0.1 if "--learning_rate" in words else 0.3)
    assert config.names == (("x",) if "--names" in words else ("a",))


def test_what_the_command_line_says_may_be_wrong_in_the_file(parsed):
    assert parsed("epochs = 0", "--epochs", "5").settings.epochs == 5
    with pytest.raises(BadInput, match=r"^o.toml: epochs: got 0; needs an integer of at least 1$"):
        parsed("epochs = 0")
    with pytest.raises(BadInput, match=r"^--epochs: got 0;"):
        parsed("epochs = 3", "--epochs", "0")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("epohcs = 2", "o.toml: epohcs: got a value for what is no option; needs an option of .*; perhaps epochs?"),
        ("lr = 2", "o.toml: lr: got .*; perhaps learning-rate?"),
        ('epochs = "two"', "o.toml: epochs: got 'two'; needs an integer$"),
        ("epochs = 1.5", "o.toml: epochs: got 1.5; needs an integer$"),
        ("epochs = true", "o.toml: epochs: got True; needs an integer$"),
        ("seeds = 1" + "0" * 4000, "o.toml: seeds: got an integer of hundreds of digits; needs a smaller one"),
        ("seeds = 1" + "0" * 5000, "--config: got o.toml, which is not TOML"),
        ('schedule = "cos"', "o.toml: schedule: got 'cos'; needs step or cosine$"),
        ("flip = 1", "o.toml: flip: got 1; needs True or False$"),
        ('smoke = "yes"', "o.toml: smoke: got 'yes'; needs True or False$"),
        ('names = "fmix"', "o.toml: names: got 'fmix'; needs a list, each text$"),
        ("sizes = [1, 'x']", r"o.toml: sizes: got \(1, 'x'\); needs a list, each a number$"),
        ('names = ["--x"]', "o.toml: names: got '--x'; needs text without"),
        ('store = "a\\u0000b"', r"o.toml: store: got 'a\\x00b'; needs text without"),
        ('store = ""', "o.toml: store: got nothing; needs a path"),
        ('device = "gpu"', "o.toml: device: got 'gpu'; needs auto, cpu, cuda or cuda:N; perhaps cuda?"),
        ("[sttings]\nepochs = 1", r"o.toml: sttings: got a table; .*\[settings\], \[execution\]; perhaps settings?"),
        ("[settings]\nseeds = 1", "o.toml: seeds: got a value for what is no option"),
        ("[settings.epochs]\nx = 1", "o.toml: epochs: got a table; needs tables of .*: none"),
        ("epochs = 1\n[settings]\nepochs = 2", "o.toml: epochs: got two values; needs one"),
        ("learning-rate = 1\nlearning_rate = 1", "o.toml: learning_rate: got two values; needs one"),
        ("config = 'x'", "o.toml: config: got a value for what is no option"),
        ("epochs 2", "--config: got o.toml, which is not TOML"),
        (
            [1],
            r"--config: got o.json, which is no record of ours; needs a TOML file \(NAME.toml\) with .*some.job, or a",
        ),
        ({"schema": 1, "config": {}}, "--config: got o.json, which is no record of ours"),
        (document() | {"command": "python -m other"}, "--config: got o.json, which python -m other wrote; needs a"),
        (document() | {"config": [1]}, "o.json: got a record without 'config'"),
        (document(epohcs=2), "o.json: epohcs: got a value for what is no option"),
        (document(settings={"epochs": "x"}), "o.json: epochs: got 'x'; needs an integer$"),
        (document(settings={"epochs": 0}), "o.json: epochs: got 0; needs an integer of at least 1"),
    ],
)
def test_what_a_file_cannot_say_is_one_line_with_the_file_and_the_key(parsed, content, words):
    with pytest.raises(BadInput, match="^" + words.replace("?", r"\?")) as mistake:
        parsed(content)
    assert "\n" not in str(mistake.value)
    assert len(str(mistake.value)) < 500


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--config"], "--config: got nothing; needs a file"),
        (["--config="], "--config: got nothing; needs a file"),
        (
            ["--config", "o.yaml"],
            "--config: got o.yaml, which is no file; needs a TOML file (NAME.toml) with options of python -m",
        ),
        (["--config", "nowhere.toml"], "--config: got nowhere.toml, which is no file; needs"),
        (["--config", "."], "--config: got result.json, which is no file; needs"),
        (["--config", "a.toml", "--config=b.toml"], "--config: got two files; needs one"),
        (["--config", "/dev/zero"], "--config: got /dev/zero; needs a TOML file"),
    ],
)
def test_a_file_that_is_none_is_one_line(tmp_path, monkeypatch, words, line):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput) as mistake:
        parse(Config, PROGRAM, words)
    assert str(mistake.value).startswith(line)


def test_a_document_says_what_was_done_and_not_where(parsed):
    execution = {"device": "cuda", "threads": 7, "store": "elsewhere", "out": "x", "dry_run": True, "force": True}
    execution |= {"checkpoint_seconds": 1.0, "quiet": True, "json": "-"}
    assert execution.keys() <= MACHINE & option_types(Config).keys()
    settings = {"epochs": 2, "learning_rate": 0.1, "schedule": None, "flip": True}
    said = {"names": ["a"], "sizes": [0.5, 1], "seeds": 5, "until": None, "smoke": True}
    config = parsed(document(**said, settings=settings, execution=execution))
    assert config == Config(("a",), (0.5, 1.0), 5, None, True, settings=Part(2, flip=True))
    assert parsed(document(settings={"epochs": 2}), "--threads", "3").execution == Options(threads=3)


def test_the_seeds_of_a_look_were_not_asked_for(parsed):
    assert parsed(document(until="decided", seeds=12)) == Config(until="decided")
    assert parsed('until = "decided"\nseeds = 12\n') == Config(until="decided", seeds=12)


def test_an_argument_without_a_name_comes_from_the_file_or_the_line(parsed):
    assert parsed('experiment = "table-1"', config=WithName) == WithName("table-1")
    assert parsed('experiment = "table-1"\nseeds = 5', "table-2", config=WithName) == WithName("table-2", 5)
    assert parsed('experiment = "table-1"', "--seeds", "4", config=WithName) == WithName("table-1", 4)


def test_the_record_of_a_run_is_for_the_command_that_makes_such_runs(tmp_path, monkeypatch):
    run = Run(tmp_path, "vae", "digits", {"config": {}, "seed": 1, "data": {"name": "digits"}})
    run.begin()
    run.finish(metrics={}, started="", origin={})
    for path in (run.path, run.path / "result.json", run.path / "config.json"):
        with pytest.raises(BadInput, match=r"^--config: got .*, the record of a run of kind 'vae'; needs a TOML"):
            parse(Config, PROGRAM, ["--config", str(path)])
