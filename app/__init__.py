"""The views: what people look at. Reads engine and governance, decides nothing."""
