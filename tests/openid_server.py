"""A small OpenID provider over real HTTP: discovery, keys, authorisation, tokens signed by a real key."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "touchstone", "between us"


def number(value: int) -> str:
    """Spell a number as keys are published."""
    data = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Provider:
    """Signs everybody in as `claims` say; `overrides` spoil a token, `key` may be an unpublished one."""

    def __init__(self) -> None:
        self.published = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.key = self.published
        self.claims: dict[str, Any] = {"sub": "7", "email": "nina@example.org", "email_verified": True}
        self.overrides: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.address = ""

    def configuration(self) -> dict[str, Any]:
        names = {"authorization": "authorize", "token": "token"}
        return {
            "issuer": self.address,
            **{f"{name}_endpoint": f"{self.address}/{path}" for name, path in names.items()},
            "jwks_uri": f"{self.address}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def keys(self) -> dict[str, Any]:
        numbers = self.published.public_key().public_numbers()
        return {
            "keys": [
                {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", "n": number(numbers.n),
                 "e": number(numbers.e)}
            ]
        }  # fmt: skip

    def authorize(self, asked: dict[str, str]) -> str:
        """Return where the browser goes from here: back, with a code."""
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        code = str(len(self.codes))
        self.codes[code] = asked
        return asked["redirect_uri"] + "?" + urlencode({"code": code, "state": asked["state"]})

    def token(self, asked: dict[str, str]) -> dict[str, Any]:
        """Give a token for a code, to who knows the secret and the verifier."""
        begun = self.codes.pop(asked["code"])
        hashed = base64.urlsafe_b64encode(sha256(asked["code_verifier"].encode()).digest())
        assert hashed.rstrip(b"=").decode() == begun["code_challenge"]
        assert (asked["client_id"], asked["client_secret"]) == (CLIENT, SECRET)
        now = int(time.time())
        claims = {"iss": self.address, "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": begun["nonce"]}
        claims |= self.claims
        signed = jwt.encode({**claims, **self.overrides}, self.key, algorithm="RS256", headers={"kid": "1"})
        return {"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": signed}


@contextmanager
def serve() -> Iterator[Provider]:
    """Run a provider for as long as the context lasts."""
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/authorize":
                asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.send_response(302)
                self.send_header("Location", provider.authorize(asked))
                self.end_headers()
            else:
                self.say(provider.keys() if parts.path == "/keys" else provider.configuration())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.say(provider.token({name: values[0] for name, values in parse_qs(body).items()}))

        def say(self, answer: dict[str, Any]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield provider
    server.shutdown()
    server.server_close()
