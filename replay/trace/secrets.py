"""What is a secret by its place or by its shape: one table for redaction and for the offline audit.

Only shapes that are unambiguous are here, as gitleaks and detect-secrets know them: a fixed prefix, an alphabet and a
length. What merely looks random is left to the user's own rules, since a wrong guess would rewrite harmless text.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
from importlib import import_module
from typing import Any, cast
from urllib.parse import unquote_plus

SECRET_HEADERS = frozenset({
    "authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key", "apikey", "x-auth-token",
    "x-access-token", "x-amz-security-token", "x-csrf-token", "x-xsrf-token", "x-goog-api-key", "x-functions-key",
    "ocp-apim-subscription-key", "x-vault-token", "x-gitlab-token", "private-token", "x-session-token",
    "x-forwarded-access-token", "x-auth-request-access-token", "cf-access-jwt-assertion",
})  # fmt: skip
SECRET_KEYS = frozenset({
    "password", "passwd", "passphrase", "secret", "apikey", "accesstoken", "refreshtoken", "idtoken", "authtoken",
    "sessiontoken", "clientsecret", "privatekey", "secretkey", "accesskey", "secretaccesskey", "bearertoken",
    "csrftoken", "authorization", "clientassertion", "webhooksecret", "signingsecret", "encryptionkey",
})  # fmt: skip
"""Without `_`, `-` and case: see `is_secret_key`."""
_SECRET_ENDINGS = ("-token", "-secret", "-api-key", "-apikey", "-signature", "-password")
_SOMETIMES = frozenset({"token", "pwd", "pin", "otp", "sig", "signature", "hmac", "passcode"})
_SOMETIMES_IN_FORMS = _SOMETIMES | {"key", "code", "auth"}
"""Names that hold a secret or something else (`token` is also a piece of a streamed answer): the value decides."""
_PAIR = re.compile(r"(?:^|[?&])([\w.\-\[\]]{1,40})=([^&\s#\"'<>]{3,512})")
_PART = re.compile(
    r"form-data;[^\r\n]{0,40}?name=\"([^\"\r\n]{1,40})\"(?:\r?\n[\w-]{1,40}:[^\r\n]{0,200})*\r?\n\r?\n([^\r\n]{1,512})"
)

_SHAPES: dict[str, str] = {
    "key": "|".join((
        r"sk-ant-[\w-]{20,200}",
        r"sk-(?:proj-|svcacct-|admin-|or-v1-|lf-)?[A-Za-z0-9][\w-]{18,200}",
        r"(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{22,255})",
        r"gl(?:pat|ptt|dt|rt|cbt)-[\w-]{20,64}",
        r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
        r"(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,255}",
        r"AIza[\w-]{35}",
        r"ya29\.[\w-]{20,512}",
        r"(?:[srp]k_(?:test|live)|whsec)_[A-Za-z0-9]{16,255}",
        r"SG\.[\w-]{22}\.[\w-]{43}",
        r"npm_[A-Za-z0-9]{36}",
        r"pypi-AgEIcHlwaS5vcmc[\w-]{50,255}",
        r"hf_[A-Za-z]{34}",
        r"gsk_[A-Za-z0-9]{52}",
        r"r8_[A-Za-z0-9]{37}",
        r"lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}",
        r"pk-lf-[a-f0-9-]{36}",
        r"dop_v1_[a-f0-9]{64}",
        r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
        r"hvs\.[\w-]{24,255}",
        r"lin_api_[A-Za-z0-9]{40}",
        r"ntn_[A-Za-z0-9]{40,60}",
        r"\d{8,10}:AA[\w-]{33}",
    )),
    "jwt": r"eyJ[\w-]{6,4096}\.eyJ[\w-]{4,8192}\.[\w-]{0,1024}",
    "pem": r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]{1,8192}?-----END [A-Z ]{0,30}PRIVATE KEY-----",
    "token": r"(?i:bearer)\s+([\w.~+/-]{16,4096}=*)",
}  # fmt: skip

# Most text has none of these, and looking for a few letters is many times quicker than trying every shape.
_HINTS = (
    "sk-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "glptt-", "gldt-", "glrt-", "glcbt-",
    "AKIA", "ASIA", "ABIA", "ACCA", "xox", "xapp-", "AIza", "ya29.", "k_live_", "k_test_", "whsec_", "SG.", "npm_",
    "pypi-", "hf_", "gsk_", "r8_", "lsv2_", "pk-lf-", "dop_v1_", "shpat_", "shpca_", "shppa_", "shpss_", "hvs.",
    "lin_api_", "ntn_", ":AA", "eyJ", "-----BEGIN ", "earer ", "EARER ",
)  # fmt: skip
_ANY = re.compile(r"(?<![A-Za-z0-9])(?:" + "|".join(f"(?P<{kind}>{shape})" for kind, shape in _SHAPES.items()) + r")")

_ASSIGNED_HINTS = ("pass", "secret", "key", "token")
_ASSIGNED = re.compile(
    r"(?i)(?<![A-Za-z0-9])(?:passw(?:or)?d|passphrase|api[_-]?key|(?:access|refresh|id|auth|session|bearer|csrf)[_-]?token|"
    r"client[_-]?secret|webhook[_-]?secret|signing[_-]?secret|secret|private[_-]?key|secret[_-]?(?:access[_-]?)?key|"
    r"access[_-]?key|encryption[_-]?key)\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?([^\s\"'&,;\\{}\[\]<>]{6,512})"
)

STAND_IN_KINDS = (
    "key", "jwt", "pem", "token", "cookie", "secret", "user", "session", "email", "phone", "card", "iban", "value",
)  # fmt: skip
"""What a stand-in can begin with: `email_k5q2…`."""
STAND_IN = re.compile(rf"(?<![a-z0-9])(?:{'|'.join(STAND_IN_KINDS)})_[a-z2-7]{{12}}(?![a-z0-9])")
JWT_CLAIMS = ("sub", "sid", "tid", "uid", "oid", "email", "preferred_username", "name", "org_id")


NO_NAMES = frozenset({
    "admin", "administrator", "root", "test", "tester", "testing", "user", "users", "guest", "anonymous", "default",
    "none", "null", "unknown", "undefined", "true", "false", "system", "assistant", "service", "support", "public",
    "local", "localhost", "demo", "example", "agent", "client", "customer", "main", "session", "sessions", "anyone",
    "everyone", "someone", "team", "you", "here", "there", "sorry", "looking", "trying", "happy", "sure", "not", "just",
    "the", "and", "application", "json",
})  # fmt: skip
"""What stands where a name does and is none."""
_NO_SECRETS = frozenset(
    {"string", "required", "optional", "boolean", "number", "password", "secret", "hidden", "token"}
)
_DIGIT = re.compile(r"\d")


def is_telling(value: str, kind: str) -> bool:
    """Whether a value is unlikely to stand somewhere by chance: such a one is looked for elsewhere too."""
    text = value.lower()
    if kind in ("user", "session"):
        return len(text) >= (6 if text.isdigit() else 3) and text not in NO_NAMES
    if kind == "cookie" and not (_DIGIT.search(text) or len(text) >= 16):
        return False  # theme=dark
    return len(text) >= 6 and text not in NO_NAMES and text not in _NO_SECRETS


def stands_free(text: str, start: int, end: int, kind: str) -> bool:
    """Whether a match is no part of a longer word; for a name, of no address or compound either. A secret counts
    inside other text too."""
    if kind not in ("email", "phone", "card", "iban", "user", "session", "value", "id", "account", "name"):
        return True
    joined = "@_-" if kind in ("user", "name") else ""
    before, after = text[start - 1 : start], text[end : end + 1]
    return not ((before and (before.isalnum() or before in joined)) or (after and (after.isalnum() or after in joined)))


@functools.lru_cache(4_096)
def is_secret_key(key: str) -> bool:
    """Whether a JSON key, form field or query parameter of this name holds a secret."""
    return key.replace("_", "").replace("-", "").lower() in SECRET_KEYS


@functools.cache
def _hints() -> Any:
    """What finds any of the hints in one pass: asking for each by itself takes four times as long."""
    automaton: Any = cast("Any", import_module("ahocorasick")).Automaton()
    for hint in _HINTS:
        automaton.add_word(hint, hint)
    automaton.make_automaton()
    return automaton


def shaped_secrets(text: str) -> list[tuple[int, int, str]]:
    """(start, end, kind) of each known token shape in a text, in order. Of `Bearer …` the token alone."""
    if next(_hints().iter(text), None) is None:
        return []
    found: list[tuple[int, int, str]] = []
    for match in _ANY.finditer(text):
        kind = str(match.lastgroup)
        start, end = match.span(kind)
        if kind == "token":
            start = end - len(match[match.re.groups])
        found.append((start, end, kind))
    return found


def is_secret_header(name: str) -> bool:
    """Whether a header that is in no list holds a credential by its name: `X-My-Token`."""
    return name.lower().endswith(_SECRET_ENDINGS)


def is_secret_member(key: str, value: str) -> bool:
    """Whether a member of a JSON object is a secret, by its name, and by its value where the name is not enough."""
    return is_secret_key(key) or (key.lower() in _SOMETIMES and _looks_secret(key.lower(), value))


def _looks_secret(key: str, value: str) -> bool:
    if any(character.isspace() for character in value) or not 3 < len(value) <= 512:
        return False
    digits = sum(character.isdigit() for character in value)
    if key in ("pin", "otp", "code", "passcode"):
        return digits == len(value) or (len(value) >= 8 and digits > 1)
    return key == "pwd" or len(value) >= 20 or (len(value) >= 8 and digits > 0)


def _form_secrets(text: str) -> list[tuple[int, int, str]]:
    """Of a query, a form or a multipart body: the values of the fields that hold secrets."""
    found: list[tuple[int, int, str]] = []
    for match in (*_PAIR.finditer(text), *(_PART.finditer(text) if "form-data" in text else ())):
        name = match[1].lower()
        if is_secret_key(name) or (name in _SOMETIMES_IN_FORMS and _looks_secret(name, unquote_plus(match[2]))):
            found.append((*match.span(2), "secret"))
    return found


def assigned_secrets(text: str) -> list[tuple[int, int, str]]:
    """(start, end, kind) of what stands behind `password=`, `"api_key": "` and the like in a text."""
    if "=" in text and (forms := _form_secrets(text)):
        return forms + _assigned(text)
    return _assigned(text)


def _assigned(text: str) -> list[tuple[int, int, str]]:
    if "=" not in text and ":" not in text:
        return []
    lowered = text.lower()
    if not any(hint in lowered for hint in _ASSIGNED_HINTS):
        return []
    return [(*match.span(1), "secret") for match in _ASSIGNED.finditer(text)]


def header_secrets(name: str, value: str) -> list[tuple[int, int, str]]:
    """(start, end, kind) of what is secret in a header of `SECRET_HEADERS`: each cookie's value, or the credentials."""
    lowered = name.lower()
    if lowered == "cookie":
        return [(m.start(1), m.end(1), "cookie") for m in re.finditer(r"[^=;\s]+\s*=\s*\"?([^;\"]*[^;\"\s])", value)]
    if lowered == "set-cookie":
        first = re.match(r"\s*[^=;]+=\s*\"?([^;\"]*[^;\"\s])", value)
        return [(first.start(1), first.end(1), "cookie")] if first else []
    scheme = re.match(r"\s*(?:[A-Za-z][\w-]*\s+)?(\S.*\S|\S)\s*$", value)
    if scheme is None:
        return []
    kind = "jwt" if jwt_claims(scheme[1]) is not None else "token"
    return [(scheme.start(1), scheme.end(1), kind)]


def jwt_claims(token: str) -> dict[str, Any] | None:
    """The claims of a JWT (RFC 7519), unverified; None where it is none."""
    pieces = token.split(".")
    if len(pieces) != 3 or not pieces[0].startswith("eyJ"):
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(pieces[1] + "=" * (-len(pieces[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", claims) if isinstance(claims, dict) else None
