"""An authority for the daemon's TLS and an issuer of its users' JWTs, both made when the tests run."""

import base64
import hashlib
import json
import os
import subprocess
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

NAME = "https://login.example.org/"
AUDIENCE = "tickerd"


def url64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Authority:
    """A certificate authority, and a certificate of it for 127.0.0.1."""

    def __init__(self, folder):
        def path(name):
            return os.path.join(folder, name)

        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], check=True, capture_output=True)

        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        self.file, self.certificate, self.key = path("authority.pem"), path("chain.pem"), path("key.pem")
        subject = ["-subj", "/CN=authority of the tests", "-addext", "keyUsage=critical,keyCertSign"]
        openssl("req", "-x509", *key, "-days", "2", *subject, "-keyout", path("authority.key"), "-out", self.file)
        openssl("req", *key, "-subj", "/CN=tickerd", "-keyout", self.key, "-out", path("request"))
        with open(path("extensions"), "w") as file:
            file.write("subjectAltName = IP:127.0.0.1\nextendedKeyUsage = serverAuth\n")
        signer = ["-CA", self.file, "-CAkey", path("authority.key"), "-CAcreateserial", "-extfile", path("extensions")]
        openssl("x509", "-req", "-in", path("request"), *signer, "-days", "2", "-out", self.certificate)
        public = subprocess.run(["openssl", "pkey", "-in", self.key, "-pubout"], check=True, capture_output=True).stdout
        spki = load_pem_public_key(public).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        # By this a browser knows the server, as it does not read the authority's file.
        self.pin = base64.b64encode(hashlib.sha256(spki).digest()).decode()


class Issuer:
    """Signs with Ed25519. Its keys are in `keys`, and its private key is in `key`, for those who sign by themselves."""

    def __init__(self, folder):
        self.private = Ed25519PrivateKey.generate()
        public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.keys, self.key = os.path.join(folder, "jwks.json"), os.path.join(folder, "issuer.pem")
        with open(self.keys, "w") as file:
            json.dump({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "of-the-tests", "x": url64(public)}]}, file)
        with open(self.key, "wb") as file:
            file.write(self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def token(self, user, groups, life=3600, issued=None):
        now = int(time.time())
        head = {"alg": "EdDSA", "kid": "of-the-tests"}
        claims = {"iss": NAME, "aud": AUDIENCE, "sub": user, "iat": issued or now, "exp": now + life, "tickerd": {"groups": groups}}
        text = ".".join(url64(json.dumps(part).encode()) for part in (head, claims))
        return f"{text}.{url64(self.private.sign(text.encode()))}"
