"""What the rows of the benchmark share: folders, environments, the two programs, seeded states, the latency server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bench_stacks as stacks
from bench_measure import Command

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Vendor:
    """A running latency server."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def seen(self) -> dict[str, int]:
        """Requests, connections and the most in flight since the last time."""
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{self.url}/__stats") as answer:
            found: dict[str, int] = json.loads(answer.read())
            return found


class World:
    """`ours` and `theirs` are the words that start the two programs; `theirs` None: there is no Terraform here."""

    def __init__(self, root: Path, ours: Sequence[str], theirs: str | None) -> None:
        self.root = root
        self.ours = list(ours)
        self.theirs = theirs
        home = root / "home"
        home.mkdir(parents=True)
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TMPDIR", "SYSTEMROOT")}
        self.environ = kept | {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_STATE_HOME": str(home / "state"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "EZ_USERNAME": "bench",
            "EZ_PASSWORD": "bench-password",
            "SMSCX_API_KEY": "bench-key",
            "NO_COLOR": "1",
        }
        settings = root / "terraform.rc"
        settings.write_text("disable_checkpoint = true\n", encoding="utf-8")
        self.terraform_environ = self.environ | {
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "TF_CLI_CONFIG_FILE": str(settings),
        }
        self._numbers = 0

    def folder(self, name: str) -> Path:
        self._numbers += 1
        made = self.root / f"{self._numbers:03d}-{name}"
        made.mkdir()
        return made

    def stack(self, count: int, *, form: str = "tables", url: str | None = None, name: str = "stack") -> Path:
        """A folder with a declaration, and no state."""
        made = self.folder(f"{name}-{form}-{count}")
        text = stacks.declaration(count, form=form, **({"url": url} if url else {}))
        (made / "provisioner.toml").write_text(text, encoding="utf-8")
        return made

    def seeded(self, count: int, *, form: str = "tables", url: str | None = None, notes: int = 0) -> Path:
        """A folder with a declaration and the state that its apply left."""
        made = self.stack(count, form=form, url=url, name="seeded")
        self.python(str(HERE / "bench_stacks.py"), "seed", str(made), str(count), form, str(notes))
        return made

    def python(self, *words: str, cwd: Path | None = None) -> None:
        """Runs a script of ours with this interpreter, the product importable."""
        path = os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
        environ = self.environ | {"PYTHONPATH": path}
        subprocess.run([sys.executable, *words], cwd=cwd, env=environ, check=True, capture_output=True)

    def terraformed(self, count: int, *, state: bool = True, changed: int | None = None) -> Path:
        """An initialised folder of Terraform's with N objects, and the state that their apply left."""
        made = self.folder(f"terraform-{count}")
        (made / "main.tf").write_text(stacks.terraform(count, changed), encoding="utf-8")
        if state:
            (made / "terraform.tfstate").write_text(stacks.terraform_state(count), encoding="utf-8")
        if self.theirs is not None:
            subprocess.run(
                [self.theirs, "init"], cwd=made, env=self.terraform_environ, check=True, stdout=subprocess.DEVNULL
            )
        return made

    def our(self, cwd: Path, *words: str, codes: tuple[int, ...] = (0,), **more: object) -> Command:
        return Command([*self.ours, *words], cwd, self.environ, codes, **more)  # type: ignore[arg-type]  # `before` alone

    def their(self, cwd: Path, *words: str, **more: object) -> Command:
        assert self.theirs is not None
        return Command([self.theirs, *words], cwd, self.terraform_environ, **more)  # type: ignore[arg-type]  # as above

    def forget(self, folder: Path) -> None:
        """A large folder is not kept until the end."""
        shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def vendor(self, latency_ms: float, *, applications: int = 0) -> Iterator[Vendor]:
        words = ["--latency-ms", str(latency_ms), "--applications", str(applications)]
        server = subprocess.Popen(
            [sys.executable, str(HERE / "bench_vendor.py"), *words], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            yield Vendor(int(server.stdout.readline()))
        finally:
            server.terminate()
            server.wait()
            if server.stdout is not None:
                server.stdout.close()
