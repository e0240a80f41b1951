"""Table 1: what the codes of VAEs trained under each augmentation say about the images.

``python -m analysis.mutual_info`` trains the VAEs that are missing, reuses those that are there, encodes images unseen
in training, and bounds I(Z;X) from both sides. ``--posterior FILE.npz`` does the same for anyone's encoder.

What is reported, for encoder A and images x of the test set:

- *rate on x*: the paper's first column; an upper bound on I(Z_A; X);
- *rate on x̂*: the paper's second column, exactly as published: A encodes reconstructions x̂ by a baseline VAE B
  (with Gaussian noise, whatever the likelihood). The paper calls it a lower bound on I(Z_A; Z_X); that argument needs
  Z_A encoded from x, while here it is encoded from x̂, so it is the rate of another variable and bounds nothing about
  x. B has A's seed; for the baseline itself, the next seed;
- *R_m*: the tighter upper bound, by a Gaussian fitted to the codes of the training images; the headline;
- *R − R_m*: how much of the rate, at least, is not information;
- *InfoNCE*: the lower bound, which cannot exceed log N;
- *MSE*: of a reconstruction from a sampled code, in squared units of normalised pixels;
- *−ELBO*: P·MSE/2σ² + rate, nats an image, less the constant that depends on σ alone; of volumes, with the Bernoulli
  likelihood of `vae.likelihood`, cross-entropy + rate; on clean images, what an encoder's model of the world costs
  there;
- beside every VAE the *linear VAE* (`vae.linear`) with as many latents, fitted on inputs as it saw them. A VAE whose
  −ELBO on held-out inputs like its own is more than two paired standard errors above is *under-trained*, and no claim
  about augmentations rests on it (of an augmentation: where most of its VAEs are);
- *active units*: latents whose posterior means vary over the images with variance above 0.01;
- *overfitting*: −ELBO of test less that of training inputs, both like the encoder's own; and by how much −ELBO fell
  over the last fifth of the training (`vae.curve`);
- *−ELBO less the baseline's*, of the same seed and images: by how much A's model codes real images worse;
- of those that ``--bounds`` names, upper bounds beside R_m: a Gaussian, or leave-one-out, for each class, with what the
  code says of the class, I(Z;Y); and R_m *spliced* along ``--noise`` (`analysis.bounds.tightened`);
- with ``--shared``, *I(Z_A;Z_X)* itself, Z_X the code of x by B (`analysis.bounds.shared`).

``--decoder-scales 1 0.3 0.1`` repeats all of it at each scale and draws the rate-distortion plane (Alemi et al. 2018,
arXiv 1711.00464): a conclusion about augmentations holds at the scales at which it was seen.

Items may be images, clips of sound, as log-mel spectrograms, or volumes; what is said here of images holds of them.

Own-augmented inputs are mixtures of disjoint pairs of test images (N/2 mixtures of N images, λ per sample), so that
they are independent, jittered and flipped as in training.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pandas as pd
import tyro

from analysis.bounds.estimators import check_estimators, described, sources_of, unasked
from analysis.bounds.labelled import check_labels
from analysis.bounds.tightened import classes_of_fit, of_labels
from analysis.mutual_info.document import (
    comparisons,
    draw,
    flagged_headlines,
    joined,
    tables_by_scale,
    text_of,
    title_of,
)
from analysis.mutual_info.posterior import bound_encoder, read_posterior
from analysis.mutual_info.rows import (
    Codes,
    labels_of,
    linear_of_clean,
    linear_rows_of,
    own_inputs,
    rows_of_vae,
    worse_than,
)
from analysis.mutual_info.section import SECTIONS
from findings import Result, publish
from findings.decisions import decide
from findings.sentences import said_of
from findings.text import printed
from store import BadInput, Run, evidence, in_range, provenance, slug, write_json
from store.command_line import json_document, refuse_beside
from store.registry import known_as
from store.runs import now
from tasks import Task, load
from training import resolve_device, use_threads
from training.devices import describe
from training.grid import Grid, Trainer, Which, different
from training.job import Job, Step, document_step
from training.live import asked_from_python
from training.mixing import identity_of
from training.progress import stage
from training.until import until_decided
from vae.curve import POINT
from vae.linear import LinearVAE
from vae.train import SCALES, TRAINER, Settings, step_of
from vae.train import Config as TrainConfig

__all__ = [
    "Config",
    "comparisons",
    "draw",
    "joined",
    "linear_rows_of",
    "look",
    "own_inputs",
    "read_posterior",
    "run",
    "text_of",
    "worse_than",
]

VERSION = 5
"""Raised when the analysis of the same VAEs gives another result."""


PROGRAM = "python -m analysis.mutual_info"


FURTHER = {"decoder_scale": None, "heavy_tailed": None, "under_trained": None, "fitted_on": None}
"""Fields of every row that only some have something in."""


@dataclass(frozen=True)
class Config(Grid):
    """Bound the mutual information between images and the codes of VAEs trained under each augmentation.

    With no option: the digits, four augmentations, three seeds. With --posterior: your own encoder. How the bounds do
    on encoders of known information: python -m analysis.ground_truth.

    Table 1 and figures of the bounds, the sentences that they allow, and result.json come out, in OUT/table-1-DATA; the
    VAEs stay in the store.
    """

    first_seed: int = 1
    """the first of them, where those before it have been analysed: seeds FIRST_SEED to FIRST_SEED + SEEDS - 1"""
    bounds: Annotated[tuple[str, ...], tyro.conf.arg(help=described("which bounds on I(Z;X) to compute"))] = unasked()
    inputs: tuple[Literal["clean", "own-augmented"], ...] = ("clean",)
    """score each encoder on clean test images, on test images mixed as in its own training, or on both"""
    decoder_scales: tuple[float, ...] = ()
    """train and bound at each of these --decoder-scale: 1 0.3 0.1, say; draws the rate-distortion plane and says what
    changes with the scale"""
    shared: bool = False
    """also bound I(Z_A;Z_X), what an encoder's code shares with the baseline's code of the same image"""
    decomposition: bool = False
    """also divide the rate into index-code MI, total correlation and dimension-wise KL; about a minute more a VAE at
    10,000 images"""
    noise: tuple[float, ...] = ()
    """also bound the codes with noise of NOISE times each dimension's standard deviation: 0.5 1 2 4, say; where
    information falls below log N, the bounds meet and the noised codes can be compared"""
    reconstruction_scale: float = 0.1
    """standard deviation of the decoder's noise in x̂, in units of normalised pixels"""
    posterior: Path | None = None
    """bound this encoder instead of training any: an .npz with mean and log_var (N, d), optionally codes (N, d) and
    labels (N,), for bounds with class labels; or the directory of a VAE's run, which then encodes the test images of
    --data"""
    posterior_b: Path | None = None
    """a second encoder of the same images, in the same way: bounds I(Z_A;Z_B)"""
    settings: Settings = field(default_factory=Settings, kw_only=True)

    trainer: ClassVar[Trainer] = TRAINER

    def __post_init__(self) -> None:
        super().__post_init__()
        check_estimators(self.bounds, "--bounds")
        different("--inputs", self.inputs)
        for option, values in (("--noise", self.noise), ("--decoder-scales", self.decoder_scales)):
            if len(set(values)) != len(values):
                raise BadInput(option, " ".join(map(str, values)), "different numbers")
            for value in values:
                in_range(option, value, *SCALES)
        if self.decoder_scales and self.settings.decoder_scale != Settings().decoder_scale:
            raise BadInput(
                "--decoder-scale", f"{self.settings.decoder_scale} beside --decoder-scales", "one of the two"
            )
        if (by_class := of_labels(self.estimators)) and "own-augmented" in self.inputs:
            raise BadInput(
                "--bounds", f"{by_class[0]} beside --inputs own-augmented", "--inputs clean: a mixture has no one class"
            )
        if self.posterior_b is not None and self.posterior is None:
            raise BadInput("--posterior-b", self.posterior_b, "--posterior, the first encoder")
        if self.posterior is not None:
            grid = ("augmentations", "seeds", "until", "margin", "first_seed", "inputs", "decoder_scales", "shared")
            refuse_beside(self, "--posterior", *grid, "settings", "reconstruction_scale")
        in_range("--reconstruction-scale", self.reconstruction_scale, 0, SCALES[1])

    def networks(self) -> list[Which]:
        """Augmentation and seed of every VAE, the baselines that reconstructions need included."""
        wanted = super().networks()
        seeds = dict.fromkeys(seed for _, seed in wanted)
        return [("none", seed) for seed in seeds if "none" not in self.augmentations] + wanted

    @property
    def estimators(self) -> tuple[str, ...]:
        """The bounds by the names that rows have: somebody else's are entered under one of their own."""
        return check_estimators(self.bounds, "--bounds")

    def by_scale(self) -> dict[float, "Config"]:
        """The same job at each decoder scale, one after the other."""
        scales = self.decoder_scales or (self.settings.decoder_scale,)
        return {
            scale: replace(self, decoder_scales=(), settings=replace(self.settings, decoder_scale=scale))
            for scale in scales
        }


