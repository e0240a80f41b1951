"""The training loop: batches by index, checkpoints, interruption, divergence, progress.

The loop owns what VAEs and classifiers have in common and knows nothing of either: a step is a function from
(indices of the batch, a generator, the step's number) to named losses, the first of which is minimised.
"""

import hashlib
import io
import math
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from store import BadInput, Run, write_atomically
from training.batches import Order, at_random
from training.distributed import Ranks
from training.progress import under_way
from training.seeds import derive, generator

__all__ = ["STOPPING", "Diverged", "Interrupted", "fit", "received_signals"]

ALONE = Ranks()

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals after which a training writes its checkpoint and ends."""

EXPLODED = 1000.0
"""A loss above this many times the first step's ends the run."""


class Diverged(RuntimeError):
    """The loss or the weights stopped being finite numbers, or the loss exploded."""


class Interrupted(KeyboardInterrupt):
    """SIGINT, SIGTERM or SIGHUP, a terminal that was closed, arrived; the checkpoint has been written."""

    def __init__(self, message: str, signum: int):
        super().__init__(message)
        self.exit_status = 128 + signum


@contextmanager
def received_signals() -> Iterator[list[int]]:
    """Collect the first of `STOPPING` in a list; a second one acts at once, as if we were not here.

    What is ignored, SIGHUP under ``nohup`` say, stays ignored.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received  # Python delivers signals to the main thread only
        return

    def note(signum: int, _frame: object) -> None:
        received.append(signum)
        for stopping, handler in previous.items():
            signal.signal(stopping, handler)

    handlers = {signum: signal.getsignal(signum) for signum in STOPPING}
    previous = {signum: handler for signum, handler in handlers.items() if handler != signal.SIG_IGN}
    for signum in previous:
        signal.signal(signum, note)
    try:
        yield received
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)


def _save(run: Run, model: nn.Module, optimizer: torch.optim.Optimizer, progress: dict[str, Any]) -> None:
    state = {"hash": run.hash, "progress": progress, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
    buffer = io.BytesIO()  # torch.save hides a full disk in a RuntimeError; a plain write says so
    torch.save(state, buffer)
    with write_atomically(run.resume) as temporary, open(temporary, "wb") as file:
        file.write(hashlib.sha256(buffer.getbuffer()).digest())  # torch.load does not notice a flipped bit
        file.write(buffer.getbuffer())


REMEDY = "a checkpoint that this run wrote; delete it, or use --force, to start the run again"


def _read(run: Run) -> dict[str, Any] | None:
    """The run's checkpoint, if there is one; nothing in it is executed (``weights_only``)."""
    if not run.resume.exists():
        return None
    try:
        content = run.resume.read_bytes()
        digest, content = content[:32], content[32:]
        if hashlib.sha256(content).digest() != digest:
            raise ValueError("it is not what was written")
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise BadInput(str(run.resume), f"a file that cannot be loaded ({reason})", REMEDY) from None
    if not isinstance(state, dict) or state.get("hash") != run.hash:
        raise BadInput(str(run.resume), "the checkpoint of another run", REMEDY)
    return state


def _restore(
    state: dict[str, Any], run: Run, model: nn.Module, optimizer: torch.optim.Optimizer, total: int
) -> dict[str, Any]:
    """Put a checkpoint's state into model and optimiser; return how far it was."""
    progress = state.get("progress")
    if not isinstance(progress, dict) or progress.keys() != {"step", "first", "sums", "last"}:
        raise BadInput(str(run.resume), "a checkpoint that does not say how far it was", REMEDY)
    first, sums, last = (progress[name] for name in ("first", "sums", "last"))
    if (
        type(progress["step"]) is not int
        or not 0 <= progress["step"] <= total
        or not isinstance(last, dict)
        or not isinstance(first, float | None)
        or not isinstance(sums, Tensor | None)
    ):
        got = f"a checkpoint after step {progress['step']!s:.40} of {total}, or with other sums than a training's"
        raise BadInput(str(run.resume), got, REMEDY)
    try:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        return progress
    except Exception:  # whatever torch makes of a state that is of something else
        raise BadInput(str(run.resume), "weights that do not fit this run's network", REMEDY) from None


