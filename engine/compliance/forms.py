"""Which forms of the register there are; engine/compliance/sheets.py writes and reads them, and is slow to import."""

from enum import StrEnum


class Form(StrEnum):
    """A form of the register: two workbooks of authorities, and what prints or computes well."""

    CNIL = "cnil"
    ICO = "ico"
    CSV = "csv"
    JSON = "json"
    HTML = "html"
    YAML = "yaml"


SUFFIX = {Form.CNIL: "xlsx", Form.ICO: "xlsx", Form.CSV: "csv", Form.JSON: "jsonld", Form.HTML: "html", Form.YAML: "yaml"}
READ_BACK = (Form.CNIL, Form.ICO, Form.CSV, Form.YAML)
"""Forms that can be imported."""
