"""Who runs a command, for what is written down about it: the system's own record, not what the environment says."""

import os
import pwd


def whoami() -> str:
    """Name of the user of this process; `uid 1001` where the system has no name for it, as in a container."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
