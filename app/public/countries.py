"""Codes and the names people read: the 21 nationalities of the randomuser API and its joke, LEGO; every shape of the map."""

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

SHAPES = {
    "AU": "AUS", "BR": "BRA", "CA": "CAN", "CH": "CHE", "DE": "DEU", "DK": "DNK", "ES": "ESP", "FI": "FIN", "FR": "FRA",
    "GB": "GBR", "IE": "IRL", "IN": "IND", "IR": "IRN", "MX": "MEX", "NL": "NLD", "NO": "NOR", "NZ": "NZL", "RS": "SRB",
    "TR": "TUR", "UA": "UKR", "US": "USA",
}
"""Code -> the country's shape on the map, by its ISO 3166-1 alpha-3 code."""

LANDS = {
    "AFG": "Afghanistan", "AGO": "Angola", "ALA": "Åland Islands", "ALB": "Albania", "ARE": "United Arab Emirates",
    "ARG": "Argentina", "ARM": "Armenia", "ATA": "Antarctica", "ATF": "French Southern Territories", "AUT": "Austria",
    "AZE": "Azerbaijan", "BDI": "Burundi", "BEL": "Belgium", "BEN": "Benin", "BFA": "Burkina Faso", "BGD": "Bangladesh",
    "BGR": "Bulgaria", "BHS": "Bahamas", "BIH": "Bosnia and Herzegovina", "BLR": "Belarus", "BLZ": "Belize", "BOL": "Bolivia",
    "BRN": "Brunei", "BTN": "Bhutan", "BWA": "Botswana", "CAF": "Central African Republic", "CHL": "Chile", "CHN": "China",
    "CIV": "Côte d'Ivoire", "CMR": "Cameroon", "COD": "Democratic Republic of the Congo", "COG": "Congo", "COL": "Colombia",
    "COM": "Comoros", "CPV": "Cabo Verde", "CRI": "Costa Rica", "CUB": "Cuba", "CYP": "Cyprus", "CZE": "Czechia",
    "DJI": "Djibouti", "DMA": "Dominica", "DOM": "Dominican Republic", "DZA": "Algeria", "ECU": "Ecuador", "EGY": "Egypt",
    "ERI": "Eritrea", "ESH": "Western Sahara", "EST": "Estonia", "ETH": "Ethiopia", "FJI": "Fiji",
    "FLK": "Falkland Islands (Malvinas)", "GAB": "Gabon", "GEO": "Georgia", "GHA": "Ghana", "GIN": "Guinea",
    "GLP": "Guadeloupe", "GMB": "Gambia", "GNB": "Guinea-Bissau", "GNQ": "Equatorial Guinea", "GRC": "Greece",
    "GRL": "Greenland", "GTM": "Guatemala", "GUF": "French Guiana", "GUM": "Guam", "GUY": "Guyana", "HND": "Honduras",
    "HRV": "Croatia", "HTI": "Haiti", "HUN": "Hungary", "IDN": "Indonesia", "IRQ": "Iraq", "ISL": "Iceland", "ISR": "Israel",
    "ITA": "Italy", "JAM": "Jamaica", "JOR": "Jordan", "JPN": "Japan", "KAZ": "Kazakhstan", "KEN": "Kenya",
    "KGZ": "Kyrgyzstan", "KHM": "Cambodia", "KOR": "Republic of Korea", "KWT": "Kuwait", "LAO": "Laos", "LBN": "Lebanon",
    "LBR": "Liberia", "LBY": "Libya", "LKA": "Sri Lanka", "LSO": "Lesotho", "LTU": "Lithuania", "LUX": "Luxembourg",
    "LVA": "Latvia", "MAR": "Morocco", "MDA": "Moldova", "MDG": "Madagascar", "MKD": "North Macedonia", "MLI": "Mali",
    "MMR": "Myanmar", "MNE": "Montenegro", "MNG": "Mongolia", "MOZ": "Mozambique", "MRT": "Mauritania", "MTQ": "Martinique",
    "MUS": "Mauritius", "MWI": "Malawi", "MYS": "Malaysia", "NAM": "Namibia", "NCL": "New Caledonia", "NER": "Niger",
    "NGA": "Nigeria", "NIC": "Nicaragua", "NPL": "Nepal", "OMN": "Oman", "PAK": "Pakistan", "PAN": "Panama", "PER": "Peru",
    "PHL": "Philippines", "PNG": "Papua New Guinea", "POL": "Poland", "PRI": "Puerto Rico",
    "PRK": "Democratic People's Republic of Korea", "PRT": "Portugal", "PRY": "Paraguay", "PSE": "State of Palestine",
    "PYF": "French Polynesia", "QAT": "Qatar", "REU": "Réunion", "ROU": "Romania", "RUS": "Russian Federation",
    "RWA": "Rwanda", "SAU": "Saudi Arabia", "SDN": "Sudan", "SEN": "Senegal",
    "SGS": "South Georgia and the South Sandwich Islands", "SJM": "Svalbard and Jan Mayen", "SLB": "Solomon Islands",
    "SLE": "Sierra Leone", "SLV": "El Salvador", "SOM": "Somalia", "SSD": "South Sudan", "STP": "Sao Tome and Principe",
    "SUR": "Suriname", "SVK": "Slovakia", "SVN": "Slovenia", "SWE": "Sweden", "SWZ": "Eswatini", "SYR": "Syria",
    "TCD": "Chad", "TGO": "Togo", "THA": "Thailand", "TJK": "Tajikistan", "TKM": "Turkmenistan", "TLS": "Timor-Leste",
    "TTO": "Trinidad and Tobago", "TUN": "Tunisia", "TWN": "Taiwan", "TZA": "Tanzania", "UGA": "Uganda", "URY": "Uruguay",
    "UZB": "Uzbekistan", "VEN": "Venezuela", "VNM": "Viet Nam", "VUT": "Vanuatu", "WSM": "Samoa", "YEM": "Yemen",
    "ZAF": "South Africa", "ZMB": "Zambia", "ZWE": "Zimbabwe",
}
"""Shape of the map -> the name of its country, for those of whom no people come (ISO 3166-1 alpha-3 codes)."""


def name(code: str) -> str:
    """The country's name; a code that is not in the table stands for itself."""
    return NAMES.get(code, code)


def shape_name(shape: str) -> str:
    """The name of what a shape of the map stands for; empty where that is no country of its own: the map has six such areas."""
    return _OF_SHAPE.get(shape, "")


_OF_SHAPE = LANDS | {shape: NAMES[code] for code, shape in SHAPES.items()}
