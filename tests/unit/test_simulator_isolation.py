"""The simulator among other users and web pages: its cache, its token, who may ask it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hailuo_jupyter import redact
from hailuo_jupyter.engine import demo_server
from hailuo_jupyter.keys import Key
from hailuo_jupyter.simulator import clips
from hailuo_jupyter.simulator.clips import ClipCache, ClipPlan, default_cache
from tests.simulator import Simulator, SimulatorOptions

posix = pytest.mark.skipif(os.name != "posix", reason="elsewhere a profile's folder is private")
PLAN = ClipPlan((160, 90), 1)
TOKEN = "5d1c9be02f94a8637d1c5be02f94a863"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ── the cache ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    shared = tmp_path / "tmp"
    shared.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(shared))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@posix
def test_the_cache_is_the_users_own(home: Path, tmp_path: Path) -> None:
    cache = ClipCache()
    path = cache.clip(PLAN)
    assert path.is_relative_to(home)
    assert cache.folder == default_cache() == path.parent
    assert mode(cache.folder) == 0o700
    assert mode(path) == 0o600
    assert list((tmp_path / "tmp").iterdir()) == [], "nothing is in the shared folder"


@posix
def test_a_folder_that_others_may_write_to_becomes_private(home: Path) -> None:
    default_cache().mkdir(parents=True)
    default_cache().chmod(0o777)
    cache = ClipCache()
    assert cache.folder == default_cache()
    assert mode(cache.folder) == 0o700


def strange(kind: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "another user's":
        default_cache().mkdir(parents=True)
        monkeypatch.setattr(os, "geteuid", lambda: 54321)
    elif kind == "a link":
        default_cache().parent.mkdir(parents=True)
        (home / "elsewhere").mkdir()
        default_cache().symlink_to(home / "elsewhere")
    elif kind == "a file":
        default_cache().parent.mkdir(parents=True)
        default_cache().write_text("")
    else:
        monkeypatch.setattr(clips, "default_cache", lambda: Path("~/.cache/x"))


@posix
@pytest.mark.parametrize("kind", ["another user's", "a link", "a file", "no home folder"])
def test_elsewhere_the_clips_are_in_a_new_folder_that_goes(
    kind: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange(kind, home, monkeypatch)
    cache = ClipCache()
    path = cache.clip(PLAN)
    assert path.parent.parent == tmp_path / "tmp"
    assert mode(path.parent) == 0o700
    assert path.read_bytes()[4:8] == b"ftyp"
    cache.close()
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not Path("~").exists()


@posix
def test_a_file_is_written_through_its_handle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In a folder that others write to, one may put a link under the name of the new file.
    victim = tmp_path / "victim"
    victim.write_text("precious")
    folder = tmp_path / "shared"
    folder.mkdir()
    made = clips.tempfile.mkstemp

    def swapped(**how: Any) -> tuple[int, str]:
        handle, name = made(**how)
        Path(name).unlink()
        Path(name).symlink_to(victim)
        return handle, name

    monkeypatch.setattr(clips.tempfile, "mkstemp", swapped)
    ClipCache(folder).clip(PLAN)
    assert victim.read_text() == "precious"


# ── who may ask ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    cache = tmp_path_factory.mktemp("clips")
    options = SimulatorOptions(cache=cache, variants=1, shrink=8, min_polls=0, token=TOKEN)
    with Simulator(options) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=60) as made:
        yield made


PATHS = [
    ("POST", "/v2/minimax-hailuo-2"),
    ("GET", "/v2/requests/x/status"),
    ("POST", "/upload-asset"),
    ("GET", "/v2/logs"),
    ("POST", "/v2/generate/video/minimax/generation"),
    ("GET", "/generations/x.mp4"),
    ("GET", "/assets/x.png"),
    ("GET", "/nothing"),
    ("OPTIONS", "/v2/minimax-hailuo-2"),
    ("GET", "/_sim/health"),
    ("GET", "/_sim/ledger"),
    ("POST", "/_sim/faults"),
    ("DELETE", "/_sim/faults"),
]
GOOD = {"x-api-key": TOKEN, "Authorization": f"Bearer {TOKEN}"}
FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:8888"},
    {"Host": "evil.example"},
    {"Host": "127.0.0.1.evil.example:80"},
    {"Host": "[broken"},
]


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize("headers", FOREIGN, ids=[str(each) for each in FOREIGN])
def test_a_web_page_is_refused(
    sim: Simulator, client: httpx.Client, method: str, path: str, headers: dict[str, str]
) -> None:
    before = len(sim.requests), len(sim.ledger)
    reply = client.request(
        method, sim.url + path, headers={**GOOD, **headers}, json={"prompt": "a cat"}
    )
    assert reply.status_code == 403
    assert "access-control-allow-origin" not in reply.headers
    assert (len(sim.requests), len(sim.ledger)) == before
    assert sim.faults == []


def test_a_program_is_answered_under_each_of_this_machines_names(
    sim: Simulator, client: httpx.Client
) -> None:
    port = sim.url.rpartition(":")[2]
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", "[::1]:9000", "localhost:9000"):
        reply = client.get(f"{sim.url}/v1/get-user-credits", headers={**GOOD, "Host": host})
        assert reply.status_code == 200, "a tunnel has a port of its own"
    own = client.get(f"{sim.url}/_sim/ledger", headers={**GOOD, "Origin": sim.url})
    assert own.status_code == 200


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize("key", ["", "the-demo-needs-no-key", TOKEN[:-1]])
def test_without_the_token_nothing_is_done_or_told(
    sim: Simulator, client: httpx.Client, method: str, path: str, key: str
) -> None:
    headers = {"x-api-key": key, "Authorization": f"Bearer {key}"} if key else {}
    reply = client.request(method, sim.url + path, headers=headers, json={"prompt": "a cat"})
    if path == "/_sim/health":
        assert reply.status_code == 200
        assert TOKEN not in reply.text
    elif path.startswith(("/generations", "/assets", "/nothing")) or method == "OPTIONS":
        assert reply.status_code in {404, 405}, "their names are the secret, as at the providers"
    else:
        assert reply.status_code == 401
    assert len(sim.ledger) == 0
    assert sim.faults == []


def test_it_proves_that_it_knows_the_token_without_telling_it(
    sim: Simulator, client: httpx.Client
) -> None:
    one, other = (
        client.get(f"{sim.url}/_sim/health?nonce={nonce}").json()["proof"] for nonce in ("a", "b")
    )
    assert one != other
    assert TOKEN not in one


def test_it_listens_on_this_machine_alone(sim: Simulator) -> None:
    assert sim.url.startswith("http://127.0.0.1:")
    assert sim.media_url.startswith("http://localhost:")


# ── as the demo starts it ──────────────────────────────────────────────────────────────────────


def test_no_secret_is_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    known = set(redact._secrets)
    secrets = {
        "SEGMIND_API_KEY": "SG_0123456789abcdef",
        "AIMLAPI_KEY": "aiml-key-of-a-person",
        "OPENAI_API_KEY": "sk-abcdefghij0123456789",
        "HF_TOKEN": "hf_abc",
        "DB_PASSWORD": "hunter2",
        "AWS_SECRET_ACCESS_KEY": "abc",
        "HTTPS_PROXY": "http://me:hunter2hunter2@proxy.example:3128",
        "MY_SETTING": "registered-elsewhere-0123",
        "NOTES": "Authorization: Bearer abcdefgh12345",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    try:
        Key("registered-elsewhere-0123", "the test")
        found = demo_server.environment_without_secrets()
    finally:
        redact._secrets.intersection_update(known)
    assert not set(secrets) & set(found)
    assert found["PATH"] == os.environ["PATH"]
    assert found["XDG_CACHE_HOME"] == "/cache"


def test_the_demo_and_its_simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(demo_server.ADDRESS, raising=False)
    monkeypatch.setenv("SEGMIND_API_KEY", "SG_0123456789abcdef")
    started = []
    start = demo_server.start

    def seen(*args: Any) -> Any:
        started.append(start(*args))
        return started[-1]

    monkeypatch.setattr(demo_server, "start", seen)
    try:
        first = demo_server.running(tmp_path, 50.0)
        again = demo_server.running(tmp_path, 50.0)
        assert (first.url, first.key) == (again.url, again.key)
        assert len(started) == 1, "all kernels of a user share one"
        [ready] = tmp_path.glob("simulator-*.json")
        if os.name == "posix":
            assert mode(ready) == 0o600
        if (proc := Path(f"/proc/{started[0].pid}")).is_dir():
            environment, words = ((proc / each).read_bytes() for each in ("environ", "cmdline"))
            assert b"SG_0123456789abcdef" not in environment
            assert first.key.reveal().encode() not in environment + words
        with httpx.Client(trust_env=False, timeout=60) as client:
            url = f"{first.url}/v1/get-user-credits"
            assert client.get(url, headers={"x-api-key": "anybody"}).status_code == 401
            known = {"x-api-key": first.key.reveal()}
            assert client.get(url, headers=known).status_code == 200
    finally:
        for process in started:
            process.terminate()
            process.wait(10)


def test_a_ready_file_that_leads_elsewhere_is_not_followed(tmp_path: Path, sim: Simulator) -> None:
    ready = tmp_path / "ready.json"

    def write(**values: Any) -> None:
        ready.unlink(missing_ok=True)
        ready.touch(0o600)
        ready.write_text(json.dumps({"url": sim.url, "token": TOKEN, **values}))

    write()
    assert demo_server.read(ready) is not None
    # Somebody else's program has the port by now, or the file is not this user's alone.
    for values in (
        {"token": "b" * 32},
        {"url": "http://192.0.2.1:1"},
        {"url": "http://127.0.0.1:1"},
    ):
        write(**values)
        assert demo_server.read(ready) is None
    for text in ("", "[]", "{}", '{"url": 1}', "[" * 100_000):
        ready.write_text(text)
        assert demo_server.read(ready) is None
    if os.name == "posix":
        write()
        ready.chmod(0o644)
        assert demo_server.read(ready) is None