@asked_from_python(Config)
def run(config: Config) -> Result:
    """Do the main job; print as it goes, unless ``--json -`` claims standard output.

    Example:
        >>> from msda import MixUp
        >>> run(augmentations=["none", MixUp(alpha=0.2)], seeds=5)  # doctest: +SKIP
    """
    return _of_encoder(config) if config.posterior is not None else until_decided(config, look)


def look(config: Config) -> Result:
    """Do it with as many seeds as the configuration has: all of the job, or one look of ``--until decided``."""
    config = config.smoked()
    data = load(config.data, download=not config.execution.dry_run)
    if config.decoder_scales and config.settings.likelihood_for(data) == "bernoulli":
        got = f"{' '.join(f'{scale:g}' for scale in config.decoder_scales)} with a Bernoulli likelihood"
        raise BadInput("--decoder-scales", got, "--likelihood gaussian: the other has no scale")
    _check_size(config, data)
    _check_labels(config, data)
    if config.execution.dry_run:
        return _dry_run(config, data)
    configs = config.by_scale()
    analyses = {scale: _analysis_run(at_scale, data) for scale, at_scale in configs.items()}
    missing = {scale: at_scale for scale, at_scale in configs.items() if not _stands(analyses[scale], at_scale, data)}
    for analysis in (analyses[scale] for scale in configs if scale not in missing):
        config.execution.say(f"reused {analysis.result()['vaes']} VAEs and their analysis, {analysis.path}")
    # no lock while training, so that a second process with the same command can take half of the VAEs
    plans = [at_scale.plan(data) for at_scale in missing.values()]
    if missing:
        plan = sum(plans[1:], plans[0])
        plan.say("bounds", config.execution)
        with plan.progress("bounds of VAEs", config.execution):
            trained = {scale: at_scale.train(data) for scale, at_scale in missing.items()}
            fitted: dict[str, LinearVAE] = {}
            for scale, at_scale in missing.items():
                with analyses[scale].lock():
                    if not _stands(analyses[scale], at_scale, data):
                        _analyse(at_scale, data, analyses[scale], *trained[scale], fitted)
    return _report(config, data, {scale: analysis.result() for scale, analysis in analyses.items()})


