"""The four systems without Docker: fetched once per machine, configured per installation, started and probed."""
