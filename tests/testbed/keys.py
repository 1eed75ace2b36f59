"""Throw-away keys: the bed's CA and the SSH keys. Each is made once per bed and kept in its directory."""

from __future__ import annotations

import secrets
import subprocess
from pathlib import Path

from .console import BedError

DAYS = "3650"


def run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BedError(f"`{argv[0]} {argv[1]}` failed:\n{done.stderr.strip()}")


def authority(directory: Path) -> Path:
    """The CA behind the bed's own servers (the ACME directory, the registry): never the CA of the sites under test."""
    path = directory / "ca.pem"
    if not path.exists():
        new_certificate(
            path, "onebox test bed", "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"
        )
    return path


def certificate(directory: Path, name: str) -> Path:
    """A server certificate for `name`, its key beside it as `.key`."""
    path = directory / f"{name}.pem"
    if not path.exists():
        issuer = ("-CA", str(directory / "ca.pem"), "-CAkey", str(directory / "ca.key"))
        extensions = (f"subjectAltName=DNS:{name}", "extendedKeyUsage=serverAuth", "basicConstraints=critical,CA:FALSE")
        new_certificate(path, name, *extensions, issuer=issuer)
    return path


def new_certificate(path: Path, subject: str, *extensions: str, issuer: tuple[str, ...] = ()) -> None:
    key = path.with_suffix(".key")
    options = [option for extension in extensions for option in ("-addext", extension)]
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc")
    run(
        *("openssl", "req", "-x509", "-config", "/dev/null", "-subj", f"/CN={subject}", "-days", DAYS, *curve, *issuer),
        *options,
        *("-keyout", str(key), "-out", str(path)),
    )


def ssh_key(path: Path, comment: str) -> Path:
    """A private key at `path`, its public half beside it as `.pub`."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path))
    return path


def public(path: Path) -> str:
    return path.with_name(f"{path.name}.pub").read_text()


def password(path: Path) -> str:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24) + "\n")
    return path.read_text().strip()
