"""The private authority of an installation: it signs the certificates of our servers, and clients trust it.

    ca.crt       every authority that is trusted here, ours first; those of systems elsewhere are written below it
    ca.key       the key of ours; it is only needed to sign, and may be kept elsewhere meanwhile
    <name>.pem   key and certificate of one server of ours, in one file as all of them take it

They stand in the folder `tls` of the secrets folder, 0600 each. X.509 as RFC 5280 has it; keys are ECDSA over P-256.
"""

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from engine.addresses import HERE
from engine.errors import SettingsInvalid
from engine.secrets import write_secret
from engine.settings import Settings
from engine.tls.section import is_address, is_host

AUTHORITY = "authority"
NAMES = ("kafka", "cassandra", "mongo", "view", "console", "metrics")
"""Who has a certificate. metrics: stream and producer, where Prometheus asks them."""

AUTHORITY_DAYS = 3650
RENEWED_BEFORE = timedelta(days=30)
"""How long before its end a certificate is renewed, and its end told (infra/metrics/rules.yml, RollcallCertificateEnds)."""

_BACKDATED = timedelta(minutes=5)
"""Clocks of two machines differ; what is valid from this moment on would not be yet for a client whose clock is behind."""


@dataclass(frozen=True)
class Certificate:
    """One certificate. name: of NAMES, or AUTHORITY; hosts: names and addresses it is for; ours: whether our authority has
    signed it, so that we renew it."""

    name: str
    ends: datetime
    hosts: frozenset[str] = frozenset()
    ours: bool = True

    def ends_soon(self, now: datetime) -> bool:
        """Whether it is to be renewed."""
        return self.ends - now <= RENEWED_BEFORE


def folder(settings: Settings) -> Path:
    """Where all of it stands."""
    return settings.secrets / "tls"


def trusted_file(settings: Settings) -> Path:
    """The authorities that clients trust, PEM. Raises SettingsInvalid when it is not there."""
    path = folder(settings) / "ca.crt"
    if not path.exists():
        raise SettingsInvalid(f"TLS is on, and {path} is missing, the authority that is trusted. `rollcall certs` makes it and "
                              "the certificates; of an installation elsewhere copy its ca.crt there.")
    return path


def pem_file(settings: Settings, name: str) -> Path:
    """Key and certificate of one server, PEM. Raises SettingsInvalid when it is not there."""
    path = folder(settings) / f"{name}.pem"
    if not path.exists():
        raise SettingsInvalid(f"TLS is on, and {path} is missing, the certificate of {name}. `rollcall certs` makes it.")
    return path


def trusted(settings: Settings) -> list[x509.Certificate]:
    """The authorities of `trusted_file`. Raises SettingsInvalid."""
    return _certificates(trusted_file(settings))


def kept(settings: Settings) -> list[Certificate]:
    """The authority and every certificate that is there. Raises SettingsInvalid for a file that is damaged, or a certificate
    that nobody who is trusted has signed."""
    authority = trusted(settings)[0]
    return [Certificate(AUTHORITY, authority.not_valid_after_utc),
            *(found for name in NAMES if (found := _kept(settings, name)))]


def ensure(settings: Settings, names: Iterable[str] = NAMES, anew: bool = False) -> list[str]:
    """Makes the authority where there is none, and of these certificates those that are missing, end soon or lack a host of
    the settings; anew: all of them that are ours. Returns what was made. Raises SettingsInvalid.

    Who uses one reads it when it starts: nothing that runs changes.
    """
    made = _ensure_authority(settings)
    now = datetime.now(UTC)
    for name in names:
        old = _kept(settings, name)
        fits = old is not None and not old.ends_soon(now) and hosts(settings, name) <= old.hosts
        if old is None or (old.ours and (anew or not fits)):
            _sign(settings, name, now)
            made.append(name)
    return made


def hosts(settings: Settings, name: str) -> frozenset[str]:
    """What a certificate is for: this machine, the server's own name (as it is called in containers), where it is set to
    listen or to be reached, and the names of the settings."""
    own = {"view": [settings.view.host], "metrics": [settings.metrics.host, "stream", "producer"],
           "console": [settings.console.host, *(urlsplit(origin).hostname or "" for origin in settings.console.origins)]}
    found = {HERE, "::1", "localhost", _called_here(), name, *own.get(name, ()), *settings.tls.names}
    return frozenset(host.lower() for host in found if host and host not in ("0.0.0.0", "::"))    # noqa: S104 - not bound


