"""How long the service of `examples/service.py` takes for a row, on loopback.

    python -m benchmarks.speed.serving

A process serves an autoencoder of digits and a detector. One client asks for one row at a time, in
turn with an endpoint that takes and answers the same JSON and asks no model, which is the
framework's own time, and with the same method in its own process. There the caches are as cold as
in the service, which has read JSON before; called again and again the method takes half as long,
and that is told, too. The bar for the median: 1.3 times that of the method, and the framework's
own. Then as many clients as `CLIENTS` ask at once, and the latencies and answers a second are told.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

from sklearn.datasets import load_digits

from benchmarks.machine import describe
from benchmarks.speed.loading import seconds
from benchmarks.speed.measuring import Bar
from sk_autoencoder import AutoencoderOutlierDetector, AutoencoderTransformer

EXAMPLES = Path(__file__).parents[2] / "examples"
CLIENTS, REQUESTS, WARM_UP = 4, 1000, 100
SLACK = 1.3


class Client:
    """Asks over one connection that stays open."""

    def __init__(self, port: int):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def seconds(self, path: str, body: bytes) -> float:
        """Ask, and return how long the answer took."""
        began = time.perf_counter()
        self.connection.request("POST", path, body, {"content-type": "application/json"})
        answer = self.connection.getresponse()
        content = answer.read()
        taken = time.perf_counter() - began
        assert answer.status == 200, content
        return taken


def serve(path: str, port: int) -> None:
    """Serve a model, and beside it an endpoint that asks none."""
    sys.path.insert(0, str(EXAMPLES))
    import service
    import uvicorn

    app = service.make_app(path)

    async def nothing(rows):
        """Answer as `/encode` does, with the first numbers of each row."""
        return service.Codes.model_construct(codes=[row[:8] for row in rows.rows])

    nothing.__annotations__ = {"rows": service.Rows, "return": service.Codes}
    app.post("/nothing")(nothing)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


def under_load(port: int, path: str, body: bytes) -> str:
    """Return latencies and answers a second of several clients at once."""

    def ask(_: int) -> list[float]:
        client = Client(port)
        return [client.seconds(path, body) for _ in range(REQUESTS // CLIENTS)]

    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        times = [taken for some in pool.map(ask, range(CLIENTS)) for taken in some]
    rate = len(times) / (time.perf_counter() - began)
    cuts = quantiles(times, n=100)
    return (
        f"{CLIENTS} clients: median {1e3 * cuts[49]:.2f} ms, 99 % within {1e3 * cuts[98]:.2f} ms, "
        f"{rate:.0f} answers a second"
    )


def measure(estimator: Any, asked: dict[str, Any], folder: Path) -> list[Bar]:
    """Serve an estimator, ask for methods by path, and return the bars."""
    X = load_digits().data
    path = folder / "model.safetensors"
    estimator.save(path)
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.speed.serving", "--serve", str(path), str(port)]
    process = subprocess.Popen(command)
    try:
        wait_for(port)
        row = X[:1]
        body = json.dumps({"rows": row.tolist()}).encode()
        client, bars = Client(port), []
        for name, method in asked.items():
            for _ in range(WARM_UP):
                client.seconds(name, body)
            rounds = [
                (client.seconds(name, body), client.seconds("/nothing", body), seconds(method, row))
                for _ in range(REQUESTS)
            ]
            ours, frame, alone = (1e3 * median(times) for times in zip(*rounds, strict=True))
            hot = 1e3 * median(seconds(method, row) for _ in range(REQUESTS))
            what = f"{type(estimator).__name__} {name}, in process {alone:.3f} ms (hot {hot:.3f})"
            bars.append(Bar(f"{what}, framework {frame:.3f} ms", ours, SLACK * alone + frame, "ms"))
            print(f"{name:<12} {under_load(port, name, body)}")
        return bars
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """Return a port of loopback that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for(port: int, seconds: float = 60) -> None:
    """Wait until somebody listens at a port."""
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", nargs=2, metavar=("MODEL", "PORT"))
    args = parser.parse_args()
    if args.serve:
        serve(args.serve[0], int(args.serve[1]))
        return 0
    print(describe())
    X = load_digits().data
    network = AutoencoderTransformer(8, max_epochs=3, random_state=0).fit(X)
    detector = AutoencoderOutlierDetector(random_state=0).fit(X)
    methods = {
        "/encode": network.transform,
        "/reconstruct": network.reconstruct,
        "/score": network.score_samples,
    }
    of_detector = {"/score": detector.score_samples, "/outliers": detector.predict}
    with TemporaryDirectory() as folder:
        bars = measure(network, methods, Path(folder)) + measure(
            detector, of_detector, Path(folder)
        )
    for bar in bars:
        print(bar)
    return int(not all(bar.holds for bar in bars))


if __name__ == "__main__":
    sys.exit(main())
