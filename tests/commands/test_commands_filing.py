"""Files: private, whole or not at all, and said where they cannot be read."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from provisioner.commands.filing import FileOptions, load_file, read_file, write_private
from provisioner.commands.fmt import FmtOptions, fmt
from provisioner.commands.generating import _key
from provisioner.commands.init import InitOptions, init
from provisioner.errors import Invalid


def test_a_private_file_replaces_another_whatever_its_mode(tmp_path: Path) -> None:
    """0600, and nothing is left beside it."""
    target = tmp_path / "p.plan"
    target.write_text("old")
    target.chmod(0o644)
    write_private(str(target), b"new")
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"new", 0o600)
    assert [p.name for p in tmp_path.iterdir()] == ["p.plan"]


def test_a_starter_file_is_private(tmp_path: Path) -> None:
    """0600 whatever the umask, like everything else that is written."""
    before = os.umask(0)
    try:
        init(InitOptions(config=str(tmp_path / "provisioner.toml")))
    finally:
        os.umask(before)
    assert (tmp_path / "provisioner.toml").stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_written_or_read_is_4(tmp_path: Path) -> None:
    """Invalid, naming the file."""
    with pytest.raises(Invalid, match=r"cannot be written"):
        write_private(str(tmp_path / "no" / "p.plan"), b"")
    with pytest.raises(Invalid, match=r"The plan file .* cannot be read"):
        read_file(str(tmp_path / "no"), "The plan file")


@pytest.mark.parametrize("name", ["", ".", "/", "./"])
def test_what_is_no_name_of_a_file_is_4(name: str) -> None:
    """`--out=` and `--out=.` are slips, not faults of this program."""
    with pytest.raises(Invalid, match="is no name of a file"):
        write_private(name, b"")


@pytest.mark.parametrize("typed", ["region", "=x"])
def test_a_variable_without_a_value_is_refused(typed: str) -> None:
    """--var takes NAME=VALUE."""
    with pytest.raises(Invalid, match=r"has no value"):
        load_file(FileOptions(variables=(typed,)))


def test_a_vendors_name_becomes_a_tables_name() -> None:
    """Letters, digits and underscores; never one that is taken."""
    assert _key("Campaign sender", set()) == "campaign_sender"
    assert _key("Campaign sender", {"campaign_sender"}) == "campaign_sender_2"
    assert _key("7 days", set()) == "application_7_days"


def test_a_full_disk_leaves_a_file_unformatted_and_whole(tmp_path: Path) -> None:
    """It is the user's own, and nobody has another."""
    file = tmp_path / "provisioner.toml"
    text = "[variables]\n" + "".join(f'name{n}="a value"\n' for n in range(20))
    file.write_text(text)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(text) // 2, hard))
    try:
        with pytest.raises(Invalid, match="cannot be written"):
            fmt(FmtOptions(paths=(str(file),)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert file.read_text() == text
    assert [one.path for one in fmt(FmtOptions(paths=(str(file),)))] == [str(file)]
    assert file.read_text() == text.replace("=", " = ")
