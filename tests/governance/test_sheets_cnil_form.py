"""CNIL's workbook as calamine reads it: every cell, CNIL's sections in their order, nothing empty that the law asks for."""

from itertools import pairwise

from governance.register import Entry
from governance.sheets import cnil
from tests.governance.activities import ACCOUNTS, DERIVED, ENTRIES, VERSIONS, version
from tests.governance.workbooks import sheets

GRIDS = sheets(cnil.workbook(VERSIONS, DERIVED))
NONE, PARTY = "non renseigné", ["Acteur", "Nom", "Adresse", "Code postal", "Ville", "Pays", "Téléphone", "Courriel",
                                "Responsable légal ou personne à contacter", "Accord entre responsables conjoints (art. 26)"]
DATA = ["N°", "Catégorie", "Description", "Durée de conservation", "Critères (à défaut de durée)", "Point de départ",
        "Sort final", "Motif de la durée", "Lieu de conservation", "Mise en œuvre", "Nature", "Source"]
IDENTITY = "État civil, identité, données d'identification, images"
NATIONAL = "Numéro d'identification national (dont numéro de sécurité sociale)"
WEEK = ["7 jours", NONE, "the record is sent", "effacées", "Replay; no longer", "kafka:people", "durée de rétention du topic"]
YEAR = ["1 an", NONE, "the newest record", "effacées", NONE, "cassandra:profiles", "commande d'expiration"]
COUNTED = ["selon les critères", "as long as the rows\nthat are counted", "the row", "archivées", NONE, "mongo:counts",
           "disparaît avec les données d'origine"]
SENSITIVE = "catégorie particulière (art. 9)"
NIR = "numéro d'identification national (art. 87)"

STREAM_SHEET = [
    ["Flux de profils"],
    [],
    ["Description du traitement"],
    ["Nom de l'activité", "Flux de profils"],
    ["N°/REF", "people-stream"],
    ["Date de création de la fiche", "03/02/2026"],
    ["Date de dernière mise à jour", "06/05/2026"],
    ["Version", "3 (publiée)"],
    ["Registre", "Responsable du traitement (art. 30, § 1)"],
    ["Nom du logiciel ou de l'application", "Rollcall"],
    ["Nom du logiciel ou de l'application", "Apache Kafka\n(4.0)"],
    ["Nom du logiciel ou de l'application", "1. MongoDB"],
    [],
    ["Acteurs"],
    PARTY,
    ["Responsable du traitement", "Société Générale d'Appel", "12, rue de l'Église\nBâtiment C", "75004", "Paris", "FR",
     "+33 1 99 00 00 00", "contact@appel.example", "Zoë Lefèvre; gérante", NONE],
    ["Délégué à la protection des données", "Čeněk & Fils", NONE, NONE, NONE, NONE, "+33 1 99 00 00 01", "dpo@appel.example",
     "Hélène Noël", NONE],
    ["Société du DPO (si externe)",
     "Voir la ligne du délégué : le nom y est celui de la société, la personne à contacter celui du délégué."],
    ["Représentant", "sans objet: Nous sommes établis dans l'Union ; « art. 27 »"],
    ["Responsable conjoint", "Ærø Data ApS", "Havnegade 1", "5970", "Ærøskøbing", "DK", NONE, "@aero.example", NONE,
     '=HYPERLINK("http://evil.example")'],
    ["Responsable conjoint", "Deuxième & Cie", *[NONE] * 8],
    ["Sous-traitant", "sans objet: We act as the controller."],
    [],
    ["Finalités du traitement"],
    ["Finalité principale", '=1+1; keep one "exact" profile\nof each person'],
    ["Sous-finalité 1", "+ clean"],
    ["Sous-finalité 2", "publish; nobody is disclosed"],
    [],
    ["Catégories de données personnelles concernées"],
    DATA,
    ["1", IDENTITY, "Prénom et nom", *WEEK, "donnée ordinaire", "the source"],
    ["1", IDENTITY, "Prénom et nom", *YEAR, "donnée ordinaire", "the source"],
    ["3", NATIONAL, "=NIR()", *COUNTED, NIR, "the state"],
    ["3", NATIONAL, "=NIR()", *YEAR, NIR, "the state"],
    ["3", NATIONAL, "=NIR()", *WEEK, NIR, "the state"],
    ["5", "Autre", "Case", *COUNTED, "donnée ordinaire", "the form"],
    [],
    ["Données sensibles"],
    ["Des données sensibles sont-elles traitées ?", "oui"],
    DATA,
    ["2", "health", "Allergies; « graves »", *YEAR, SENSITIVE, "the person"],
    ["4", "courts", "Condamnations", "sans objet: Courts keep them; we only look", *[""] * 6,
     f"{SENSITIVE} + condamnations et infractions (art. 10)", "courts"],
    [],
    ["Catégories de personnes concernées"],
    ["N°", "Catégorie", "Description", "Mineurs", "Précisions"],
    ["1", "Personnes de la source", "-invented, all", "oui", "some millions"],
    ["2", "Salariés", NONE, "non", NONE],
    [],
    ["Destinataires"],
    ["N°", "Type", "Destinataire", "Pays", "Contrat (art. 28)"],
    ["1", "Service interne qui traite les données", "Data platform", "FR", NONE],
    ["2", "Sous-traitants", "=cmd|' /C calc'!A0", "IE", "contracts/7; annex"],
    ["3", "Partenaires institutionnels ou commerciaux", "Archive\nof the town", NONE, NONE],
    ["4", "Destinataires dans des pays tiers ou organisations internationales", "Acme Inc.", "US", NONE],
    [],
    ["Mesures de sécurité"],
    ["N°", "Type", "Précisions", "Mesure technique", "Justificatif"],
    ["1", "Contrôle d'accès des utilisateurs", "Least rights", "oui", "rollcall register check"],
    ["2", "Autres mesures", 'Reasons are "read"\nonce a month', "non", "minutes"],
    [],
    ["Transferts hors de l'Union européenne"],
    ["Des données sont-elles transférées hors de l'Union européenne ?", "oui"],
    ["N°", "Organisme destinataire", "Pays", "Type de garanties", "Lien vers la documentation"],
    ["1", "Acme Inc.", "US", "Clauses contractuelles types (art. 46)", "https://acme.example/scc"],
    ["2", "Acme Inc.", "IN", "Dérogation (art. 49)", "letter; 2026"],
]


