"""Weights by name from a hub that this test runs itself: progress, cancellation, the cache, and every failure."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import huggingface_hub
import pytest
import timm
import torch
from safetensors.torch import save

from vitviz.errors import Cancelled, SourceError
from vitviz.models.hub import fetch
from vitviz.models.loading import load_model

NAME = "test_vit.r160_in1k"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """As much of the hub's protocol as one file needs; `behave` spoils it."""

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files, self.behave, self.seen = files, "", []
        self.released = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)

    def answer(self, with_body):
        hub = self.server
        hub.seen.append((self.command, self.path))
        if hub.behave == "portal":
            return self.send(200, {"Content-Type": "text/html"}, b"<html>Log in</html>", with_body)
        if hub.behave in ("RepoNotFound", "GatedRepo"):
            status = 401 if hub.behave == "RepoNotFound" else 403
            return self.send(status, {"X-Error-Code": hub.behave, "X-Error-Message": "no"}, b"", with_body)
        start = int(self.headers.get("Range", "bytes=0-")[6:].partition("-")[0])
        if hub.behave == "cut" and start:
            self.connection.shutdown(2)  # the line stays dead when the client asks for the rest
            self.close_connection = True
            return None
        if hub.behave == "silent" and with_body:
            hub.released.wait(20)
        if hub.behave == "broken":
            return self.send(503, {}, b"", with_body)
        data = hub.files.get(self.path.partition("/resolve/main/")[2])
        if data is None:
            return self.send(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}, b"", with_body)
        headers = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        return self.send(200, headers, data, with_body)

    def send(self, status, headers, data, with_body):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            cut = self.server.behave == "cut"
            self.wfile.write(data[: len(data) // 2] if cut else data)
            if cut:
                self.wfile.flush()
                self.connection.shutdown(2)
                self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def network(sharp):
    """What the hub holds."""
    return sharp(timm.create_model("test_vit"), 9)


@pytest.fixture
def hub(network, monkeypatch, tmp_path):
    """A hub of our own with an empty cache, in place of the real one."""
    server = Hub({"model.safetensors": save(network.state_dict())})
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 64 * 1024)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the client waits between its retries
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


def same(model, network):
    ours, theirs = model.module.state_dict(), network.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def refused(says):
    with pytest.raises(SourceError, match=says) as error:
        load_model(NAME)
    text = str(error.value)
    assert "\n" not in text and text.endswith(".") and len(text) < 300


def test_a_name_is_fetched_with_rising_progress_and_loaded(hub, network):
    seen = []
    model = load_model(NAME, progress=lambda fraction, text: seen.append((fraction, text)))
    same(model, network)
    assert model.source == NAME and not model.random and len(model.labels) == 1000
    fetching = [(fraction, text) for fraction, text in seen if "Fetching" in text]
    assert len(fetching) > 10
    assert [f for f, _ in fetching] == sorted(f for f, _ in fetching)
    assert fetching[-1][0] == pytest.approx(1, abs=1e-3)
    assert "MB/s" in fetching[-1][1]


def test_the_second_time_no_network_is_needed(hub, network):
    load_model(NAME)
    hub.behave = "broken"
    before = len(hub.seen)
    same(load_model(NAME), network)
    assert len(hub.seen) == before


def test_cancelled_half_way_it_stops_and_the_next_time_is_whole(hub, network, tmp_path):
    shares = []

    def progress(fraction, text):
        if "Fetching" in text:
            shares.append(fraction)

    with pytest.raises(Cancelled):
        load_model(NAME, progress=progress, cancel=lambda: bool(shares) and shares[-1] > 0.5)
    assert shares[-1] < 0.7
    left = [path for path in (tmp_path / "hub").rglob("*") if path.is_file() and path.stat().st_size > 4096]
    assert left == [], "a partial file was left behind"
    same(load_model(NAME), network)


def test_the_download_itself_asks_whether_to_go_on(hub):
    shares = []
    with pytest.raises(Cancelled):
        fetch("timm/x", None, progress=lambda share, text: shares.append(share), cancel=lambda: len(shares) > 2)
    assert len(shares) == 3


def test_cancelled_while_the_line_is_silent_it_does_not_wait_for_it(hub, network):
    hub.behave = "silent"
    asked = []

    def cancel():
        asked.append(None)
        return len(asked) > 5 and any(command == "GET" for command, _ in hub.seen)

    with pytest.raises(Cancelled):
        load_model(NAME, cancel=cancel)
    assert not hub.released.is_set()  # it was the cancel, not the end of the silence
    hub.released.set()
    hub.behave = ""
    same(load_model(NAME), network)


def test_a_repository_with_a_torch_file_only(hub, network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "w.bin")
    hub.files = {"pytorch_model.bin": (tmp_path / "w.bin").read_bytes()}
    same(load_model(NAME), network)


def test_a_repository_with_nothing_we_know(hub):
    hub.files = {}
    refused("holds none of model.safetensors")


def test_no_hub_in_reach(hub, monkeypatch):
    closed = "http://127.0.0.1:9"
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "ENDPOINT", closed)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", closed + "/{repo_id}/resolve/{revision}/{filename}")
    refused("not on this machine and the hub can't be reached")


def test_offline_by_the_users_own_wish(hub, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    refused("not on this machine and the hub can't be reached")
    assert hub.seen == []


@pytest.mark.parametrize("behave", ["RepoNotFound", "GatedRepo"])
def test_a_repository_that_may_not_be_read(behave, hub):
    hub.behave = behave
    refused("no repository timm/test_vit.r160_in1k that you may read")


@pytest.mark.parametrize("behave", ["portal", "broken", "cut"])
def test_a_hub_that_misbehaves_is_one_sentence_and_the_next_time_is_whole(behave, hub, network):
    hub.behave = behave
    refused("try again")
    hub.behave = ""
    same(load_model(NAME), network)


def test_what_is_downloaded_is_still_not_trusted(hub):
    hub.files = {"model.safetensors": b"<!doctype html>no weights"}
    refused("is a web page")
