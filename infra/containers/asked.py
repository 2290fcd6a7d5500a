"""Health of a program's container: what `rollcall status NAME` asks, signed in as the program itself.

So the container needs no password but its program's own; `rollcall status` asks as `verify`, who may read every row.

    python infra/containers/asked.py producer
"""

import sys

from engine import health
from engine.processes import Supervisor
from engine.settings import load


class Own(health.Opened):
    """The stores as a program itself may ask them."""

    def __init__(self, name: str) -> None:
        super().__init__(load())
        self.principal = name


def main(name: str) -> int:
    """0 when the program is well; what is said is for `docker inspect`."""
    stores = Own(name)
    hop = health.look(stores, Supervisor(stores.settings), name)[0]
    print(hop.says)
    return 0 if hop.ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
