"""Forms of what an installation keeps, by version, and the steps from each to the next (docs/decisions/0021-upgrade.md)."""
