"""Whom our clients trust under TLS: the authorities of the secrets folder and nobody else, and only for the host they ask.

Every function gives nothing (None, an empty mapping, what it was given) where `tls.on` is false.
"""

import re
import ssl
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import NoEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12Certificate, serialize_java_truststore

from engine.secrets import write_secret
from engine.settings import Settings
from engine.tls import authority


def context(settings: Settings) -> ssl.SSLContext | None:
    """For clients of Python: verifies the certificate and that it is for the host. Raises SettingsInvalid."""
    if not settings.tls.on:
        return None
    authority.trusted(settings)    # a damaged file is said by us
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.load_verify_locations(authority.trusted_file(settings))
    return made


def serving(settings: Settings, name: str) -> ssl.SSLContext | None:
    """For what we serve ourselves, with the certificate of this name. Raises SettingsInvalid."""
    if not settings.tls.on:
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.load_cert_chain(authority.pem_file(settings, name))
    return made


def kafka_protocol(settings: Settings) -> str:
    """What Kafka's clients and brokers speak."""
    return "SASL_SSL" if settings.tls.on else "SASL_PLAINTEXT"


def kafka_java(settings: Settings) -> dict[str, str]:
    """Options of Kafka's Java clients. The authorities themselves, not a file: executors elsewhere have none."""
    return {"ssl.truststore.type": "PEM", "ssl.truststore.certificates": authority.trusted_file(settings).read_text()} \
        if settings.tls.on else {}


def mongo(settings: Settings) -> dict[str, Any]:
    """Options of pymongo."""
    return {"tls": True, "tlsCAFile": str(authority.trusted_file(settings))} if settings.tls.on else {}


_VERDICTS = (
    (re.compile(r"certificate has expired|CertificateExpiredException|NotAfter:"),
     "its certificate has ended. `rollcall down` and `rollcall up` renew those of ours; that of a system elsewhere is renewed "
     "there."),
    (re.compile(r"(IP address|Hostname) mismatch|No subject alternative (names|DNS name)|No name matching"),
     "its certificate is for another host. If the address is right, it belongs into ROLLCALL_TLS__NAMES before `rollcall certs "
     "--renew`, and the server is then started again."),
    (re.compile(r"CERTIFICATE_VERIFY_FAILED|PKIX path|SunCertPathBuilderException|CertPathValidatorException"),
     "its certificate was signed by nobody who is trusted here. If it is the right server, its authority belongs into "
     "`tls/ca.crt` of the secrets folder, below ours; if ours were made anew, `rollcall down` and `rollcall up`."),
    (re.compile(r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|NotSslRecordException|Unsupported or unrecognized SSL message"),
     "it speaks no TLS, and ROLLCALL_TLS__ON is true. Something else listens there, or it was started without: `rollcall down` "
     "and `rollcall up`."))
"""How OpenSSL and Java say that the other side is not to be trusted, and what that means. None of these quotes a value."""


def refused(text: str) -> str:
    """What an error's text says of the other side's certificate, and what to do; empty where it is about something else."""
    return next((said for pattern, said in _VERDICTS if pattern.search(text)), "")


def truststore(settings: Settings, path: Path) -> Path:
    """Writes the authorities as Java's own kind of file, for Cassandra's driver in Spark takes no PEM. PKCS#12 without a
    password: what is in it is no secret."""
    entries = [PKCS12Certificate(one, f"authority-{number}".encode())
               for number, one in enumerate(authority.trusted(settings))]
    write_secret(path, serialize_java_truststore(entries, NoEncryption()))
    return path