def _of_encoder(config: Config) -> Result:
    bounded = bound_encoder(config)
    if bounded is None:
        return Result([])
    rows, text = bounded
    rows = [FURTHER | row for row in rows]
    config.execution.say(printed(text, sys.stderr if config.execution.json == "-" else sys.stdout))
    config.execution.write(json_document(PROGRAM, config, rows))
    return Result(rows, pd.DataFrame(rows), text)


def _stands(analysis: Run, config: Config, data: Task) -> bool:
    """Whether the analysis is there, is complete, and is of the VAEs that are in the store now."""
    if analysis.status != "done" or config.execution.force:
        return False
    record = analysis.result()
    runs = [config.run_of(data, network) for network in config.networks()]
    return not record["failures"] and all(
        vae.result()["files"] == record["inputs_sha256"].get(vae.name) for vae in runs if vae.status == "done"
    )


def _check_size(config: Config, data: Task) -> None:
    shortest = len(data.test) // 2 if "own-augmented" in config.inputs else len(data.test)
    if shortest < 2:
        raise BadInput("--data", f"{len(data.test)} test {data.items}", "at least 2 (4 with own-augmented inputs)")


def _check_labels(config: Config, data: Task) -> None:
    """Refuse bounds by class where images have not one class each, before anything is trained."""
    if not (asked := of_labels(config.estimators)):
        return
    if (labels := labels_of(data)) is None:
        raise BadInput("--bounds", f"{asked[0]} of data with rows of labels", said_of(data.items, "one class an image"))
    try:
        check_labels(labels.scored, len(data.test))
        classes_of_fit(labels, len(data.train))
    except BadInput as mistake:
        raise BadInput("--data", f"{mistake.argument}: {mistake.got}", mistake.needed) from None


