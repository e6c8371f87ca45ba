"""browser.py BROWSER PAGE TWO DIR: opens the reports of one image and of two in a headless browser over the DevTools protocol
(https://chromedevtools.github.io/devtools-protocol/, two pipes with a zero byte after each message) and checks them."""

import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

PATIENCE = 40  # seconds for an answer; a loaded machine is slow, a hung browser never answers
TALLEST = 12000  # pixels of a picture

wrong = []


class Browser:
    def __init__(self, program, home):
        read, self.out = os.pipe()
        self.into, write = os.pipe()

        def descriptors():
            # 3 and 4 are what --remote-debugging-pipe means; go over high numbers, for the pipes may be 3 and 4 themselves
            high = os.dup(read), os.dup(write)
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
             "--disable-extensions", "--disable-background-networking", "--force-device-scale-factor=1", f"--user-data-dir={home}",
             "--remote-debugging-pipe", "about:blank"],
            preexec_fn=descriptors, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(read)
        os.close(write)
        os.set_blocking(self.into, False)
        self.number, self.buffer, self.events = 0, b"", []

    def next(self, until):
        while b"\0" not in self.buffer:
            if time.monotonic() > until or self.process.poll() is not None:
                sys.exit("FAILED: the browser does not answer")
            try:
                part = os.read(self.into, 1 << 20)
                if not part:
                    sys.exit("FAILED: the browser went away")
                self.buffer += part
            except BlockingIOError:
                time.sleep(0.005)
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, session=None, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        rest = json.dumps(message).encode() + b"\0"
        while rest:
            rest = rest[os.write(self.out, rest):]
        until = time.monotonic() + PATIENCE
        while True:
            answer = self.next(until)
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit(f"FAILED: {method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, session, method):
        until = time.monotonic() + PATIENCE
        while True:
            for event in self.events:
                if event.get("sessionId") == session and event.get("method") == method:
                    return
            self.events.append(self.next(until))

    def close(self):
        self.process.kill()
        self.process.wait()


class Tab:
    """The page in one size and colour scheme."""

    def __init__(self, browser, url, name, width, scheme="light", scripts=True, media=""):
        self.browser, self.name = browser, name
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ["Page", "Runtime", "Log"]:
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        if not scripts:
            self.call("Emulation.setScriptExecutionDisabled", value=True)
        self.call("Page.navigate", url=url)
        browser.wait(self.session, "Page.loadEventFired")
        wide = self.ask("document.documentElement.scrollWidth")
        self.expect(wide <= width, f"it is {wide} pixels wide")

    def call(self, method, **params):
        return self.browser.call(method, session=self.session, **params)

    def ask(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            wrong.append(f"{self.name}: {expression}: {answer['exceptionDetails']}")
            return None
        return answer["result"].get("value")

    def expect(self, good, what):
        if not good:
            wrong.append(f"{self.name}: {what}")

    def press(self, key):
        codes = {"Enter": (13, "\r"), "Escape": (27, ""), "Tab": (9, "")}
        code, text = codes[key]
        for kind in ["keyDown", "keyUp"]:
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text if kind == "keyDown" else "")

    def messages(self):
        """What the console shows: errors, warnings, refusals of the policy."""
        out = []
        for event in self.browser.events:
            if event.get("sessionId") != self.session:
                continue
            method, params = event["method"], event["params"]
            if method == "Log.entryAdded":
                out.append(f"{params['entry']['level']}: {params['entry']['text']}")
            elif method == "Runtime.exceptionThrown":
                out.append(f"exception: {params['exceptionDetails']}")
            elif method == "Runtime.consoleAPICalled":
                out.append(f"console: {params['type']}")
        return out

    def picture(self, folder):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], TALLEST), "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        (folder / f"{self.name}.png").write_bytes(base64.b64decode(shot["data"]))


CELLS = "document.querySelectorAll('#map svg svg').length"


def controls(tab):
    """Every control does what it says, with the keyboard too."""
    first = "document.querySelector('#packages tbody tr td:nth-child(3)').textContent"
    tab.ask("document.querySelectorAll('#packages .sort')[2].click()")
    names = tab.ask("[...document.querySelectorAll('#packages tbody tr td:nth-child(3)')].map(cell => cell.textContent)")
    tab.expect(names == sorted(names, key=lambda name: int(name.split("-")[1])), "names are sorted with their numbers")
    ascending = tab.ask(first)
    tab.ask("document.querySelectorAll('#packages .sort')[2].click()")
    tab.expect(tab.ask(first) != ascending, "a second press sorts the other way")
    tab.ask("document.querySelectorAll('#packages .sort')[0].click()")
    sizes = tab.ask("[...document.querySelectorAll('#packages tbody td:first-child')].map(cell => +cell.dataset.v)")
    tab.expect(sizes == sorted(sizes, reverse=True), "the largest come first")

    tab.ask("const input = document.querySelector('input[type=search]'); input.value = 'example-7 deb'; input.dispatchEvent(new Event('input'))")
    shown = tab.ask("document.querySelectorAll('#packages tbody tr:not([hidden])').length")
    tab.expect(shown == 1, f"the filter leaves {shown} of the packages")
    tab.expect(tab.ask("document.querySelector('output').textContent") == "1 of 60", "the filter says how many it leaves")
    tab.ask("input.value = ''; input.dispatchEvent(new Event('input'))")

    whole = tab.ask(CELLS)
    if whole <= 40:
        tab.expect(False, f"the map has {whole} cells")
        return
    for label in ["layer", "package", "directory"]:
        tab.ask(f"[...document.querySelectorAll('#controls fieldset:first-child button')].find(button => button.textContent === '{label}').click()")
        grouped = tab.ask(CELLS)
        tab.expect(grouped > 10, f"grouped by {label}, the map has {grouped} cells")
    tab.expect(grouped == whole, "grouped by directory again, it is as before")
    tab.ask("document.querySelector('#controls fieldset:last-child button:last-child').click()")
    tab.expect(tab.ask("document.querySelector('#legend').textContent").endswith("no package"), "the legend names packages")
    tab.ask("document.querySelector('#controls fieldset:last-child button').click()")

    tab.ask("document.querySelector('#map [tabindex]').focus()")
    tab.expect(tab.ask("!document.getElementById('tip').hidden"), "the focus shows what a cell is")
    tab.press("Enter")
    tab.expect(tab.ask("document.querySelectorAll('#trail button').length") == 2, "Enter shows a directory alone")
    tab.expect(tab.ask("document.activeElement !== document.body"), "the focus stays in the map")
    tab.press("Escape")
    tab.expect(tab.ask("document.querySelectorAll('#trail button').length") == 1, "Escape leaves it")
    tab.ask("document.activeElement.blur()")


