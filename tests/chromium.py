"""Headless Chromium: finding it, and driving a page by its DevTools protocol."""

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest


def chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    if "CI" not in os.environ:
        pytest.skip("no Chromium here")
    raise AssertionError("CI needs Chromium")


class Page:
    """A page of a browser of its own, which asks this machine alone; commands go over a pair of pipes."""

    def __init__(self, address: str, folder: Path, width: int = 1280, height: int = 900) -> None:
        options = "--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run"
        options += " --remote-debugging-pipe"
        arguments = [chromium(), *options.split(), f"--user-data-dir={folder / 'profile'}", "about:blank"]
        self.process = subprocess.Popen(  # Chromium takes commands from descriptor 3 and answers to 4
            ["/bin/sh", "-c", 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null', "sh", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.commands, self.answers = self.process.stdin, self.process.stdout
        self.numbers, self.buffer = itertools.count(1), b""
        self.asked: list[str] = []
        self.context: str | None = None
        self.session: str | None = None
        target = next(one for one in self.send("Target.getTargets")["targetInfos"] if one["type"] == "page")
        self._show(target["targetId"], address, width, height)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.commands.close()
        self.answers.close()

    def anew(self, address: str, width: int = 1280, height: int = 900) -> None:
        """Open an address as a browser just started would, with nothing kept of the pages before."""
        self.session = None
        if self.context:
            self.send("Target.disposeBrowserContext", browserContextId=self.context)
        self.context = self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", url="about:blank", browserContextId=self.context)
        self._show(target["targetId"], address, width, height)

    def _show(self, target: str, address: str, width: int, height: int) -> None:
        self.asked = []
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.send("Network.enable")
        self.resize(width, height)
        self.send("Page.navigate", url=address)

    def send(self, method: str, **parameters: Any) -> Any:
        """Give a command and return its result; the addresses that the page asks for are kept meanwhile."""
        number = next(self.numbers)
        command = {"id": number, "method": method, "params": parameters}
        if self.session:
            command["sessionId"] = self.session
        self.commands.write(json.dumps(command).encode() + b"\0")
        while True:
            message = self._message()
            if message.get("method") == "Network.requestWillBeSent":
                self.asked.append(message["params"]["request"]["url"])
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def _message(self) -> Any:
        while b"\0" not in self.buffer:
            assert select.select([self.answers], [], [], 60)[0], "Chromium says nothing"
            read = self.answers.read(1 << 16)
            assert read, "Chromium ended"
            self.buffer += read
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def resize(self, width: int, height: int) -> None:
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def run(self, script: str) -> Any:
        """Return the value of an expression in the page; a promise is waited for."""
        told = self._evaluate(script)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def wait(self, script: str, seconds: float = 60) -> Any:
        """Return the expression's value once it is true; what cannot be computed yet is not true yet."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            told = self._evaluate(script)
            if "exceptionDetails" not in told and (value := told["result"].get("value")):
                return value
            time.sleep(0.1)
        said = self._evaluate("document.body.innerText")
        raise AssertionError(f"not in {seconds:g} s: {script}; at last {told}; the page says: {said}")

    def _evaluate(self, script: str) -> Any:
        return self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)

    def press(self, key: str, code: str = "") -> None:
        """Press and release a key: a character, or the name of another key, such as ``Backspace``."""
        code = code or (f"Digit{key}" if key.isdigit() else f"Key{key.upper()}" if len(key) == 1 else key)
        numbers = {"Backspace": 8, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39}
        about = {"key": key, "code": code, "windowsVirtualKeyCode": numbers.get(key, ord(key[0].upper()))}
        text = {"text": key} if len(key) == 1 else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", **about, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **about)

    def upload(self, selector: str, *paths: Path) -> None:
        """Choose files in an input of files, as a person does in the dialogue."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def screenshot(self, path: Path) -> None:
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))