def fit(
    run: Run,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    losses: Callable[[Tensor, torch.Generator, int], dict[str, Tensor]],
    *,
    images: int,
    batch_size: int,
    epochs: int,
    seed: int,
    learning_rate: Callable[[int], float],
    device: torch.device,
    checkpoint_seconds: float = 60.0,
    label: str = "",
    ranks: Ranks = ALONE,
    watch: Callable[[int], dict[str, float]] | None = None,
    watched: Collection[int] = (),
    order: Order | None = None,
) -> dict[str, Any]:
    """Train ``model`` in place for ``epochs``, from the run's checkpoint if there is one.

    Batches are full: the images left over at the end of an epoch differ from epoch to epoch. On the CPU with the same
    number of threads a resumed run gives the same bits as one that was never stopped.

    Args:
        run: where the checkpoint and the log go.
        model: on ``device``; its parameters are what ``optimizer`` updates.
        optimizer: any of torch's; its learning rate is set each step, times a parameter group's ``lr_factor``.
        losses: (indices (B,) on the device, generator on the device, step) -> scalar tensors; the first is minimised.
        images: how many training images there are.
        batch_size: images a step, over all processes.
        epochs: passes over the images.
        seed: of the order of the images and of the generators.
        learning_rate: step -> learning rate.
        device: of the indices and generators.
        checkpoint_seconds: time between checkpoints.
        label: what the line of progress says.
        ranks: the processes that train together; each calls this with the same arguments.
        watch: called with the number of steps that are done and ``model`` in evaluation mode, without gradients; what
            it returns is logged with the step. It must draw no number from a global generator.
        watched: after how many steps ``watch`` is called; 0 is before the first.
        order: of the images in an epoch, from a generator that each has of its own; at random by default.

    Returns:
        ``seconds`` and ``images_per_second`` of the steps of this process, and the last epoch's mean losses.

    Raises:
        Diverged: the loss is not finite, or more than 1,000 times the first.
        Interrupted: after SIGINT, SIGTERM or SIGHUP, with the checkpoint written.
        BadInput: fewer images than one batch, a batch that the processes cannot divide, or a checkpoint that is damaged
            or foreign.
    """
    if batch_size % ranks.world:
        raise BadInput("--batch-size", batch_size, f"a multiple of the number of processes, {ranks.world}")
    if images < batch_size:
        raise BadInput("--batch-size", batch_size, f"at most the number of training images, {images}")
    per_epoch = images // batch_size
    total = per_epoch * epochs
    # "sums": losses of the epoch so far, on the device; "last": their means over the last whole epoch.
    progress: dict[str, Any] = {"step": 0, "first": None, "sums": None, "last": {}}
    state = ranks.share(_read(run) if ranks.main else None)
    if state is not None:
        progress = _restore(state, run, model, optimizer, total)
        if progress["sums"] is not None:
            progress["sums"] = progress["sums"].to(device)
    first_step = progress["step"]
    if ranks.main:
        run.rewind_log(first_step)

    def look(step: int) -> None:
        if watch is not None and step in watched and ranks.main:
            model.eval()
            with torch.no_grad():
                seen = watch(step)
            if not all(map(math.isfinite, seen.values())):
                raise Diverged(f"the held-out loss became {next(iter(seen.values())):.4g} after step {step} of {total}")
            run.log({"step": step, "watched": seen})
            model.train()

    if first_step == 0:
        look(0)
    model.train()
    started = saved = time.perf_counter()
    in_epoch: Tensor | None = None
    order = order or at_random(images)
    # Reading a loss waits for the GPU; on the CPU it is free.
    check_every = 1 if device.type == "cpu" else 50

    with (
        received_signals() as received,
        under_way(label, total, first_step, shown=ranks.main) as line,
    ):
        for step in range(first_step, total):
            epoch, position = divmod(step, per_epoch)
            if position == 0 or in_epoch is None:
                in_epoch = order(torch.Generator().manual_seed(derive(seed, "order", epoch))).to(device)
            batch = ranks.portion(in_epoch[position * batch_size : (position + 1) * batch_size])
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step) * group.get("lr_factor", 1.0)
            values = losses(batch, generator(device, seed, "step", step, *ranks.purpose), step)
            objective = next(iter(values.values()))
            optimizer.zero_grad(set_to_none=True)
            objective.backward()
            optimizer.step()
            detached = torch.stack([value.detach().double() for value in values.values()])
            progress["sums"] = detached if progress["sums"] is None else progress["sums"] + detached
            progress["step"] = step + 1
            line.advance()
            end_of_epoch = position == per_epoch - 1
            checked = step % check_every == 0 or end_of_epoch
            stop = bool(received) and ranks.world == 1
            if checked:
                loss, stop = ranks.agree(objective, bool(received))
                if progress["first"] is None:
                    progress["first"] = loss
                if not math.isfinite(loss) or abs(loss) > EXPLODED * max(abs(progress["first"]), 1.0):
                    raise Diverged(
                        f"the loss became {loss:.4g} at step {step + 1} of {total} "
                        f"(at the first step it was {progress['first']:.4g})"
                    )
            if end_of_epoch:
                means = (ranks.mean(progress["sums"]) / per_epoch).tolist()
                progress |= {"last": dict(zip(values, means, strict=True)), "sums": None}
                if ranks.main:
                    run.log({"step": step + 1, "epoch": epoch + 1} | progress["last"] | {"lr": learning_rate(step)})
                line.words = ", ".join(f"{name} {value:.4g}" for name, value in progress["last"].items())
            look(step + 1)
            if ranks.main and (stop or time.perf_counter() - saved > checkpoint_seconds):
                _save(run, model, optimizer, progress)
                saved = time.perf_counter()
            if stop:
                signum = received[0] if received else signal.SIGTERM  # another process may have got it
                name = signal.Signals(signum).name
                raise Interrupted(
                    f"{name} at step {step + 1} of {total}; checkpoint written, the same command goes on", signum
                )
    seconds = time.perf_counter() - started
    if not all(bool(torch.isfinite(value).all()) for value in model.state_dict().values()):
        raise Diverged("the weights are not finite after the last step")
    images_seen = (total - first_step) * batch_size
    return {"seconds": seconds, "images_per_second": images_seen / seconds} | progress["last"]