def _analysis_run(config: Config, data: Task) -> Run:
    identity = {
        "version": VERSION,
        "config": config.settings.resolved(data)
        | _sources(config.augmentations)
        | ({"bounds_sources": sources} if (sources := sources_of(config.bounds, "--bounds")) else {})
        | {
            "augmentations": [known_as(augmentation) for augmentation in config.augmentations],
            "seeds": config.seeds,
            "first_seed": config.first_seed,
            "bounds": [known_as(name) for name in config.bounds],
            "inputs": list(config.inputs),
            "noise": list(config.noise),
            "shared": config.shared,
            "decomposition": config.decomposition,
            "reconstruction_scale": config.reconstruction_scale,
            "smoke": config.smoke,
        },
        "seed": None,
        "data": data.identity,
    }
    return Run(config.execution.store, "mutual-info", f"{data.name.lower()}-table-1", identity)


def _sources(augmentations: Sequence[str]) -> dict[str, Any]:
    """Of those augmentations that are not built in, the hashes of their sources; nothing where all are."""
    identities = (identity_of(augmentation) for augmentation in augmentations)
    sources = {
        identity["augmentation"]: identity["augmentation_source"]
        for identity in identities
        if "augmentation_source" in identity
    }
    return {"augmentation_sources": sources} if sources else {}


def _dry_run(config: Config, data: Task) -> Result:
    runs, analyses = [], []
    for at_scale in config.by_scale().values():
        runs += [at_scale.run_of(data, network) for network in at_scale.networks()]
        analyses.append(_analysis_run(at_scale, data))
    for planned in [*runs, *analyses]:
        config.execution.say(f"{planned.status:<8} {planned.path}")
    waiting = sum(vae.status != "done" for vae in runs)
    config.execution.say(f"{len(runs) - waiting} VAEs to reuse, {waiting} to train")
    return Result([])


