"""A run that is killed, in whatever it is doing, and started again ends in the bits of one that was left alone."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

# Imports once and forks a child for every line that it reads; its disk is slow, so that a kill can hit a file half-way.
SERVER = """
import os, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from classifiers.train import Config, Settings, run
from store.command_line import Options
fsync = os.fsync
def slow(file):
    time.sleep(0.03)
    fsync(file)
os.fsync = slow
for line in sys.stdin:
    store, seconds = line.split()
    child = os.fork()
    if child == 0:
        options = Options("cpu", 1, Path(store), checkpoint_seconds=float(seconds))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        run(Config(augmentation="fmix+cutmix", settings=Settings(width=4, epochs=5), execution=options))
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


def phase_of(store, old: set[str]) -> str | None:
    """What the process is doing, by the files that it is writing and that are not an earlier one's."""
    names = [path.name for path in store.glob("*/*/.*.tmp") if path.name not in old]
    for file in ("resume.pt", "weights", "logits", "result"):
        if any(name.startswith(f".{file}") for name in names):
            return {"resume.pt": "checkpoint"}.get(file, file)
    return "training" if list(store.glob("*/*/log.jsonl")) else None


def kill_in(child: int, store, wanted: str, delay: float) -> str | None:
    """Kill the process while it does what is wanted, in training after a delay; None if it ended first."""
    began = time.monotonic()
    old = {path.name for path in store.glob("*/*/.*.tmp")}
    while not list(store.glob("*/*/result.json")):
        now = phase_of(store, old)
        late = time.monotonic() - began > delay
        if now == wanted and (wanted != "training" or late):
            os.kill(child, signal.SIGKILL)
            return now
        time.sleep(0.001)
    return None


@pytest.mark.endurance
def test_twenty_kills_leave_no_trace(tmp_path):
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(store, seconds: float) -> int:
        server.stdin.write(f"{store} {seconds}\n")
        server.stdin.flush()
        return int(server.stdout.readline())

    def status() -> int:
        return int(server.stdout.readline())

    start(tmp_path / "whole", 60)
    began = time.monotonic()
    assert status() == 0
    seconds = time.monotonic() - began
    whole = next((tmp_path / "whole").rglob("weights.safetensors"))

    draw = random.Random(0)
    store = tmp_path / "killed"
    wanted = ["training"] * 8 + ["checkpoint"] * 6 + ["weights"] * 2 + ["logits"] * 2 + ["result"] * 2
    draw.shuffle(wanted)
    killed: list[str] = []
    misses = 0
    while len(killed) < 20:
        assert misses < 40, f"only {len(killed)} kills: {killed}"
        child = start(store, 0.05)
        hit = kill_in(child, store, wanted[len(killed)], draw.uniform(0, seconds / 2))
        if hit is None:  # it was faster: what it has finished must be right, and is done again
            assert status() == 0
            assert next(store.rglob("weights.safetensors")).read_bytes() == whole.read_bytes()
            for path in [*store.glob("*/*/result.json"), *store.glob("*/*/weights.safetensors")]:
                path.unlink()
            misses += 1
            continue
        assert status() == signal.SIGKILL
        assert not list(store.glob("*/*/result.json"))
        killed.append(hit)
        print(f"killed {len(killed)} times: while {hit}")
    start(store, 60)
    assert status() == 0
    server.stdin.close()
    assert not list(store.glob("*/*/.*.tmp"))  # what was half written has been removed
    counts = {phase: killed.count(phase) for phase in dict.fromkeys(killed)}
    print(f"\nkilled {len(killed)} times ({misses} misses): {counts}")
    assert len(counts) >= 3
    assert next(store.rglob("weights.safetensors")).read_bytes() == whole.read_bytes()