@cache
def _called_here() -> str:
    """What this machine calls 127.0.0.1: Java asks for it where it was given the address, and looks for that name."""
    try:
        name = socket.gethostbyaddr(HERE)[0]
    except OSError:
        return ""
    return name if is_host(name) else ""


def _ensure_authority(settings: Settings) -> list[str]:
    path, key_file = folder(settings) / "ca.crt", folder(settings) / "ca.key"
    if path.exists():
        return []
    if left := sorted(one.name for one in folder(settings).glob("*.pem")):
        raise SettingsInvalid(f"{path} is missing, and {', '.join(left)} beside it were signed by the authority that stood in "
                              f"it. Put it back; to begin anew, move {folder(settings)} away and give the same command.")
    now, key = datetime.now(UTC), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Rollcall private authority")])
    ends = now + timedelta(days=AUTHORITY_DAYS)
    certificate = (
        _begun(name, name, key.public_key(), now, ends)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256()))
    settings.secrets.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_secret(key_file, _written(key))
    write_secret(path, certificate.public_bytes(serialization.Encoding.PEM))
    return [AUTHORITY]


def _sign(settings: Settings, name: str, now: datetime) -> None:
    authority, signing = trusted(settings)[0], _signing_key(settings)
    key = ec.generate_private_key(ec.SECP256R1())
    ends = min(now + timedelta(days=settings.tls.days), authority.not_valid_after_utc)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Rollcall {name}")])
    certificate = (
        _begun(subject, authority.subject, key.public_key(), now, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        # nodes of one server are also each other's clients
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                       critical=False)
        .add_extension(x509.SubjectAlternativeName([_general(host) for host in sorted(hosts(settings, name))]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(signing, hashes.SHA256()))
    write_secret(folder(settings) / f"{name}.pem", _written(key) + certificate.public_bytes(serialization.Encoding.PEM))


def _signing_key(settings: Settings) -> ec.EllipticCurvePrivateKey:
    path = folder(settings) / "ca.key"
    if not path.exists():
        raise SettingsInvalid(f"{path} is missing, and a certificate is to be signed with it. Put it back and give the same "
                              "command; without it only a new authority helps (docs/operating.md, TLS).")
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != trusted(settings)[0].public_key():
        raise SettingsInvalid(f"{path} is damaged, or not the key of the first authority in {trusted_file(settings)}. Put back "
                              "the pair that belongs together; to begin anew see docs/operating.md, TLS.")
    return key


def _kept(settings: Settings, name: str) -> Certificate | None:
    path = folder(settings) / f"{name}.pem"
    if not path.exists():
        return None
    certificate, authorities = _certificates(path)[0], trusted(settings)
    signer = next((one for one in authorities if _signed(certificate, one)), None)
    if signer is None and len(_certificates(path)) == 1:    # a chain of somebody else's is for clients to follow
        raise SettingsInvalid(f"{path} was signed by no authority of {trusted_file(settings)}: every client would refuse it. "
                              f"Add its authority there, or delete {path.name} and run `rollcall certs`.")
    try:
        named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = {*named.get_values_for_type(x509.DNSName), *map(str, named.get_values_for_type(x509.IPAddress))}
    except x509.ExtensionNotFound:
        found = set()
    return Certificate(name, certificate.not_valid_after_utc, frozenset(host.lower() for host in found),
                       signer == authorities[0])


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except ValueError:
        raise SettingsInvalid(f"{path} is damaged: it must hold a certificate as PEM. Restore it from its backup, or delete it "
                              "and run `rollcall certs`.") from None


def _signed(certificate: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime,
           ends: datetime) -> x509.CertificateBuilder:
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
            .serial_number(x509.random_serial_number()).not_valid_before(now - _BACKDATED).not_valid_after(ends))


def _usage(signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, content_commitment=False,
                         key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
                         decipher_only=False)


def _general(host: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(host)) if is_address(host) else x509.DNSName(host)


def _written(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
