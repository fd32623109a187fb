"""Runs the command line in a process of its own, cheaply, and lets it meet its fate at a numbered point.

A fork server: it imports the program once, and each order forks a child that runs `provisioner.__main__.main` with its
own arguments, environment, folder and streams. Everything that the child is put through is patched in here and nowhere
in the product: the wall clock is shifted, waiting is shortened, and every durable write and every request is a *point*
that is counted, logged, and at which the child can be killed, stopped, signalled or robbed of its disk.

    {"do": "start", "argv": [...], "cwd": ..., "env": {...}, "out": ..., "err": ..., "log": ..., ...}  →  {"pid": N}
    {"do": "wait", "pid": N}                                                       →  {"code": N} or {"signal": N}

Points, in the order that they come; `log` gets a line for each:

    store WHAT:before, :torn, :after    an append, a new segment, a data key, the lock; torn: half of the bytes written
    send METHOD PATH:before, :after     one request on the wire; after: the answer has come and nobody looked at it yet
    rescue:before, :torn, :after        a rescue file
"""

from __future__ import annotations

import errno
import gc
import importlib
import itertools
import json
import os
import pkgutil
import re
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NoReturn

SPEED = 40  # waiting takes this many times less than it should
TIMEOUT = 6.0  # seconds that a child waits for an answer; a busy machine takes its time
_sleep = time.sleep


class Clock:
    """`times.now`, shifted. Patched in before anything binds it as a default."""

    shift = 0.0

    @classmethod
    def install(cls) -> None:
        from provisioner import times

        real = times.now

        def now() -> datetime:
            return real() + timedelta(seconds=cls.shift)

        times.now = now


class Fate:
    """What happens where. One a child."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.at: int | None = order.get("at")
        self.act: str = order.get("act", "kill")
        self.jump = float(order.get("jump", 0))
        self.refusing = False  # the next connection goes where nobody listens
        self.full = False  # the disk
        self.full_state = False  # only the one that the recorded state lies on
        self._log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if order.get("log") else None
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self.renewing = threading.Lock()  # nobody is stopped while the lock's lease is renewed: that holds the file

    def point(self, name: str) -> bool:
        """Counts one point. True where the caller must do what is to be done here (write half and be killed)."""
        with self._lock:
            number = next(self._numbers)
            if self._log is not None:
                os.write(self._log, f"{name}\n".encode())
        if number != self.at:
            return False
        if self.act == "kill" and name.endswith(":torn"):
            return True
        self.strike()
        return False

    def strike(self) -> None:
        match self.act:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
                _sleep(60)
            case "stop":
                with self.renewing:
                    os.kill(os.getpid(), signal.SIGSTOP)
                    _sleep(0.01)  # a process that was continued goes on a moment later
            case "jump":
                Clock.shift += self.jump
            case "full":
                self.full = True
            case "full-state":
                self.full_state = True
            case "refuse":
                self.refusing = True
            case "INT" | "TERM" | "HUP":
                _signal(self.act)
            case "twice":
                _signal("INT")
                _signal("TERM")
                if threading.current_thread() is not threading.main_thread():
                    _sleep(60)  # what was in flight stays in flight: the main thread must leave without it
            case other:
                raise ValueError(other)


def _signal(name: str) -> None:
    """Handlers run in the main thread at its next step; a moment later it has."""
    os.kill(os.getpid(), getattr(signal, f"SIG{name}"))
    _sleep(0.15 if threading.current_thread() is not threading.main_thread() else 0)


def around(fate: Fate, name: Callable[..., str], real: Callable[..., Any]) -> Callable[..., Any]:
    """`real` between two points."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        said = name(*args, **kwargs)
        fate.point(f"{said}:before")
        found = real(*args, **kwargs)
        fate.point(f"{said}:after")
        return found

    return wrapped


