"""A certificate authority that nobody else trusts, and a TLS server that it vouches for."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_CA_NAME = "hailuo test ca"


@dataclass
class PrivateCA:
    """Paths of a CA's certificate, of a folder as ``openssl rehash`` makes it, and of a server's PEM."""

    certificate: Path
    folder: Path
    server: Path


def make_ca(where: Path) -> PrivateCA:
    """Make a CA and a certificate of it for this machine's loopback names."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _CA_NAME)])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    ca_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = (
        _begun(ca_name, ca_name, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(ca_id, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    server = (
        _begun(name, ca_name, key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_id), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    pem = ca.public_bytes(serialization.Encoding.PEM)
    made = PrivateCA(where / "ca.pem", where / "hashed", where / "server.pem")
    made.certificate.write_bytes(pem)
    made.folder.mkdir()
    (made.folder / f"{_subject_hash():08x}.0").write_bytes(pem)
    made.server.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + server.public_bytes(serialization.Encoding.PEM)
    )
    return made


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
    )


def _subject_hash() -> int:
    """Do as OpenSSL's X509_NAME_hash: SHA-1 over the name's canonical encoding."""
    text = _CA_NAME.encode()
    value = b"\x06\x03\x55\x04\x03" + b"\x0c" + bytes([len(text)]) + text
    rdn = b"\x30" + bytes([len(value)]) + value
    name = b"\x31" + bytes([len(rdn)]) + rdn
    return int.from_bytes(hashlib.sha1(name).digest()[:4], "little")


@dataclass
class TLSServer:
    """What a TLS server heard."""

    port: int
    received: list[bytes] = field(default_factory=list)


@contextmanager
def serving_tls(ca: PrivateCA, answer: bytes) -> Iterator[TLSServer]:
    """Serve one answer on each connection, over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca.server)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = TLSServer(listening.getsockname()[1])

        def one(connection: socket.socket) -> None:
            with suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                secured.settimeout(5)
                data = b""
                while b"\r\n\r\n" not in data and (piece := secured.recv(65536)):
                    data += piece
                server.received.append(data)
                secured.sendall(answer)

        def run() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    threading.Thread(target=one, args=(connection,), daemon=True).start()

        threading.Thread(target=run, daemon=True).start()
        yield server
        listening.shutdown(socket.SHUT_RDWR)
