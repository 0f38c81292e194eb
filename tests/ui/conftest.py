"""A real JupyterLab in a real Chromium: one server and one window for all browser tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from rig.waiting import PATIENCE, free_port

#: A busy machine's time for whatever is expected; it costs nothing where it comes at once.
expect.set_options(timeout=PATIENCE * 1000)
TOKEN = "ekiben-tests"
PREFIX = "/hub/user/"
SILENT = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
    "--disable-domain-reliability",
    "--proxy-server=direct://",
    "--proxy-bypass-list=*",
]


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab below a base URL, as on a hub."""

    url: str
    root: Path
    settings: Path


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    """Debian's Chromium, which speaks to this machine only."""
    found = os.environ.get("EKIBEN_CHROMIUM") or next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))),
        None,
    )
    if not found:
        pytest.fail(
            "The browser tests need Chromium: apt-get install chromium, or set EKIBEN_CHROMIUM to one."
        )
    hosts = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
    return {"executable_path": found, "args": [*SILENT, hosts]}


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[Lab]:
    """JupyterLab with the front end of this source tree, its files in a folder of the tests'."""
    bundle = repository / "extension" / "ekiben" / "labextension"
    if not (bundle / "package.json").is_file():
        pytest.fail("The front end is not built: run `make lab`, or `npm ci && npm run build` in extension/.")
    base = tmp_path_factory.mktemp("lab")
    (base / "share" / "labextensions").mkdir(parents=True)
    (base / "share" / "labextensions" / "ekiben").symlink_to(bundle, target_is_directory=True)
    root, settings = base / "root", base / "settings"
    root.mkdir()
    news = settings / "@jupyterlab" / "apputils-extension"
    news.mkdir(parents=True)
    (news / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    environment = {
        **os.environ,
        "JUPYTER_PATH": str(base / "share"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(base / "workspaces"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    port = free_port()
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root",
        f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={root}", f"--ServerApp.base_url={PREFIX}",
        "--ServerApp.jpserver_extensions={'ekiben': True}",
        "--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    with (base / "lab.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=root)
    url = f"http://127.0.0.1:{port}{PREFIX}"
    try:
        _wait(f"{url}api/status?token={TOKEN}", process, base / "lab.log")
        yield Lab(url, root, settings)
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urlopen(url, timeout=10) as response:
                if response.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


class Window:
    """The page, and what it asked of other hosts (nothing, one hopes)."""

    def __init__(self, page: Page, lab: Lab) -> None:
        self.page = page
        self.lab = lab
        self.foreign: list[str] = []
        self.errors: list[str] = []
        page.route(lambda url: not url.startswith(lab.url.split("/hub")[0]), self._refuse)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _refuse(self, route: Route) -> None:
        if route.request.url.startswith(("data:", "blob:")):
            return route.continue_()
        self.foreign.append(route.request.url)
        return route.abort()

    def load(self) -> None:
        """Opens JupyterLab in an empty workspace and waits until it is restored."""
        self.page.goto(f"{self.lab.url}lab?reset&token={TOKEN}")
        self.page.wait_for_function("() => window.jupyterapp", timeout=300_000)
        self.page.evaluate("async () => { await window.jupyterapp.restored; }")

    def command(self, name: str, **arguments: object) -> None:
        """Runs a command of JupyterLab and waits for it."""
        self.page.evaluate(
            "async ([name, arguments]) => { await window.jupyterapp.commands.execute(name, arguments); }",
            [name, arguments],
        )

    def theme(self, name: str) -> None:
        """Changes JupyterLab's theme: ``Light`` or ``Dark``.

        Its splash must be gone before and after: two that fade at once remove it twice, which JupyterLab
        tells as an error of a script.
        """
        splash = self.page.locator("#jupyterlab-splash")
        expect(splash).to_have_count(0)
        self.command("apputils:change-theme", theme=f"JupyterLab {name}")
        expect(self.page.locator("body")).to_have_attribute("data-jp-theme-name", f"JupyterLab {name}")
        expect(splash).to_have_count(0)

    def open(self, path: str) -> None:
        """Opens a notebook and waits for its idle kernel."""
        self.command("docmanager:open", path=path)
        self.page.wait_for_function(
            """path => {
                const panel = [...window.jupyterapp.shell.widgets('main')].find(w => w.context?.path === path);
                const kernel = panel?.sessionContext?.session?.kernel;
                return panel?.context.isReady && kernel?.status === 'idle' && panel.isVisible;
            }""",
            arg=path,
            timeout=300_000,
        )

    def run_cell(self, index: int) -> None:
        """Selects a cell of the notebook in front by its number, runs it and waits for its end."""
        self.page.evaluate(
            """async index => {
                window.jupyterapp.shell.currentWidget.content.activeCellIndex = index;
                await window.jupyterapp.commands.execute('notebook:run-cell');
            }""",
            index,
        )

    def set(self, extension: str, plugin: str, content: str) -> None:
        """Writes a settings file of JupyterLab; it counts from the next load on."""
        folder = self.lab.settings / "@jupyterlab" / extension
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{plugin}.jupyterlab-settings").write_text(content)


@pytest.fixture(scope="session")
def window(browser: Browser, lab: Lab) -> Iterator[Window]:
    """One window for all tests."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    window = Window(page, lab)
    window.load()
    yield window
    context.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tests leave their screenshots for people to look at: ``EKIBEN_PICTURES``, else a temporary folder."""
    folder = Path(os.environ.get("EKIBEN_PICTURES") or tmp_path_factory.mktemp("pictures"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
