"""The pages of the console: where each stands, what it is called, and which right opens it."""

from dataclasses import dataclass

from app import words, words_access, words_law, words_requests


@dataclass(frozen=True)
class Listed:
    """One page. file: under app/; action: of governance/permissions.py."""

    key: str
    file: str
    title: str
    icon: str
    group: str
    action: str


PAGES = (
    Listed("flow", "pages/1_Flow.py", words.FLOW, ":material/account_tree:", words.RUNNING, "flow.read"),
    Listed("producer", "pages/2_Producer.py", words.PRODUCER, ":material/input:", words.RUNNING, "producer.read"),
    Listed("stream", "pages/3_Stream.py", words.STREAM, ":material/waves:", words.RUNNING, "stream.read"),
    Listed("letters", "pages/6_Dead_letters.py", words.LETTERS, ":material/report:", words.RUNNING, "letters.read"),
    Listed("profiles", "pages/4_Profiles.py", words.PROFILES, ":material/group:", words.PEOPLE, "profiles.read"),
    Listed("aggregates", "pages/5_Aggregates.py", words.AGGREGATES, ":material/bar_chart:", words.PEOPLE, "aggregates.read"),
    Listed("register", "pages/9_Register.py", words_law.REGISTER, ":material/menu_book:", words_law.GROUP, "register.read"),
    Listed("retention", "pages/10_Retention.py", words_law.RETENTION, ":material/auto_delete:", words_law.GROUP,
           "retention.read"),
    Listed("publishing", "pages/13_Publishing.py", words_law.PUBLISHING, ":material/campaign:", words_law.GROUP,
           "publishing.read"),
    Listed("requests", "pages/14_Requests.py", words_requests.REQUESTS, ":material/mark_email_unread:", words_law.GROUP,
           "requests.read"),
    Listed("breaches", "pages/11_Breaches.py", words_law.BREACHES, ":material/gpp_maybe:", words_law.GROUP, "breaches.read"),
    Listed("access", "pages/12_Kafka_access.py", words_access.ACCESS, ":material/rule:", words.WATCHING, "access.read"),
    Listed("accounts", "pages/7_Accounts.py", words.ACCOUNTS, ":material/key:", words.WATCHING, "accounts.read"),
    Listed("audit", "pages/8_Audit.py", words.AUDIT, ":material/history:", words.WATCHING, "audit.read"),
)
"""In the order of the navigation; their groups follow it."""

BY_KEY = {page.key: page for page in PAGES}
