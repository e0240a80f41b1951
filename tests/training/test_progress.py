"""One bar over all that a command does: on a terminal alone, with the time left, and not in the way of its lines."""

import io
import os
import signal
import subprocess
import sys
import time

import pytest

from training import progress
from training.progress import in_words, overall, stage, under_way


class Terminal(io.StringIO):
    """A stream that takes itself for a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    stream = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    return stream


def test_nothing_is_shown_without_a_terminal_or_with_quiet(terminal, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal)  # here, for pytest puts its own back before a test begins
    with stage("networks", 2, quiet=True) as settle, under_way("epochs", 3) as line:
        line.advance(3)
        settle(True)
    assert terminal.getvalue() == ""
    plain = io.StringIO()
    monkeypatch.setattr(sys, "stderr", plain)
    with stage("networks", 2) as settle, under_way("epochs", 3) as line:
        line.advance(3)
        settle(True)
    assert plain.getvalue() == ""


def test_one_bar_counts_all_stages_and_what_is_under_way_goes_with_it(capsys, terminal, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal)
    with overall({"networks": 2, "sweeps": 2}) as whole:
        for words in ("networks", "sweeps"):
            with stage(words, 2) as settle:
                for _ in range(2):
                    with under_way("epochs", 4) as line:
                        line.advance(4)
                        assert len(whole.progress.tasks) == 2
                    settle(True)
                    assert len(whole.progress.tasks) == 1
                    print("trained 1/2")
        assert [one.done for one in whole.stages.values()] == [2, 2]
        whole.progress.refresh()
    assert "4/4" in terminal.getvalue()
    assert progress._current is None
    assert capsys.readouterr().out.count("trained 1/2") == 4  # standard output is no terminal here, and keeps its lines


def test_the_time_left_is_of_what_was_done_now_and_says_what_it_does_not_know():
    with overall({"networks": 10, "sweeps": 5}) as whole, stage("networks", 10):
        assert whole.left() == "how long is not known yet, then sweeps"
        for _ in range(4):
            whole.settle("networks", None)  # found done: no measure of the others
        assert whole.left() == "how long is not known yet, then sweeps"
        whole.settle("networks", 60.0)
        assert whole.left() == "about 5 min left, then sweeps"
        whole.stages["sweeps"].seconds = 60.0
        assert whole.left() == "about 10 min left"
    with overall({"networks": 10}, seconds={"networks": 30.0}, places=5) as whole:
        assert whole.left() == "about 60 s left"


def test_a_part_of_a_network_tells_how_long_the_others_take(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with overall({"networks": 3}) as whole, stage("networks", 3):
        whole.fraction, now[0] = 0.25, 100.0
        assert whole.left() == f"{in_words(2.75 * 400)} left"


SCRIPT = """
import sys, time
from training.progress import stage, under_way
with stage("networks", 2) as settle, under_way("epochs", 1000) as line:
    print("trained 1/2", flush=True)
    for step in range(1000):
        line.advance()
        time.sleep(0.01)
"""


def test_an_interruption_leaves_a_clean_terminal():
    leader, follower = os.openpty()
    environment = os.environ | {"TERM": "xterm-256color"}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=follower, stderr=follower, env=environment, start_new_session=True
    )
    os.close(follower)
    seen = b""
    while b"trained 1/2" not in seen or b"epochs" not in seen:
        seen += os.read(leader, 4096)
    process.send_signal(signal.SIGINT)
    try:
        while more := os.read(leader, 4096):
            seen += more
    except OSError:  # the terminal's other end is closed
        pass
    assert process.wait(30) != 0
    os.close(leader)
    assert seen.rindex(b"\x1b[?25h") > seen.rindex(b"\x1b[?25l")
    # the bar is wiped away before the traceback
    assert b"\x1b[2K" in seen[seen.rindex("━".encode()) : seen.rindex(b"KeyboardInterrupt")]
