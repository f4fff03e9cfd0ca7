"""A headless Chromium, spoken to by WebDriver's own HTTP interface (W3C WebDriver, and Chromium's /goog/cdp)."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--force-color-profile=srgb"),
)
TAB = "\ue004"


def missing() -> str | None:
    """Return what a test lacks to run a browser, or None."""
    absent = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"no {' and no '.join(absent)} (Debian: chromium, chromium-driver)" if absent else None


class Browser:
    """A browser with a profile of its own; use it in a `with` statement.

    Args:
        folder: empty folder for its profile.
    """

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL)
        self.session = f"http://127.0.0.1:{port}/session"
        settings = {"args": [*OPTIONS, f"--user-data-dir={folder}"]}
        wanted = {"goog:chromeOptions": settings, "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"}}
        self.session += "/" + self._start({"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def _start(self, capabilities: dict[str, Any]) -> Any:
        for _ in range(100):
            try:
                return self._ask(self.session, capabilities)
            except urllib.error.URLError:
                time.sleep(0.1)
        self.driver.terminate()
        raise TimeoutError("chromedriver does not answer")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._ask(self.session, method="DELETE")
        self.driver.terminate()
        self.driver.wait()

    def _ask(self, address: str, body: Any = None, method: str = "POST") -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from error

    def ask(self, command: str, **body: Any) -> Any:
        """Return the answer to a command of the session."""
        return self._ask(f"{self.session}/{command}", body)

    def tell(self, command: str, **parameters: Any) -> Any:
        """Return the answer to a command of Chromium's DevTools protocol."""
        return self.ask("goog/cdp/execute", cmd=command, params=parameters)

    def open(self, page: Path, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        """Show a page on a screen of this size, in pixels; narrow ones are phones."""
        phone = width < 600
        self.tell(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )
        self.tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.ask("url", url=page.resolve().as_uri())

    def evaluate(self, script: str) -> Any:
        """Return what a script returns; the page itself may run none."""
        return self.ask("execute/sync", script=script, args=[])

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since the last call, without data: and the browser's own."""
        entries = [json.loads(entry["message"])["message"] for entry in self.ask("se/log", type="performance")]
        sent = [
            entry["params"]["request"]["url"] for entry in entries if entry["method"] == "Network.requestWillBeSent"
        ]
        return [address for address in sent if not address.startswith(("data:", "chrome"))]

    def complaints(self) -> list[str]:
        """Return what stands on the console."""
        return [entry["message"] for entry in self.ask("se/log", type="browser")]

    def press_tab(self) -> None:
        """Move the focus on, as the keyboard does."""
        key = [{"type": kind, "value": TAB} for kind in ("keyDown", "keyUp")]
        self.ask("actions", actions=[{"type": "key", "id": "keyboard", "actions": key}])

    def screenshot(self, path: Path, whole: bool = True) -> None:
        """Write a picture of the page: all of it, or what the screen shows."""
        self.evaluate("return Promise.all([...document.images].map(image => image.decode()))")
        shown = self.tell("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shown["data"]))
