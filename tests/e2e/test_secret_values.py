"""Secrets reach the command line by standard input or a file, not as arguments."""

import io

import pytest
import typer

from vigie.cli.secret_values import read_values


def test_a_dash_reads_a_line_of_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("app-password\nck_x\n"))
    assert read_values({"password": "-", "to": "a@b.fr", "key": "-"}) == {
        "password": "app-password",
        "to": "a@b.fr",
        "key": "ck_x",
    }


def test_an_at_sign_reads_a_file(tmp_path):
    path = tmp_path / "password"
    path.write_text("app-password\n")
    assert read_values({"password": f"@{path}"}) == {"password": "app-password"}
    with pytest.raises(typer.BadParameter, match="password"):
        read_values({"password": f"@{tmp_path / 'missing'}"})
