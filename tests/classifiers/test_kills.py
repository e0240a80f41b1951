"""A run that is killed, in whatever it is doing, and started again ends in the bits of one that was left alone."""

import random
import subprocess
import sys
import time

import pytest

COMMAND = [
    sys.executable, "-m", "classifiers.train", "--augmentation", "fmix+cutmix", "--width", "8", "--epochs", "12",
    "--threads", "1", "--device", "cpu",
]  # fmt: skip


def start(store, *more):
    command = [*COMMAND, "--store", str(store), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def phase_of(directory) -> str | None:
    """What the process is doing, by the files that it is writing."""
    names = [path.name for path in directory.glob("*/*/.*.tmp")]
    for file, phase in (
        (".resume.pt", "checkpoint"),
        (".weights", "weights"),
        (".logits", "logits"),
        (".result", "result"),
    ):
        if any(name.startswith(file) for name in names):
            return phase
    return "training" if list(directory.glob("*/*/log.jsonl")) else None


def kill_in(process, directory, wanted: str, delay: float) -> str | None:
    """Kill the process while it does what is wanted, after a random delay; None if it ended first."""
    began = time.monotonic()
    while process.poll() is None:
        now = phase_of(directory)
        if now == wanted and (wanted != "training" or time.monotonic() - began > delay):
            process.kill()
            return now
    return None


@pytest.mark.endurance
def test_twenty_kills_leave_no_trace(tmp_path):
    undisturbed = start(tmp_path / "whole")
    assert undisturbed.wait(300) == 0
    whole = next((tmp_path / "whole").rglob("weights.safetensors"))

    draw = random.Random(0)
    store = tmp_path / "killed"
    killed = []
    # what is written at the end takes milliseconds: wanted until it has been hit, then started anew
    wanted = ["training"] * 8 + ["checkpoint"] * 6 + ["weights"] * 2 + ["logits"] * 2 + ["result"] * 2
    draw.shuffle(wanted)
    tries = 0
    while len(killed) < 20:
        tries += 1
        assert tries < 200, f"only {len(killed)} kills: {killed}"
        process = start(store, "--checkpoint-seconds", "0.05")
        hit = kill_in(process, store, wanted[len(killed)], draw.uniform(0, 8))
        process.communicate()
        if hit is None:  # it was faster: what it has finished must be whole, and is done again
            assert process.returncode == 0
            assert next(store.rglob("weights.safetensors")).read_bytes() == whole.read_bytes()
            for path in store.glob("*/*/result.json"):
                path.unlink()
            for path in store.glob("*/*/weights.safetensors"):
                path.unlink()
            continue
        assert not list(store.glob("*/*/result.json"))
        killed.append(hit)
    assert start(store).wait(300) == 0
    print(f"killed {len(killed)} times in {tries} runs:", {phase: killed.count(phase) for phase in sorted(set(killed))})
    assert len(set(killed)) >= 3
    assert next(store.rglob("weights.safetensors")).read_bytes() == whole.read_bytes()
