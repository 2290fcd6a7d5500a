"""What the looks at an erasure say of its request: the keeper goes on looking when the step is done, and may find otherwise."""

from collections.abc import Sequence

from governance.requests.request import Request, Run
from governance.requests.step import Name
from governance.rights.proof import Proof
from governance.rights.verdict import Verdict


def verdicts(run: Run, looks: Sequence[Proof]) -> tuple[Verdict, ...]:
    """The newest of a step, store by store. looks: of its request, oldest first."""
    if run.step is Name.ERASE and looks and looks[-1].at > run.began:
        return looks[-1].verdicts
    return run.result.verdicts if run.result else ()


def red(asked: Request, looks: Sequence[Proof]) -> tuple[str, ...]:
    """Stores that the newest look found NOT ERASED, whatever the step came to before."""
    run = asked.run_of(Name.ERASE)
    return tuple(one.store for one in verdicts(run, looks) if one.red) if run else ()
