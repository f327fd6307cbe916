"""The keys of tokens: each verifies by one algorithm alone, whatever a token says of itself, and has an id.

Imports nothing of the package. An id (``kid``, RFC 7515, section 4.1.4) is made of the key, so that whoever has the
same key has the same id and a rotation needs no names. The functions read settings: they raise :exc:`ValueError` with
the rest of a sentence, and never with a part of a key.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Shorter secrets than this (RFC 7518, section 3.2: the size of the HS256 hash) are refused.
MIN_KEY_BYTES = 32
#: The same for RSA, in bits (RFC 7518, section 3.3).
MIN_RSA_BITS = 2048

#: The algorithm of an elliptic curve (RFC 7518, section 3.4).
CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}

PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.DOTALL)


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """One key. ``signs`` is what it signs with; ``None`` if it only verifies."""

    id: str
    algorithm: str
    verifies: Any
    signs: Any = None


class KeyRing:
    """The key that signs, and all that verify."""

    def __init__(self, signing: Key, others: Iterable[Key] = ()) -> None:
        self.signing = signing
        self._keys = {key.id: key for key in (*others, signing)}

    @property
    def algorithms(self) -> list[str]:
        return sorted({key.algorithm for key in self._keys.values()})

    def candidates(self, header: Mapping[str, Any]) -> list[Key]:
        """The keys by which a token with this header, which nobody has verified, may be.

        One without an id may be by any key of its algorithm: ours had none before there were several keys.
        """
        algorithm, key_id = header.get("alg"), header.get("kid")
        if "crit" in header:  # it asks for what we do not know (RFC 7515, section 4.1.11)
            return []
        if key_id is None:
            return [key for key in self._keys.values() if key.algorithm == algorithm]
        key = self._keys.get(key_id) if isinstance(key_id, str) else None
        return [key] if key is not None and key.algorithm == algorithm else []


def secret(text: str, key_id: str = "") -> Key:
    """A key that is shared by all who sign and verify (HS256)."""
    return Key(key_id or _id(text.encode()), "HS256", text, text)


def old_keys(value: Any) -> tuple[Key, ...]:
    """Secrets, comma separated, or a JSON object of secrets by the ids that their tokens have."""
    text = str(value).strip()
    if text.startswith("{"):
        try:
            named = json.loads(text)
        except ValueError:
            raise ValueError("is no JSON object of keys by their ids") from None
        keys = [secret(str(key), str(key_id)) for key_id, key in named.items()]
    else:
        keys = [secret(key.strip()) for key in text.split(",") if key.strip()]
    if any(len(key.verifies.encode()) < MIN_KEY_BYTES for key in keys):
        raise ValueError(f"has a key of less than {MIN_KEY_BYTES} bytes")
    return tuple(keys)


def private_key(value: Any) -> Key:
    """A private key in PEM, or the path of its file: RSA, an elliptic curve, or Ed25519."""
    serialization = _serialization()
    try:
        private = serialization.load_pem_private_key(_text(value).encode(), password=None)
    except (ValueError, TypeError):
        raise ValueError("is no private key in PEM without a password, and no path of one") from None
    public = _public(private.public_key())
    return Key(public.id, public.algorithm, public.verifies, private)


def public_keys(value: Any) -> tuple[Key, ...]:
    """Public keys in PEM, one after the other, or the paths of their files, comma separated."""
    text = str(value)
    texts = [text] if "-----BEGIN" in text else [word for word in text.split(",") if word.strip()]
    found: list[Key] = []
    for one in texts:
        blocks = list(PEM.finditer(_text(one)))
        if not blocks:
            raise ValueError("has something that is no key in PEM, and no path of one")
        found += [_public_key(block) for block in blocks]
    return tuple(found)


def _public_key(block: re.Match[str]) -> Key:
    if "PRIVATE" in block[1]:
        raise ValueError("has a private key: give the public one")
    try:
        public = _serialization().load_pem_public_key(block[0].encode())
    except ValueError:
        raise ValueError("has something that is no public key in PEM") from None
    return _public(public)


def _public(public: Any) -> Key:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if isinstance(public, rsa.RSAPublicKey):
        if public.key_size < MIN_RSA_BITS:
            raise ValueError(f"has an RSA key of less than {MIN_RSA_BITS} bits")
        return Key(_id(der), "RS256", public)
    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name in CURVES:
        return Key(_id(der), CURVES[public.curve.name], public)
    if isinstance(public, ed25519.Ed25519PublicKey):
        return Key(_id(der), "EdDSA", public)
    raise ValueError("has a key of a kind that tokens are not signed with: give RSA, P-256, P-384, P-521 or Ed25519")


def _serialization() -> Any:
    try:
        from cryptography.hazmat.primitives import serialization
    except ImportError:
        raise ValueError("needs the package cryptography: pip install 'classwaves[crypto]'") from None
    return serialization


def _text(value: Any) -> str:
    """The text of a key: as it is, with line ends that an environment may have escaped, or of a file."""
    text = str(value).strip()
    if "-----BEGIN" in text:
        return text.replace("\\r", "").replace("\\n", "\n")
    try:
        return Path(text.removeprefix("@")).read_text()
    except (OSError, ValueError):
        raise ValueError("is no key in PEM, and no path of a file that can be read") from None


def _id(key: bytes) -> str:
    digest = hashlib.sha256(b"classwaves key id\0" + key).digest()
    return base64.urlsafe_b64encode(digest[:9]).decode()
