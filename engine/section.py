"""What the sections of the settings (engine/settings.py) have in common."""

import re
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """One section: frozen, and an unknown name is an error rather than a silent typo."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        """Ports are ports, whole numbers count something, heaps are what Java understands."""
        for name, value in self:
            if name.endswith("port") and not 1 <= value <= 65535:
                raise ValueError(f"{name} must be a port between 1 and 65535")
            if isinstance(value, int) and not isinstance(value, bool) and value < 1:
                raise ValueError(f"{name} must be at least 1")
            if isinstance(value, float) and value < 0:
                raise ValueError(f"{name} must not be negative")
            if name in ("heap", "driver_memory") and not re.fullmatch(r"\d+[kmg]", value):
                raise ValueError(f"{name} must be a size as Java writes it, such as 512m or 2g")
        return self
