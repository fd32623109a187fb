"""Secret references: byte for byte, once a run, and never in a message."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.config import refs
from provisioner.config.refs import Resolver, resolve
from provisioner.errors import ProviderFailed
from provisioner.model.desired import Reference, SecretRef

PYTHON = sys.executable


def value(reference: Reference, folder: Path, *, whole_file: bool = False, **environ: str) -> str:
    return resolve(reference, directory=folder, environ=environ, whole_file=whole_file).reveal()


def refusal(reference: Reference, folder: Path, **environ: str) -> str:
    with pytest.raises(ProviderFailed) as caught:
        resolve(reference, directory=folder, environ=environ)
    (said,) = caught.value.diagnostics
    assert said.name == "secret-unavailable"
    assert caught.value.exit_code == 8
    assert caught.value.__cause__ is None
    assert said.detail
    return f"{said.summary} {said.detail}"


def script(code: str) -> SecretRef:
    return SecretRef("command", (PYTHON, "-c", code))


def test_each_kind_is_read_byte_for_byte_less_one_newline(tmp_path: Path) -> None:
    """`00042` stays `00042`, wherever it comes from."""
    (tmp_path / "lf").write_bytes(b"00042\n")
    (tmp_path / "crlf").write_bytes(b"00042\r\n")
    (tmp_path / "bare").write_bytes(b"00042")
    assert value(SecretRef("env", "X"), tmp_path, X="00042") == "00042"
    assert [value(SecretRef("file", name), tmp_path) for name in ("lf", "crlf", "bare")] == ["00042"] * 3
    assert value(script("print('00042')"), tmp_path) == "00042"
    assert value("literal-id", tmp_path) == "literal-id"


def test_files_are_found_beside_the_main_file_and_in_the_home_folder(tmp_path: Path) -> None:
    """Relative paths do not depend on the working directory."""
    (tmp_path / "s").write_text("x")
    assert value(SecretRef("file", "~/s"), tmp_path / "elsewhere", HOME=str(tmp_path)) == "x"
    assert value(script("print(open('s').read())"), tmp_path) == "x"


def test_a_whole_file_keeps_its_lines(tmp_path: Path) -> None:
    """An age identity file has comments; a provider's secret has no white space."""
    (tmp_path / "id").write_text("# created: today\nAGE-SECRET-KEY-1X\n")
    reference = SecretRef("file", "id")
    assert value(reference, tmp_path, whole_file=True) == "# created: today\nAGE-SECRET-KEY-1X"
    assert "white space" in refusal(reference, tmp_path)
    assert value(SecretRef("file", "id", whole=True), tmp_path) == "# created: today\nAGE-SECRET-KEY-1X"


def test_what_cannot_be_had_names_the_reference_and_never_the_value(tmp_path: Path) -> None:
    """Unset, empty, unreadable, failing, not text."""
    (tmp_path / "latin").write_bytes(b"hunter2\xff")
    cases: dict[str, tuple[SecretRef, dict[str, str]]] = {
        "env NOT_SET is not set": (SecretRef("env", "NOT_SET"), {}),
        "env EMPTY is empty": (SecretRef("env", "EMPTY"), {"EMPTY": ""}),
        "env SPACED has white space": (SecretRef("env", "SPACED"), {"SPACED": "hunter2 hunter2"}),
        "env LINE has white space": (SecretRef("env", "LINE"), {"LINE": "hunter2\n"}),
        "file none cannot be read: No such file": (SecretRef("file", "none"), {}),
        "file . cannot be read: Is a directory": (SecretRef("file", "."), {}),
        "file latin is not UTF-8": (SecretRef("file", "latin"), {}),
        "no-such-program cannot be run: No such file": (SecretRef("command", ("no-such-program",)), {}),
        "exit status 3": (script("import sys; print('hunter2'); sys.stderr.write('hunter2'); sys.exit(3)"), {}),
        "is empty": (script("pass"), {}),
    }
    for expected, (reference, environ) in cases.items():
        said = refusal(reference, tmp_path, **environ)
        assert expected in said
        assert "hunter2" not in said.replace(str(reference), "")


def test_a_file_larger_than_any_secret_is_refused(tmp_path: Path) -> None:
    """A mistaken path does not fill the memory."""
    (tmp_path / "big").write_bytes(b"x" * (refs._LARGEST + 1))
    assert "larger than any secret" in refusal(SecretRef("file", "big"), tmp_path)


def test_a_command_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit is kept, and said."""
    monkeypatch.setattr(refs, "TIME_LIMIT", 0.2)
    assert "did not end within" in refusal(
        script("import time; print('hunter2', flush=True); time.sleep(30)"), tmp_path
    )


def test_a_command_gets_the_environment_it_was_given_and_no_standard_input(tmp_path: Path) -> None:
    """A password manager that asks on standard input gets an end of file, not the user's answers to us."""
    code = "import os, sys; print(os.environ['X'] + sys.stdin.read())"
    assert value(script(code), tmp_path, X="y") == "y"


def test_a_command_runs_once_a_run_whoever_asks(tmp_path: Path) -> None:
    """Ten threads, one run of the command; and a failure is not tried again either."""
    counting = "open('runs', 'a').write('x'); print('value')"
    failing = "open('runs', 'a').write('x'); raise SystemExit(1)"
    resolver = Resolver(tmp_path, {})
    threads = [threading.Thread(target=resolver, args=(script(counting),)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert resolver(script(counting)).reveal() == "value"
    for _ in range(2):
        with pytest.raises(ProviderFailed, match="exit status 1"):
            resolver(script(failing))
    assert (tmp_path / "runs").read_text() == "xx"


def test_the_resolver_reads_whole_files_apart_from_secrets(tmp_path: Path) -> None:
    """One file may be refused as the one and taken as the other."""
    (tmp_path / "id").write_text("a\nb\n")
    resolver = Resolver(tmp_path, {})
    assert resolver.whole(SecretRef("file", "id")).reveal() == "a\nb"
    with pytest.raises(ProviderFailed, match="white space"):
        resolver(SecretRef("file", "id"))


@given(st.text(st.characters(exclude_categories=["Cs", "Z", "Cc"]), min_size=1, max_size=40))
def test_any_text_without_white_space_comes_through_unchanged(text: str) -> None:
    """No stripping, no number parsing, no unicode normalisation."""
    assert resolve(SecretRef("env", "X"), directory=Path(), environ={"X": text}).reveal() == text
