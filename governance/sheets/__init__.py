"""The register as sheets, and sheets as entries again: CNIL, ICO, CSV, JSON-LD in the terms of DPV, a page to print."""