def _analyse(
    config: Config,
    data: Task,
    analysis: Run,
    runs: dict[tuple[str, int], Run],
    failures: list[str],
    fitted: dict[str, LinearVAE],
) -> None:
    device, threads = resolve_device(config.execution.device), use_threads(config.execution.threads)
    origin, started = provenance(describe(device), threads), now()
    analysis.begin()
    data = data.to(device)
    rows: list[dict[str, Any]] = []
    codes = Codes(config, data, runs, device, fitted)
    wanted = [network for network in config.networks() if network[0] in config.augmentations and network in runs]
    partial = []
    with stage("bounds of VAEs", len(wanted), config.execution.quiet) as settle:
        for augmentation, seed in wanted:
            # an interrupted analysis goes on with the next VAE
            file = analysis.path / f"rows-{slug(known_as(augmentation))}-seed{seed}.json"
            partial.append(file)
            weights = runs[augmentation, seed].result()["files"]
            kept = None if config.execution.force or not file.exists() else json.loads(file.read_text("utf-8"))
            if fresh := kept is None or kept["weights"] != weights:
                kept = {"weights": weights, "rows": rows_of_vae(config, codes, augmentation, seed, analysis.path)}
                write_json(file, kept)
            rows += kept["rows"]
            settle(fresh)
    if rows and "clean" in config.inputs:
        rows += linear_of_clean(codes)
    if not rows:
        raise SystemExit(f"{PROGRAM}: every VAE failed:\n" + "\n".join(failures))
    analysis.finish(
        metrics={"headline": flagged_headlines(rows)},
        started=started,
        origin=origin,
        rows=rows,
        failures=failures,
        vaes=len(runs),
        inputs_sha256={vae.name: vae.result()["files"] for vae in runs.values()},
        images={"train": len(data.train), "test": len(data.test)},
    )
    for file in partial:
        file.unlink()


def _report(config: Config, data: Task, records: Mapping[float, dict[str, Any]]) -> Result:
    """Print and write tables, figures and the JSON document."""
    from analysis.mutual_info.reconstructions import save_reconstructions  # matplotlib is slow to import

    first = next(iter(records.values()))
    name, watermark = first["data"]["name"], "SMOKE RUN" if config.smoke else None
    settings = first["config"] | {"data": name, "train_images": first["images"]["train"]}
    settings |= {} if data.items == "images" else {"items": data.items}
    rows = [
        FURTHER | row | {"decoder_scale": scale}
        for scale, record in records.items()
        for row in record["metrics"]["headline"] + record["rows"]
    ]
    failures = [failure for record in records.values() for failure in record["failures"]]
    about = {"title": "", "data": name, "watermark": watermark, "conclusions": "", "settings": settings}
    document = json_document(PROGRAM, config, rows) | {"about": about, "failures": failures}
    trained = _trained(config, data)
    about["curves"] = [where | point for where, vae in trained for point in vae.curve(POINT)]
    about["title"] = title_of(document)
    text, about["conclusions"] = text_of(document)
    directory = config.execution.out / f"table-1-{slug(name.lower())}{'-smoke' if config.smoke else ''}"
    files = draw(document, directory)
    names = [known_as(augmentation) for augmentation in config.augmentations]
    files += save_reconstructions(trained, names, config.settings, data, about, directory, config.execution)
    decisions = decide(comparisons(document), document["config"])
    tables = pd.concat(tables_by_scale(document).values(), ignore_index=True)
    result = Result(rows, tables, text, files, failures, decisions)
    return publish(result, PROGRAM, config, directory, about, evidence(trained))


def _trained(config: Config, data: Task) -> list[tuple[dict[str, Any], Run]]:
    """The VAEs behind an analysis that are there, and what tells each from the others."""
    return [
        ({"augmentation": known_as(augmentation), "seed": seed, "decoder_scale": scale}, vae)
        for scale, at_scale in config.by_scale().items()
        for augmentation, seed in at_scale.networks()
        if (vae := at_scale.run_of(data, (augmentation, seed))).status == "done"
    ]


def _steps(config: Config, _: Sequence[Step]) -> Iterator[Step]:
    if config.posterior is not None:
        yield from document_step(config)
        return
    trained = [
        step_of(TrainConfig(augmentation, seed, at_scale.data, at_scale.settings, at_scale.execution))
        for at_scale in config.smoked().by_scale().values()
        for augmentation, seed in at_scale.networks()
    ]
    yield from trained
    yield from document_step(config, trained)


JOB = Job(PROGRAM, _steps, SECTIONS)