def differences(browser, url, folder):
    """The page of two images: sorted, filtered, read without scripts."""
    tabs = []
    for name, width, scheme, scripts in [("two-light-1280", 1280, "light", True), ("two-light-360", 360, "light", True),
                                         ("two-dark-1280", 1280, "dark", True), ("two-dark-360", 360, "dark", True),
                                         ("two-no-scripts-360", 360, "light", False)]:
        tab = Tab(browser, url, name, width, scheme, scripts)
        tabs.append(tab)
        tab.picture(folder)
        # thirty packages are gone, nine have another version
        tab.expect(tab.ask("document.querySelectorAll('#packages tbody tr').length") == 39, "the packages are there")
        tab.expect(tab.ask("document.querySelectorAll('.versus > div').length") == 4, "both images are beside each other")
        if not scripts:
            tab.expect(tab.ask("document.querySelectorAll('.sort').length") == 0, "nothing that does nothing is shown")
            continue
        tab.ask("document.querySelectorAll('#packages .sort')[0].click()")
        words = tab.ask("[...document.querySelectorAll('#packages tbody td:first-child')].map(cell => cell.textContent)")
        tab.expect(words == ["changed"] * 9 + ["removed"] * 30, "the changes are sorted")
        tab.ask("const input = document.querySelector('input[type=search]'); input.value = 'removed example-4'; input.dispatchEvent(new Event('input'))")
        tab.expect(tab.ask("document.querySelectorAll('#packages tbody tr:not([hidden])').length") == 10, "the filter leaves ten")
        first = "+[...document.querySelectorAll('section')].find(part => part.textContent.startsWith('\\nPaths')).querySelector('tbody td').dataset.v"
        tab.ask("[...document.querySelectorAll('section')].find(part => part.textContent.startsWith('\\nPaths')).querySelector('.sort').click()")
        down = tab.ask(first)
        tab.ask("[...document.querySelectorAll('section')].find(part => part.textContent.startsWith('\\nPaths')).querySelector('.sort').click()")
        tab.expect(tab.ask(first) < 0 < down, "paths are sorted by what they gained and lost")
    return tabs


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[4])
    page, two = (pathlib.Path(argument).resolve() for argument in sys.argv[2:4])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        browser = Browser(program, home)
        try:
            url = page.as_uri()
            tabs = []
            for scheme in ["light", "dark"]:
                for width in [1280, 360]:
                    tab = Tab(browser, url, f"{scheme}-{width}", width, scheme)
                    tab.picture(folder)
                    tabs.append(tab)
            ground = [tab.ask("getComputedStyle(document.documentElement).backgroundColor") for tab in tabs]
            tabs[0].expect(ground[0] == ground[1] != ground[2] == ground[3], f"light and dark are {ground}")
            for tab in tabs[:2]:
                controls(tab)
            for width in [1280, 360]:
                tab = Tab(browser, url, f"no-scripts-{width}", width, scripts=False)
                tab.expect(tab.ask("document.querySelectorAll('#packages tbody tr').length") == 60, "the packages are there")
                tab.expect(tab.ask(CELLS) > 40, "the map is there")
                tab.expect(tab.ask("document.getElementById('controls').hidden"), "controls that do nothing are hidden")
                tab.picture(folder)
                tabs.append(tab)
            tab = Tab(browser, url, "printed", 800, media="print")
            tab.picture(folder)
            tabs.append(tab)
            tabs += differences(browser, two.as_uri(), folder)
            for tab in tabs:
                for message in tab.messages():
                    wrong.append(f"{tab.name}: {message}")
            # the last, for it leaves a message: the policy refuses what was not there when the page was written
            ran = tabs[0].ask("const script = document.createElement('script'); script.textContent = 'window.ran = 1'; document.body.append(script); window.ran || 0")
            tabs[0].expect(ran == 0, "the policy lets other scripts run")
            tabs[0].ask("0")
            tabs[0].expect(any("Content Security Policy" in message for message in tabs[0].messages()), "refusals are not seen by this check")
        finally:
            browser.close()
    for line in wrong:
        print("FAILED:", line, file=sys.stderr)
    print(f"   {len(tabs)} views, {len(wrong)} things wrong, {page.stat().st_size // 1000} kB")
    sys.exit(1 if wrong else 0)


main()
