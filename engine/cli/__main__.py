"""`python -m engine.cli` is `rollcall`: what the supervisor starts, wherever the clone stands."""

from engine.cli import main

main()