def behind(gate: threading.Lock, real: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with gate:
            return real(*args, **kwargs)

    return wrapped


def install_points(fate: Fate) -> None:
    from provisioner.journal import files, memory, rescue
    from provisioner.journal.stores import directory
    from provisioner.net.transport import Wire

    store = directory.DirectoryStore
    for method, name in (
        ("append", lambda _self, data, *_args: f"store append {spoken(data)}"),
        ("start_segment", lambda _self, data, *_args: f"store segment {spoken(data)}"),
        ("truncate", lambda *_args: "store truncate"),
        ("put_key", lambda *_args: "store key"),
        ("take_lock", lambda *_args: "store lock"),
        ("drop_lock", lambda *_args: "store unlock"),
    ):
        setattr(store, method, around(fate, name, getattr(store, method)))
    store.renew_lock = behind(fate.renewing, store.renew_lock)  # type: ignore[method-assign]
    rescue.write = around(fate, lambda *_args: "rescue", rescue.write)
    Wire.exchange = around(fate, _request, refusable(fate, Wire.exchange))  # type: ignore[method-assign]
    real_write = files.write_all

    def write_all(file: int, data: bytes) -> None:
        if threading.current_thread().name == "lock-renewal":  # it comes when it comes, and would shift the numbers
            real_write(file, data)
            return
        if fate.point("bytes:torn"):
            os.write(file, bytes(data)[: len(data) // 2])
            fate.strike()
        if fate.full:
            os.write(file, bytes(data)[: len(data) // 2])  # what still fitted
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real_write(file, data)

    def to_state(file: int, data: bytes) -> None:
        if fate.full_state:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_all(file, data)

    files.write_all = memory.write_all = write_all  # type: ignore[attr-defined]
    directory.write_all = to_state  # type: ignore[attr-defined]


def refusable(fate: Fate, real: Callable[..., Any]) -> Callable[..., Any]:
    """A request whose connection the kernel refuses, as where a server is down."""

    def exchange(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        if fate.refusing:
            fate.refusing = False
            url = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:1", url)
        return real(self, method, url, *args, **kwargs)

    return exchange


def spoken(data: bytes) -> str:
    """The kinds of the entries in one append, as in `intent(token.create)+outcome`."""
    said = []
    for line in data.decode().splitlines():
        entry = json.loads(line)
        operation = entry["body"].get("operation")
        more = f"({operation['op']})" if isinstance(operation, dict) else ""
        said.append(f"{entry['kind']}{more}")
    return "+".join(said)


def _request(_self: Any, method: str, url: str, *_args: Any, **_kwargs: Any) -> str:
    path = url.split("?")[0].split("/", 3)[-1]
    return f"send {method} /{path}"


def hurry(timeout: float = TIMEOUT) -> None:
    """Waiting is shortened: back-off, patience with balances, polling. The order of events stays."""
    from provisioner.engine.interrupts import StopFlag
    from provisioner.journal import journal
    from provisioner.journal.stores import directory
    from provisioner.net import limits
    from provisioner.net.session import Session

    def wait(self: StopFlag, seconds: float) -> bool:
        end = time.monotonic() + seconds / SPEED
        while not self.stopping and time.monotonic() < end:
            _sleep(0.002)
        return self.stopping

    def condition_wait(condition: threading.Condition, seconds: float | None) -> object:
        return condition.wait(None if seconds is None else seconds / SPEED)

    StopFlag.wait = wait  # type: ignore[method-assign]
    kept = limits.Pace.__init__.__kwdefaults__ or {}
    kept |= {"clock": lambda: time.monotonic() * SPEED, "wait": condition_wait}
    (Session.__init__.__kwdefaults__ or {})["timeout"] = timeout
    directory._MOMENT /= SPEED
    journal._LEAVING /= SPEED
    time.sleep = lambda seconds: _sleep(float(seconds) / SPEED)


def prepare() -> None:
    """Everything that a run may import, imported once."""
    Clock.install()
    import provisioner

    for module in pkgutil.walk_packages(provisioner.__path__, "provisioner."):
        if not module.name.endswith("__main__"):
            with suppress(Exception):  # an optional store without its driver; what a run needs fails there, and is seen
                importlib.import_module(module.name)
    importlib.import_module("provisioner.__main__")
    gc.collect()
    gc.freeze()


def child(order: dict[str, Any]) -> NoReturn:
    """Becomes the command line. Never returns."""
    code = 70
    try:
        os.setsid()
        for number, path, flags in (
            (0, order.get("stdin", os.devnull), os.O_RDONLY),
            (1, order["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
            (2, order["err"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
        ):
            file = os.open(path, flags, 0o600)
            os.dup2(file, number)
            os.close(file)
        sys.stdin, sys.stdout, sys.stderr = (open(n, mode, closefd=False) for n, mode in ((0, "r"), (1, "w"), (2, "w")))  # noqa: SIM115
        os.environ.clear()
        os.environ.update(order["env"])
        os.chdir(order["cwd"])
        if order.get("mortal"):
            without_privileges()
        if "largest_file" in order:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (order["largest_file"], order["largest_file"]))
        Clock.shift = float(order.get("clock", 0))
        if not order.get("patient"):
            hurry(float(order.get("timeout", TIMEOUT)))
        install_points(Fate(order))
        sys.argv = ["provisioner", *order["argv"]]
        from provisioner.__main__ import main

        code = main()
        sys.stdout.flush()
        sys.stderr.flush()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001  # the last frame of the child
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    os._exit(code)


def without_privileges() -> None:
    """Root is bound by the modes of files like anybody else (Linux: no capability is left)."""
    import ctypes

    if os.geteuid() == 0:
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
        if ctypes.CDLL(None, use_errno=True).capset(header, (ctypes.c_uint32 * 6)()) != 0:
            raise OSError(ctypes.get_errno(), "capset")


def wait_for(pid: int, seconds: int) -> dict[str, Any]:
    """How the child ended; one that hangs is killed, and `hung` says so."""
    hung = []

    def give_up(_number: int, _frame: object) -> None:
        hung.append(True)
        os.kill(pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    _, status = os.waitpid(pid, 0)
    signal.alarm(0)
    if os.WIFSIGNALED(status):
        return {"signal": os.WTERMSIG(status), "hung": bool(hung)}
    return {"code": os.WEXITSTATUS(status)}


def serve() -> None:
    prepare()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "start":
            pid = os.fork()
            if pid == 0:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                child(order)
            answer: dict[str, Any] = {"pid": pid}
        else:
            answer = wait_for(order["pid"], int(order.get("seconds", 60)))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
