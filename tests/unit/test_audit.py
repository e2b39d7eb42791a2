"""The scanner for secrets: what it finds, what it leaves alone, and that it never tells a secret."""

from __future__ import annotations

import base64
import json
import os
import secrets as random
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from hailuo_jupyter import keys
from hailuo_jupyter.cli import main
from hailuo_jupyter.ipynb import audit as kinds
from hailuo_jupyter.ipynb.audit import audit, scan_bytes
from hailuo_jupyter.settings import Hailuo

KEY = "Zq7/xW2+Lk9vRt4_Bn8pYc3m"
OTHER = "0f9d8c7b6a5e4d3c2b1a"


def encoded(shift: int) -> str:
    return base64.b64encode(b"~" * shift + KEY.encode() + b"~~~").decode()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"the key is {KEY}.", kinds.KEY),
        (f"the key begins {KEY[:8]}", kinds.KEY_PART),
        (f"and ends {KEY[-8:]}", kinds.KEY_PART),
        (f"in the middle {KEY[7:15]}!", kinds.KEY_PART),
        (quote(KEY, safe=""), kinds.KEY_ENCODED),
        (KEY.encode().hex(), kinds.KEY_ENCODED),
        (encoded(0), kinds.KEY_ENCODED),
        (encoded(1), kinds.KEY_ENCODED),
        (encoded(2), kinds.KEY_ENCODED),
        (f"{KEY[:5]}*****", kinds.KEY_MASKED),
        (f"{KEY[:4]}…", kinds.KEY_MASKED),
        (f"••••{KEY[-4:]}", kinds.KEY_MASKED),
        (f"****{KEY[-6:]}", kinds.KEY_MASKED),
        (json.dumps(f"{KEY[:6]}…{KEY[-4:]}"), kinds.KEY_MASKED),
        ("SG_4f8a***", kinds.KEY_MASKED),
        (f"Authorization: Bearer {OTHER}", kinds.AUTHORIZATION),
        (f'{{"authorization": "{OTHER}"}}', kinds.AUTHORIZATION),
        (f"(b'Authorization', b'Bearer {OTHER}')", kinds.AUTHORIZATION),
        (f"curl -H 'x-api-key: {OTHER}'", kinds.KEY_HEADER),
        (f'\\"x-api-key\\": \\"{OTHER}\\"', kinds.KEY_HEADER),
        (f"(b'x-api-key', b'{OTHER}')", kinds.KEY_HEADER),
        (f"it said bearer {OTHER}", kinds.BEARER),
        (f"https://x.example/a.mp4?Expires=1&Signature={OTHER}", kinds.SIGNED),
        (f"https://x.example/a.mp4?X-Amz-Signature={OTHER}", kinds.SIGNED),
        (f"?X-Goog-Credential={OTHER}", kinds.SIGNED),
        (f"https://x.example/a.mp4?sv=1&amp;sig={OTHER}", kinds.SIGNED),
        (f"a.mp4\\u0026token={OTHER}", kinds.SIGNED),
        (f"a.mp4%3Ftoken%3D{OTHER}", kinds.SIGNED),
        ("SG_0123456789abcdef", kinds.KEY_SHAPED),
        ("sk-abcdefghij0123456789", kinds.KEY_SHAPED),
        ("r8_0123456789abcdefghijABCDEFGHIJ0123456", kinds.KEY_SHAPED),
        (
            "FAL: 0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0:0123456789abcdef0123456789abcdef",
            kinds.KEY_SHAPED,
        ),
        ("r8_ab***", kinds.KEY_MASKED),
        ('{"cell_id": "vscode-notebook-cell:/home/ann/a.ipynb#W0s%3D"}', kinds.CELL_PATH),
        ("vscode-notebook-cell://ssh-remote%2Bhost/home/ann/a.ipynb#W0s", kinds.CELL_PATH),
        ("vscode-notebook-cell:/c%3A/Users/ann/a.ipynb#W0s", kinds.CELL_PATH),
    ],
)
def test_what_is_found(text: str, kind: str) -> None:
    assert kind in scan_bytes(text.encode(), [KEY])


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: [redacted]",
        "{'x-api-key': '[redacted]'}",
        'headers = {"Authorization": f"Bearer {key}"}',
        "-H 'Authorization: Bearer $AIML_API_KEY'",
        "Authorization: Bearer <your key>",
        "https://x.example/clip.mp4?Expires=1750446300",
        "SEGMIND_API_KEY=… SG_... sk-... **** ……",
        "present, environment SEGMIND_API_KEY",
        f"sha256 {'0123456789abcdef' * 4}",
        "a token of love; signature dish; sig",
        f"seven of it: {KEY[:7]}",
        "a cell's id begins with vscode-notebook-cell: there",
    ],
)
def test_what_is_left_alone(text: str) -> None:
    assert scan_bytes(text.encode(), [KEY]) == []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(keys, "_from_keyring", lambda _provider: None)
    for name in ("SEGMIND_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY", "AIMLAPI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HAILUO_RUN_LOG", str(tmp_path / "log" / "runs.sqlite3"))
    Hailuo.clear_instance()
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def test_a_finding_tells_cell_and_kind_and_the_status_is_1(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key, dotenv = random.token_hex(16), random.token_urlsafe(24)
    monkeypatch.setenv("AIMLAPI_KEY", key)  # any variable counts, not the first one alone
    (folder / ".env").write_text(f"SEGMIND_API_KEY={dotenv}\n")
    clean = {"cell_type": "code", "metadata": {}, "outputs": [], "source": ["print(1)\n"]}
    split = {"output_type": "stream", "name": "stdout", "text": ["a key:\n", f"{key[:10]}\n"]}
    widget = {"state": {"a": {"state": {"value": f"x{dotenv}y"}}}}
    document = {
        "cells": [clean, {**clean, "outputs": [split]}, {**clean, "source": f"k = {key!r}"}],
        "metadata": {"widgets": widget},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (folder / "book.ipynb").write_text(json.dumps(document))
    (folder / "below").mkdir()
    (folder / "below" / "notes.txt").write_text(f"Bearer {key}")
    (folder / "clip.mp4").write_bytes(b"\0\0\0\x18ftyp" + key.encode())
    log = folder.parent / "log" / "runs.sqlite3"
    log.parent.mkdir()
    with closing(sqlite3.connect(log)) as database:
        database.execute("CREATE TABLE t AS SELECT ? AS c", (f"said {key[:9]}",))
        database.commit()
    assert main(["audit", str(folder)]) == 1
    said = capsys.readouterr().out
    assert said.splitlines() == [
        f"book.ipynb, metadata: {kinds.KEY}",
        f"book.ipynb, cell 2, output 1: {kinds.KEY_PART}",
        f"book.ipynb, cell 3: {kinds.KEY}",
        f"below/notes.txt: {kinds.KEY}",
        f"below/notes.txt: {kinds.BEARER}",
        f"run log runs.sqlite3: {kinds.KEY_PART}",
        "3 files searched, 2 skipped, 6 secrets found.",
    ]
    assert not scan_bytes(said.encode(), [key, dotenv])


def test_a_clean_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / ".env").write_text("SEGMIND_API_KEY=SG_0123456789abcdef\n")
    (folder / "a.ipynb").write_text("no notebook, \u00e9")
    assert main(["audit", str(folder)]) == 0
    assert "1 file searched, 1 skipped, no secrets found." in capsys.readouterr().out
    assert main(["audit", str(folder / "none")]) == 1
    assert capsys.readouterr().err.startswith("NotebookError: Not found: ")


def test_many_clips_are_skipped_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(5):
        (folder / f"clip-{number}.mp4").write_bytes(b"\0\0\0\x18ftyp")
    (folder / "link.txt").symlink_to("notes.txt")
    assert main(["audit", str(folder)]) == 0
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        "Skipped: 5 files that are not text, such as clip-0.mp4",
        "Skipped: link.txt: a link",
    ]
    assert "6 skipped" in said.out


