"""Nationality codes and the names people read: the 21 nationalities of the randomuser API and its joke, LEGO."""

NAMES = {
    "AU": "Australia",
    "BR": "Brazil",
    "CA": "Canada",
    "CH": "Switzerland",
    "DE": "Germany",
    "DK": "Denmark",
    "ES": "Spain",
    "FI": "Finland",
    "FR": "France",
    "GB": "United Kingdom",
    "IE": "Ireland",
    "IN": "India",
    "IR": "Iran",
    "LEGO": "Legoland",
    "MX": "Mexico",
    "NL": "Netherlands",
    "NO": "Norway",
    "NZ": "New Zealand",
    "RS": "Serbia",
    "TR": "Türkiye",
    "UA": "Ukraine",
    "US": "United States",
}


def name(code: str) -> str:
    """The country's name; a code that is not in the table stands for itself."""
    return NAMES.get(code, code)
