"""Certificates of an authority of one's own, as PEM."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM


class Authority:
    def __init__(self, name: str) -> None:
        self._name, self._key = _called(name), ec.generate_private_key(ec.SECP256R1())
        draft = self._draft(self._name, self._key)
        itself = draft.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.pem = itself.sign(self._key, hashes.SHA256()).public_bytes(PEM).decode()

    def issue(self, name: str, *, address: str | None = None) -> tuple[str, str]:
        """A key and its certificate, good for two days; for a server at `address`."""
        key = ec.generate_private_key(ec.SECP256R1())
        draft = self._draft(_called(name), key)
        if address is not None:
            place = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
            draft = draft.add_extension(place, critical=False)
        private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return private.decode(), draft.sign(self._key, hashes.SHA256()).public_bytes(PEM).decode()

    def _draft(self, name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        begun = datetime.now(UTC) - timedelta(hours=1)
        draft = x509.CertificateBuilder().not_valid_before(begun).not_valid_after(begun + timedelta(days=2))
        draft = draft.issuer_name(self._name).subject_name(name)
        return draft.public_key(key.public_key()).serial_number(x509.random_serial_number())


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
