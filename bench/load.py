"""Our own producer beside a bench, as a process of its own, at a steady rate."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from bench.installation import Installation
from engine.settings import CLONE

ENDS_WITHIN_S = 60


@contextmanager
def producing(one: Installation, rate: float, source: str = "synthetic") -> Iterator[None]:
    """So many people a second of this source reach the topic while the block runs."""
    log = one.settings.logs_dir / "bench-producer.log"
    with log.open("ab") as file:
        producer = subprocess.Popen(one.command("produce", "--source", source, "--rate", str(rate)), cwd=CLONE, stdout=file,
                                    stderr=file, env={**os.environ, "ROLLCALL_HOME": str(one.settings.home)})
        try:
            yield
            assert producer.poll() is None, log.read_text()[-2000:]
        finally:
            producer.terminate()
            producer.wait(ENDS_WITHIN_S)
