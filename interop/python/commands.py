"""What a client does for longer than a moment, as its standard input says."""

import asyncio
import json
import sys
import threading
import time


class Lines:
    """Those of standard input, and whether there is one to be read."""

    def __init__(self):
        self.waiting = threading.Event()
        self.taken = threading.Event()
        self.line = None
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while self.line != "":
            self.line = sys.stdin.readline()
            self.taken.clear()
            self.waiting.set()
            self.taken.wait()

    def next(self):
        """The next line, or None at the end."""
        self.waiting.wait()
        line = self.line
        if line != "":
            self.waiting.clear()
            self.taken.set()
        return line or None


class Tally:
    """What came of the calls that several callers make."""

    def __init__(self, millis, lines):
        self.lines = lines
        self.took, self.codes, self.text = [], {}, ""
        self.began = self.success = time.monotonic()
        self.end = self.began + (millis or 86_400_000) / 1000
        self.gap = 0.0

    def over(self):
        return time.monotonic() >= self.end or self.lines.waiting.is_set()

    def succeeded(self, began):
        now = time.monotonic()
        self.took.append(now - began)
        self.gap = max(self.gap, now - self.success)
        self.success = now

    def failed(self, e):
        code = str(getattr(e, "code", type(e).__name__))
        self.codes[code] = self.codes.get(code, 0) + 1
        self.text = self.text or str(e)[:300]

    def report(self):
        self.gap = max(self.gap, time.monotonic() - self.success)
        failed = sum(self.codes.values())
        self.took.sort()
        print(
            json.dumps(
                {
                    "calls": len(self.took) + failed,
                    "failed": failed,
                    "seconds": time.monotonic() - self.began,
                    "gap": self.gap,
                    "median": self.took[len(self.took) // 2] if self.took else 0,
                    "codes": self.codes,
                    "text": self.text,
                }
            ),
            flush=True,
        )


PAUSE = 0.01  # after a failure


async def call_on(cases, tally):
    """One caller of a client that is asynchronous."""
    request = cases.simple(64, 64)
    while not tally.over():
        began = time.monotonic()
        try:
            await cases.unary("UnaryCall", request)
        except Exception as e:
            tally.failed(e)
            await asyncio.sleep(PAUSE)
        else:
            tally.succeeded(began)


async def spread_tasks(cases, tally, callers):
    await asyncio.gather(*(call_on(cases, tally) for _ in range(callers)))


async def load(cases, callers, spread):
    """For each line calls for so many milliseconds, or with 0 until the next line, and prints what came of it."""
    lines = Lines()
    print("ready", flush=True)
    while (line := await asyncio.to_thread(lines.next)) is not None:
        tally = Tally(int(line), lines)
        await (spread or spread_tasks)(cases, tally, callers)
        tally.report()


async def hold(cases):
    """Has a stream open, silent until there is a line to be read."""
    call = cases.stream("FullDuplexCall", timeout=86_400)
    await cases.exchange(call, 1, 1)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    try:
        await cases.exchange(call, 1, 1)
        await call.end()
        assert await call.receive() is None
        print("ok", flush=True)
    except Exception as e:
        print(f"failed {e!r}".replace("\n", " "), flush=True)
