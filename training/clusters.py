"""A Ray cluster: one that lives as long as this process wants it, a running one of this machine, or one at an address.

Ray waits for a cluster that is not there for minutes, and ends the process when the head of one has gone. Here a user
is told either in one line within half a minute: whether a cluster answers is tried in a process of its own, and
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
from contextlib import chdir, suppress
from pathlib import Path
from typing import Any

from store import BadInput

__all__ = ["ANSWERS_WITHIN", "DEATHS", "GONE_AFTER", "Cluster", "Gone", "check_address"]

NEEDED = "local, auto (a running cluster of this machine), or HOST:PORT of a cluster's head"
TOKEN = "and its token in RAY_AUTH_TOKEN where it asks for one"

DEATHS = 3
"""Workers that may die over one piece of work before it counts as failed."""

ANSWERS_WITHIN = 25.0
"""Seconds in which a cluster must take a driver."""
GONE_AFTER = 15.0
"""Seconds without an answer after which a cluster's head counts as gone. Ray itself would end the process at 60."""

_JOIN = "import sys, ray; ray.init(sys.argv[1], log_to_driver=False, logging_level=40)"


class Gone(RuntimeError):
    """A cluster has gone, or has lost what it was given."""

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


class Cluster:
    """Ray, joined: on this machine (``local``), a running cluster (``auto``), or the one at an address.

    With ``local``, nothing listens beyond this machine, nobody else on it gets in, and nothing is left of Ray.

    Args:
        address: ``local``, ``auto``, or ``HOST:PORT`` of a head node.
        cpus: of a ``local`` one (None: all of this machine).

    Raises:
        BadInput: Ray is not installed, or was imported before a ``local`` cluster could be closed to others; or no
            cluster answers within `ANSWERS_WITHIN` seconds.
    """

    def __init__(self, address: str, cpus: int | None = None) -> None:
        check_address(address)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if address == "local":  # read when ray is imported: Ray otherwise takes 127.0.0.1 for the network's address
            if "ray" in sys.modules and os.environ.get("RAY_AUTH_MODE") != "token":
                raise BadInput("--ray", "local where ray is imported already", "RAY_AUTH_MODE=token before that")
            os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
            os.environ["RAY_AUTH_MODE"] = "token"
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        try:
            import ray
        except ImportError:
            raise BadInput("--ray", address, "the package ray (mixinfo[cluster])") from None
        self.ray = ray
        if address != "local":
            _check_answer(address)
        # workers look for modules first where the driver was when it joined: there, none of anybody's hide ours
        self.directory = _closed_directory()
        here: dict[str, Any] = {"include_dashboard": False, "_node_ip_address": "127.0.0.1", "num_cpus": cpus}
        here["_temp_dir"] = str(self.directory / "ray")
        with chdir(self.directory):
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **(here if address == "local" else {}))
        self.head: str = ray.get_runtime_context().gcs_address
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

    def check_there(self, after: str) -> None:
        """Raise Gone where the head has not answered for long, with what a user can do after that."""
        if time.monotonic() - self.heard > GONE_AFTER:
            raise Gone(f"--ray: got no answer from the cluster's head {self.head} for {GONE_AFTER:.0f} s; {after}")

    def close(self) -> None:
        """Leave the cluster, and take away what an own one has left."""
        self.closed.set()
        self.ray.shutdown()
        shutil.rmtree(self.directory, ignore_errors=True)


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
