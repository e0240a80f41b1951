"""Steps on a Ray cluster: one that lives as long as the grid, a running one of this machine, or one at an address.

Ray waits for a cluster that is not there for minutes, and ends the process when the head of one has gone. A grid's
user is told either in one line within half a minute: whether a cluster answers is tried in a process of its own, and
whether it still does is asked every few seconds by a thread.
"""

import logging
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import chdir, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.pools import DEATHS
from experiments.steps import Outcome, Step, execute
from store import BadInput

__all__ = ["ANSWERS_WITHIN", "GONE_AFTER", "Gone", "RayCluster", "check_address"]

NEEDED = "local, auto (a running cluster of this machine), or HOST:PORT of a cluster's head"
TOKEN = "and its token in RAY_AUTH_TOKEN where it asks for one"

ANSWERS_WITHIN = 25.0
"""Seconds in which a cluster must take a driver."""
GONE_AFTER = 15.0
"""Seconds without an answer after which a cluster's head counts as gone. Ray itself would end the process at 60."""

_JOIN = "import sys, ray; ray.init(sys.argv[1], log_to_driver=False, logging_level=40)"


class Gone(RuntimeError):
    """The head of the cluster has gone. What is done is in the store, and the same command goes on from there."""

    exit_status = 1


def check_address(address: str) -> None:
    """Raise BadInput for what can be no cluster's address."""
    if address in ("local", "auto"):
        return
    host, _, port = address.rpartition(":")
    if not re.fullmatch(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", host) or not re.fullmatch(r"[0-9]{1,5}", port):
        raise BadInput("--ray", repr(address), NEEDED)
    if not 0 < int(port) < 65536:
        raise BadInput("--ray", f"{address!r}, port {int(port)}", "a port from 1 to 65535")


class RayCluster:
    """Ray's workers: on this machine (``local``), a running cluster (``auto``), or the one at an address.

    The store must be a directory that all nodes share. A step whose worker or node is lost is done again on another.
    With ``local``, nothing listens beyond this machine, nobody else on it gets in, and nothing is left of Ray.

    Args:
        address: ``local``, ``auto``, or ``HOST:PORT`` of a head node.
        threads: CPUs that a step asks for.
        gpus: GPUs that a step asks for.

    Raises:
        BadInput: Ray is not installed, or no cluster answers within `ANSWERS_WITHIN` seconds.
    """

    def __init__(self, address: str, threads: int, gpus: int) -> None:
        check_address(address)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if address == "local":  # read when ray is imported: Ray otherwise takes 127.0.0.1 for the network's address
            os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
            os.environ["RAY_AUTH_MODE"] = "token"
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        try:
            import ray
        except ImportError:
            raise BadInput("--ray", address, "the package ray (mixinfo[cluster])") from None
        self.ray, self.threads, self.gpus = ray, threads, gpus
        if address != "local":
            _check_answer(address)
        # workers look for modules first where the driver was when it joined: there, none of anybody's hide ours
        self.directory = _closed_directory()
        here: dict[str, Any] = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        here["_temp_dir"] = str(self.directory / "ray")
        with chdir(self.directory):
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **(here if address == "local" else {}))
        self.head: str = ray.get_runtime_context().gcs_address
        remote: Any = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=DEATHS - 1)
        self.remote = remote(_execute_in)
        self.work: dict[Any, tuple[Step, Path]] = {}
        self.resources: dict[str, float] = ray.cluster_resources()
        self.heard = time.monotonic()
        self.closed = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        """Ask the head what there is: the call comes back when it is there, and not before."""
        while not self.closed.wait(2):
            with suppress(Exception):  # of a cluster that is being left; what does not answer is missed by the others
                self.resources = self.ray.cluster_resources()
                self.heard = time.monotonic()

    def _check_there(self) -> None:
        if time.monotonic() - self.heard > GONE_AFTER:
            raise Gone(
                f"--ray: got no answer from the cluster's head {self.head} for {GONE_AFTER:.0f} s; "
                "what is done is kept, and the same command goes on when there is a cluster again"
            )

    def free(self) -> int:
        """How many steps could begin now: Ray queues what the cluster has no place for, so a few more than fit."""
        self._check_there()
        total = self.resources
        places = int(total.get("GPU", 0) // self.gpus) if self.gpus else int(total.get("CPU", 1) // self.threads)
        return max(places + 2 - len(self.work), 0)

    def running(self) -> list[Step]:
        """What is under way, or waits for a place."""
        return [step for step, _ in self.work.values()]

    def submit(self, step: Step, log: Path) -> None:
        """Begin a step."""
        options = step.arguments[0].execution
        device = "cuda" if self.gpus else "cpu"
        where = replace(options, store=options.store.resolve(), out=options.out.resolve(), threads=self.threads)
        placed = step.on(replace(where, device=device))
        self.work[self.remote.remote(Path.cwd(), placed, log.resolve())] = step, log

    def finished(self, seconds: float) -> Iterator[tuple[Step, Outcome]]:
        """What has finished, after at most so many seconds."""
        self._check_there()
        done, _ = self.ray.wait(list(self.work), num_returns=1, timeout=seconds)
        for reference in done:
            step, log = self.work.pop(reference)
            try:
                yield step, self.ray.get(reference)
            except self.ray.exceptions.TaskCancelledError:
                yield step, Outcome("interrupted", "cancelled")
            except self.ray.exceptions.RayError as problem:
                words = str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
                yield step, Outcome("failed", f"{words[:200]}; see {log}")

    def interrupt(self) -> None:
        """Ask all that is under way to write its checkpoint and stop."""
        for reference in self.work:
            self.ray.cancel(reference, force=False)

    def close(self) -> None:
        """Leave the cluster, and take away what an own one has left."""
        self.closed.set()
        self.ray.shutdown()
        shutil.rmtree(self.directory, ignore_errors=True)


def _execute_in(directory: Path, step: Step, log: Path) -> Outcome:
    """Do a step in the working directory of whoever gave it, from which ``mixes.py:ResizeMix`` is looked for."""
    with suppress(OSError):  # a node without the directory does what needs nothing that lies in it
        os.chdir(directory)
        if str(directory) not in sys.path:
            sys.path.append(str(directory))
    return execute(step, log)


def _closed_directory() -> Path:
    """A directory that nobody else may enter, for Ray opens those in it to everybody.

    Its sockets' names must stay below the 107 characters that Linux allows, of which Ray takes about 70.
    """
    usual = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="ray-", dir=usual if len(usual) < 20 else "/tmp"))


def _check_answer(address: str) -> None:
    """Raise BadInput unless a process that joins the cluster at an address has done so in time."""
    host, _, port = address.rpartition(":")
    try:
        if address != "auto":
            socket.create_connection((host.strip("[]"), int(port)), 5).close()
    except OSError as problem:
        got = f"{address}, where no cluster answers ({problem.strerror or problem})"
        raise BadInput("--ray", got, NEEDED) from None
    try:
        tried = subprocess.run(
            [sys.executable, "-c", _JOIN, address], capture_output=True, text=True, timeout=ANSWERS_WITHIN
        )
        complaint = tried.stderr
        if not tried.returncode:
            return
    except subprocess.TimeoutExpired as late:
        complaint = (late.stderr or b"").decode(errors="replace")
    if "uthentication" in complaint:
        raise BadInput("--ray", f"{address}, which does not take the token", f"{NEEDED}, {TOKEN}")
    raise BadInput("--ray", f"{address}, where no cluster answers", f"{NEEDED}, {TOKEN}")
