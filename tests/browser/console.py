"""The console as people have it: its own process under the supervisor, accounts of every role, and a browser's way through."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from kafka.errors import UnknownTopicOrPartitionError
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from app import words
from app.listing import BY_KEY
from engine.clients import cassandra_session, kafka_admin, mongo_client
from engine.compliance.register import Register
from engine.processes import PROGRAMS, Supervisor
from engine.provision import provision
from engine.settings import Settings
from engine.stores.accounts import Accounts
from engine.stores.records import Records
from engine.stores.schema import TABLES
from engine.topics import all_topics
from governance.permissions import Role
from tests.waiting import answers, until

STARTED_WITHIN_S = 180
WITHIN_MS = 120_000
PROBES = ("/_stcore/health)", "/_stcore/host-config)")    # Streamlit looks for itself under the page's address first: a 404


@dataclass
class Installed:
    """A running console: where it is, its installation, and the passwords of an account for each role (and `both`)."""

    settings: Settings
    address: str
    passwords: dict[str, str]
    processes: Supervisor

    def sign_in(self, page: Page, name: str) -> None:
        """Signs in by the form, and waits for the first page."""
        page.goto(f"{self.address}/sign-in")
        page.get_by_label(words.ACCOUNT).fill(name)
        page.get_by_label(words.PASSWORD).fill(self.passwords[name])
        page.get_by_role("button", name=words.SIGN_IN, exact=True).click()
        expect(page.locator("[data-testid=stApp]")).to_be_visible(timeout=WITHIN_MS)

    def go(self, page: Page, key: str) -> None:
        """Opens a page by its address, and waits until it is there."""
        page.goto(f"{self.address}/{key}")
        self.shown(page, key)

    def follow(self, page: Page, key: str) -> None:
        """Opens a page by its link in the side bar."""
        page.get_by_test_id("stSidebarNavLink").filter(has_text=BY_KEY[key].title).click()
        self.shown(page, key)

    def shown(self, page: Page, key: str) -> None:
        """Waits until a page is there and its script has run."""
        expect(page.get_by_role("heading", name=BY_KEY[key].title, exact=True, level=1)).to_be_visible(timeout=WITHIN_MS)
        expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_visible(timeout=WITHIN_MS)


@contextmanager
def console_of(settings: Settings) -> Iterator[Installed]:
    """Starts the console of an installation whose servers run; in the end its programs are stopped, and what they wrote is
    gone."""
    processes = Supervisor(settings)
    toml = settings.home / "settings.toml"
    before = toml.read_text()
    try:
        with cassandra_session(settings, "governance") as session:
            accounts = Accounts(settings, session)
            passwords = {name: accounts.add(name, [name.replace("-", " ")]) for name in (
                role.value.replace(" ", "-") for role in Role)}
            passwords["both"] = accounts.add("both", [Role.OPERATOR.value, Role.OFFICER.value, Role.ADMIN.value])
        with Records.opened(settings) as records:
            Register(records).seed("system test")
        processes.start("console")
        address = f"http://127.0.0.1:{settings.console.port}"
        until("the console answers", lambda: answers(address), STARTED_WITHIN_S)
        yield Installed(settings, address, passwords, processes)
    finally:
        processes.stop(*PROGRAMS)
        toml.write_text(before)
        forgotten(settings)


def forgotten(settings: Settings) -> None:
    """Takes away all rows, documents and records, as if nothing had ever run here."""
    with cassandra_session(settings, "provision") as session:
        for table in TABLES:
            session.execute(f"TRUNCATE {settings.cassandra.keyspace}.{table.name}", timeout=60)
    with mongo_client(settings, "provision") as client:
        client.drop_database(settings.mongo.database)
    admin = kafka_admin(settings, "provision")
    try:
        admin.delete_topics([topic.name for topic in all_topics(settings.kafka)])
        ours = {topic.name for topic in all_topics(settings.kafka)}
        until("the topics are gone", lambda: not ours & set(admin.list_topics()))
    finally:
        admin.close()
    for folder in ("checkpoint", "state"):
        for path in sorted((settings.home / folder).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()

    def provided() -> bool:
        try:
            provision(settings, lambda _: None)
        except UnknownTopicOrPartitionError:
            return False
        return True

    until("everything is provided again", provided)


def number_of(page: Page, label: str) -> int:
    """What a metric shows; -1 where it shows none."""
    found = page.locator("[data-testid=stMetric]").filter(has_text=label).locator("[data-testid=stMetricValue]")
    digits = re.sub(r"\D", "", found.first.inner_text()) if found.count() else ""
    return int(digits) if digits else -1


def choose(page: Page, label: str, option: str) -> None:
    """Chooses from a list. One that is redrawn while it opens closes again, as for people: then it is opened again."""
    field = page.get_by_label(label, exact=True)

    def chosen() -> bool:
        if field.input_value() != option:
            field.click()
            with suppress(PlaywrightTimeout):
                page.get_by_role("option", name=option, exact=True).click(timeout=2000)
        return field.input_value() == option

    until(f"{option} is chosen", chosen, 30)


def pick(page: Page, label: str, option: str) -> None:
    """Adds one to a list of several, as `choose` does for one; the list is closed afterwards."""
    def picked() -> bool:
        if not (there := page.get_by_text(option, exact=True).filter(visible=True).count()):
            page.get_by_label(label, exact=True).click()
            with suppress(PlaywrightTimeout):
                page.get_by_role("option", name=option, exact=True).click(timeout=2000)
            page.keyboard.press("Escape")
        return bool(there)

    until(f"{option} is picked", picked, 30)


def badge(page: Page, state: str) -> Locator:
    """The badge of a program's state: an icon, whose name counts as text, and the word."""
    return page.get_by_test_id("stMain").locator("p").filter(has_text=re.compile(rf"{words.STATES[state]}$")).first


def cells(page: Page, column: int) -> list[str]:
    """What stands in a column of a table, from 0: of the rows that are in sight, as a screen reader has them."""
    return page.locator(f"[data-testid=stDataFrame] td[aria-colindex='{column + 1}']").all_inner_texts()