def test_each_file_that_is_skipped_is_listed(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "hailuo").mkdir()
    (folder / "hailuo" / "clip.mp4").write_bytes(b"\0\0\0\x18ftyp" + KEY.encode())
    (folder / "notes.txt").write_text("plain")
    (folder / ".env").write_text("A=1\n")
    (folder / "link.txt").symlink_to("notes.txt")
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "x.js").write_text(KEY)
    (folder / "there").symlink_to(folder / "hailuo", target_is_directory=True)
    os.mkfifo(folder / "pipe")
    assert main(["audit", str(folder)]) == 0
    said = capsys.readouterr()
    assert sorted(said.err.splitlines()) == [
        "Skipped: .env: meant for keys",
        "Skipped: hailuo/clip.mp4: not text",
        "Skipped: link.txt: a link",
        "Skipped: node_modules: a folder of other programs' files",
        "Skipped: pipe: not a regular file",
        "Skipped: there: a link to a folder",
    ]
    assert said.out == "1 file searched, 6 skipped, no secrets found.\n"
    monkeypatch.setattr("hailuo_jupyter.ipynb.audit._MOST_FILES", 2)
    [last] = [each for each in audit(folder).left_out if "all following ones" in each]
    assert last == "notes.txt: this file and all following ones: more than 2 files"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_text_that_windows_wrote_is_looked_into(folder: Path, encoding: str) -> None:
    mark = "" if encoding == "utf-16" else "\ufeff"
    (folder / "a.log").write_bytes(f"{mark}line\nx-api-key: {KEY}\n".encode(encoding))
    found = audit(folder, secrets=[KEY])
    assert kinds.KEY in [each.kind for each in found.found]
    assert found.left_out == ()


def test_what_is_too_large_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hailuo_jupyter.ipynb.audit._LARGEST", 10)
    (folder / "large.txt").write_text("x" * 11)
    assert len(audit(folder).left_out) == 1


def test_a_secret_across_two_reads_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hailuo_jupyter.ipynb.audit._CHUNK", 5000)
    (folder / "a.log").write_text("." * 4990 + KEY + "." * 9000)
    assert kinds.KEY in [each.kind for each in audit(folder, secrets=[KEY]).found]