def test_every_cell_of_a_sheet() -> None:
    grid = [[*row, *[""] * (12 - len(row))] for row in STREAM_SHEET]
    assert GRIDS["people-stream"] == grid


def test_the_sections_of_cnil_in_order_on_every_sheet() -> None:
    wanted = ["Description du traitement", "Acteurs", "Finalités du traitement",
              "Catégories de données personnelles concernées", "Données sensibles", "Catégories de personnes concernées",
              "Destinataires", "Mesures de sécurité", "Transferts hors de l'Union européenne"]
    for entry in ENTRIES:
        first = [row[0] for row in GRIDS[entry.ref]]
        places = [first.index(section) for section in wanted]
        assert all(before < after for before, after in pairwise(places))


def test_the_front_page_lists_organisations_and_activities() -> None:
    front = [[cell for cell in row if cell] for row in GRIDS["Registre"]]
    assert front[0] == ["Registre des activités de traitement (article 30 du RGPD)"]
    assert [row[:2] for row in front if row[:1] == ["Responsable du traitement"]] == [
        ["Responsable du traitement", "Société Générale d'Appel"], ["Responsable du traitement", "Ærø Data ApS"]]
    assert [row[1] for row in front if row[:1] == ["Délégué à la protection des données"]] == [
        "Čeněk & Fils", "sans objet: No duty under Art. 37"]
    assert [row[1] for row in front if row[:1] == ["Représentant"]] == [
        "sans objet: Nous sommes établis dans l'Union ; « art. 27 »"]
    assert [row[1] for row in front if row[:1] == ["Sous-traitant"]] == ["Société Générale d'Appel"]
    assert front[-3:] == [
        ["Flux de profils", "people-stream", "Responsable du traitement (art. 30, § 1)", "03/02/2026", "06/05/2026",
         '=1+1; keep one "exact" profile\nof each person', "oui", "oui",
         "non : =kafka:people keeps 9 days; 7 are stated", "2026-01, 2026-02"],
        ["Accounts and audit", "console-and-audit", "Responsable du traitement (art. 30, § 1)", "31/01/2026", "06/05/2026",
         "Let in only who may", "non", "non", "oui", "aucune"],
        ["Hébergement", "hosting-of-the-clinic", "Sous-traitant (art. 30, § 2)", "01/12/2025", "06/05/2026",
         "Storing and backing up files", "non", "non", "non mesuré", "inconnu"]]


def test_what_art_30_asks_for_is_never_empty() -> None:
    nothing = Entry.model_validate({"ref": "nothing", "activity": "", "role": "controller", "created": "2026-01-01",
                                    "controller": {"name": ""}, "purpose": ""})
    grid = sheets(cnil.workbook([version(nothing)], {}))["nothing"]
    tables = [number for number, row in enumerate(grid) if row[0] in ("N°", "Acteur")]
    assert [sum(cell != "" for cell in grid[number + 1]) > 0 for number in tables] == [True] * 7
    labels = ("Nom de l'activité", "Finalité principale", *(row[0] for row in STREAM_SHEET if row[1:] and row[0][:6] in (
        "Respon", "Délégu", "Représ", "Sous-t")))
    assert [row[:2] for row in grid if row[0] in labels] == [[row[0], NONE] for row in grid if row[0] in labels]
    assert len([row for row in grid if row[0] in labels]) == 7


def test_convictions_alone_are_sensitive() -> None:
    convicted = ACCOUNTS.model_copy(update={"items": (ACCOUNTS.items[0].model_copy(update={"criminal": True}),)})
    grid = sheets(cnil.workbook([version(convicted)], {}))["console-and-audit"]
    row = next(number for number, row in enumerate(grid) if row[:2] == ["Des données sensibles sont-elles traitées ?", "oui"])
    assert (grid[row + 2][2], grid[row + 2][10]) == ("Compte", "condamnations et infractions (art. 10)")
    assert grid[row - 3][:2] == ["", "néant"]
