"""The parts of the report, in the order of the page: each analysis brings its own, whether it has been run or not."""

import functools
import sys

from findings.section import Section
from store import BadInput
from training.job import JOBS, Job

__all__ = ["MASKS", "sections"]

MASKS = Section(
    key="masks",
    title="Masks and mixed images",
    paper="Figure 2",
    program="",
    measured=(
        "FMix masks drawn as the paper's text describes them, and as the reference code draws them; two photographs "
        "mixed with each, and with MixUp and CutMix, at λ = 0.5 and δ = 3."
    ),
    does_not=(
        "Pictures do not say whether the difference matters: the sections below compare the two spectra wherever both"
        " were run."
    ),
    get="python -m reports.build",
    cost="seconds, while the report is built",
    pictures={
        "figure-2": (
            "Four rows: MixUp, CutMix, FMix and FMix with the reference code's masks; in each three masks and the two"
            " photographs mixed with them. The reference masks are one band, upright or slanted to one side; the "
            "described ones have blobs of any direction."
        ),
    },
)
"""Made while the report is built."""


@functools.cache
def sections() -> tuple[Section, ...]:
    """The masks, then what every analysis brings, other people's last."""
    listed = [MASKS]
    for name in JOBS.names():
        try:
            job = JOBS.get(name, f"the analysis {name}")
        except BadInput as problem:  # a package that is broken has no section; the others' stand
            print(f"left out: {problem}", file=sys.stderr)
            continue
        listed += job.sections if isinstance(job, Job) else ()
    return tuple(listed)
