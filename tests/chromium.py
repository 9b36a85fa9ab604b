"""Debian's Chromium without a window, driven over a pipe in the DevTools protocol: nothing to install but Chromium."""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 60  # until a browser that says nothing counts as hung
_KEYS = {"Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38, "Tab": 9, "/": 191, "j": 74, "k": 75}


class Tab:
  """One page in the browser. All methods wait until their effect is there."""

  def __init__(self, to_browser: int, from_browser: int):
    self._to, self._from, self._unread, self._calls = to_browser, from_browser, b"", 0
    self.errors: list[str] = []  # uncaught exceptions, console errors and what the policy refused since `open`
    self.requested: list[str] = []  # addresses that the page asked for since `open`
    target = self.call("Target.createTarget", url="about:blank")["targetId"]
    self._session = None
    self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Runtime", "Network", "Log"):
      self.call(f"{domain}.enable")

  def open(self, path: Path, fragment: str = "", width: int = 1280, height: int = 900) -> None:
    """Opens a file, and waits until its page says that it is ready (`<html data-ready>`)."""
    self.errors.clear()
    self.requested.clear()
    self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
    self.call("Page.navigate", url="about:blank")  # a change of the fragment alone would load nothing
    self.call("Page.navigate", url=path.resolve().as_uri() + fragment)
    self.wait("document.documentElement?.dataset.ready !== undefined && location.protocol === 'file:'")

  def wait(self, condition: str) -> None:
    """Waits until a JavaScript expression is true."""
    deadline = time.monotonic() + _SECONDS
    while not self.ask(f"Boolean({condition})"):
      assert time.monotonic() < deadline, f"never came true: {condition}; errors: {self.errors}"
      time.sleep(0.02)

  def ask(self, expression: str):
    """The value of a JavaScript expression (of a promise what it gives)."""
    answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
    assert "exceptionDetails" not in answer, answer["exceptionDetails"]
    return answer["result"].get("value")

  def text(self, selector: str) -> str:
    """What a reader sees of the first element that matches."""
    return self.ask(f"document.querySelector({json.dumps(selector)}).innerText")

  def count(self, selector: str) -> int:
    """How many elements match."""
    return self.ask(f"document.querySelectorAll({json.dumps(selector)}).length")

  def click(self, selector: str) -> None:
    """Clicks on the first element that matches, with the mouse."""
    x, y = self._middle(selector)
    for kind in ("mousePressed", "mouseReleased"):
      self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

  def hover(self, selector: str) -> None:
    """Moves the mouse over the first element that matches."""
    x, y = self._middle(selector)
    self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

  def _middle(self, selector: str) -> list[float]:
    """Where an element is in the window, scrolled there."""
    return self.ask(
      f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center'}});"
      " const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2] })()"
    )

  def press(self, key: str) -> None:
    """Presses a key, wherever the focus is."""
    typed = {"text": "\r"} if key == "Enter" else {"text": key} if len(key) == 1 else {}
    code = {"windowsVirtualKeyCode": _KEYS[key]}
    self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **code, **typed)
    self.call("Input.dispatchKeyEvent", type="keyUp", key=key, **code)

  def type(self, text: str) -> None:
    """Types into what has the focus."""
    self.call("Input.insertText", text=text)

  def choose(self, selector: str, value: str) -> None:
    """Sets a select or an input and tells the page, as a reader's choice does."""
    self.ask(
      f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.value = {json.dumps(value)};"
      " for (const kind of ['input', 'change']) e.dispatchEvent(new Event(kind, {bubbles: true})) })()"
    )

  def emulate(self, scheme: str = "light", media: str = "") -> None:
    """Prefers a colour scheme; media 'print' shows what a printer would get."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    self.call("Emulation.setEmulatedMedia", media=media, features=features)

  def screenshot(self, path: Path, whole: bool = False) -> None:
    """Writes a PNG of what is seen, or of the whole page."""
    image = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
    path.write_bytes(base64.b64decode(image["data"]))

  def call(self, method: str, **parameters) -> dict:
    """One call of the protocol; events that come meanwhile are noted."""
    self._calls += 1
    session = {"sessionId": self._session} if getattr(self, "_session", None) else {}
    message = {"id": self._calls, "method": method, "params": parameters, **session}
    os.write(self._to, json.dumps(message).encode() + b"\0")
    while True:
      answer = self._read()
      if answer.get("id") == self._calls:
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]
      self._note(answer)

  def _read(self) -> dict:
    while b"\0" not in self._unread:
      ready, _, _ = select.select([self._from], [], [], _SECONDS)
      piece = os.read(self._from, 1 << 20) if ready else b""
      assert piece, "Chromium has ended or hangs"
      self._unread += piece
    message, self._unread = self._unread.split(b"\0", 1)
    return json.loads(message)

  def _note(self, event: dict) -> None:
    what = event.get("params", {})
    if event.get("method") == "Runtime.exceptionThrown":
      details = what["exceptionDetails"]
      self.errors.append(details.get("exception", {}).get("description", details["text"]))
    elif event.get("method") == "Runtime.consoleAPICalled" and what["type"] == "error":
      self.errors.append(str(what["args"]))
    elif event.get("method") == "Log.entryAdded" and what["entry"]["level"] == "error":
      self.errors.append(what["entry"]["text"])
    elif event.get("method") == "Network.requestWillBeSent":
      self.requested.append(what["request"]["url"])


@contextlib.contextmanager
def tab(profile: Path) -> Iterator[Tab]:
  """A browser with one tab; the test skips where there is no Chromium.

  Args:
    profile: an empty folder that the browser may write to.
  """
  program = next(filter(None, map(shutil.which, _NAMES)), None)
  if program is None:
    pytest.skip(f"none of {', '.join(_NAMES)} is installed (Debian: apt-get install chromium)")
  browser_in, to_browser = os.pipe()
  from_browser, browser_out = os.pipe()
  flags = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
  arguments = [program, *flags, f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"]

  # The browser reads from descriptor 3 and writes to 4.
  script = f'exec 3<&{browser_in} 4>&{browser_out}; exec "$@"'
  command = ["bash", "-c", script, "chromium", *arguments]
  process = subprocess.Popen(
    command, pass_fds=(browser_in, browser_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
  )
  os.close(browser_in)
  os.close(browser_out)
  try:
    yield Tab(to_browser, from_browser)
  finally:
    os.close(to_browser)  # the browser ends when its pipe does
    os.close(from_browser)
    with contextlib.suppress(subprocess.TimeoutExpired):
      process.wait(10)
    process.kill()
    process.wait()
