"""An analysis: how confident classifiers are, beside how often they are right."""

from dataclasses import dataclass

from classifiers.grid import ClassifierGrid, grid_steps, settings_of
from classifiers.load import kept_logits
from findings import Result, publish
from findings.over_seeds import headlines
from findings.row import row
from findings.section import Section
from findings.table import Column, Table, cells_over_seeds
from store import evidence
from store.command_line import command
from tasks import load
from training.job import Job

PROGRAM = "python -m mixinfo_extras.confidence"


@dataclass(frozen=True)
class Config(ClassifierGrid):
    """Measure the mean largest probability of classifiers trained under each augmentation."""

    augmentations: tuple[str, ...] = ("none", "mixup")
    """under which they are trained"""


def run(config):
    """Train what is missing, and write the document."""
    config = config.smoked()
    data = load(config.data)
    trained, failures = config.train(data)
    rows = []
    for (augmentation, seed), each in trained.items():
        confidence = kept_logits(each)[0].double().softmax(1).amax(1)
        value, n = 100 * float(confidence.mean()), len(confidence)
        rows.append(
            row(
                "confidence", "confidence", value, units="%", n=n, inputs="clean", augmentation=augmentation, seed=seed,
                standard_error=100 * float(confidence.std()) / n**0.5,
            )
        )  # fmt: skip
    settings = settings_of(next(iter(trained.values())))
    about = {
        "title": f"Confidence on {data.name}", "data": data.name, "settings": settings, "watermark": None,
        "conclusions": "",
    }  # fmt: skip
    runs = evidence(({"augmentation": one, "seed": seed}, each) for (one, seed), each in trained.items())
    text = "\n".join(f"{each['augmentation']} {each['value']:.1f}%" for each in headlines(rows))
    result = Result(headlines(rows) + rows, text=text, failures=failures)
    return publish(result, PROGRAM, config, config.execution.out / "confidence", about, runs)


def _table(document):
    columns = {"confidence": Column("confidence, %", 1)}
    lines, numbers = cells_over_seeds(document, document.rows, columns)
    return Table("Largest probability", ["augmentation", "confidence, %"], lines, numbers)


SECTIONS = (
    Section(
        key="confidence", title="Confidence", paper="—", program=PROGRAM,
        measured="The mean largest probability of classifiers.", does_not="Confidence is no accuracy.",
        get=PROGRAM, cost="seconds, besides training", table=_table,
    ),
)  # fmt: skip

JOB = Job(PROGRAM, lambda config, _: grid_steps(config), SECTIONS)

if __name__ == "__main__":
    command(Config, run, PROGRAM)
