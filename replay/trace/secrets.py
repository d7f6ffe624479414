"""Which values are secrets: header and key names that hold credentials, and the shapes of well-known tokens.

The shapes are those whose prefix says what they are, as the secret scanners gitleaks and detect-secrets know them; a
shape that also fits ordinary text is not here. Personal data (e-mail, phone, card, IBAN) is a choice of the user's.
"""

from __future__ import annotations

import re

HEADERS = frozenset((
    "authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key", "x-auth-token",
    "x-access-token", "x-csrf-token", "x-xsrf-token", "x-goog-api-key", "x-amz-security-token", "x-vault-token",
    "x-gitlab-token", "x-functions-key", "ocp-apim-subscription-key", "openai-api-key", "anthropic-api-key",
    "x-session-token", "x-refresh-token", "x-forwarded-access-token", "x-amzn-oidc-data", "cf-access-jwt-assertion",
))  # fmt: skip
"""Header names, in lower case, whose whole value is a credential."""

KEYS = frozenset((
    "password", "passwd", "pwd", "passphrase", "secret", "client_secret", "clientsecret", "api_key", "apikey",
    "access_token", "accesstoken", "refresh_token", "refreshtoken", "id_token", "idtoken", "auth_token", "authtoken",
    "session_token", "sessiontoken", "token", "bearer", "private_key", "privatekey", "access_key", "secret_key",
    "secretkey", "aws_secret_access_key", "authorization", "credential", "credentials", "otp", "pin", "cvv", "cvc",
    "ssn",
))  # fmt: skip
"""Keys of JSON objects, query strings and forms, in lower case with `-` as `_`, whose text is a credential."""

_SHAPES = (
    ("sk-", r"\bsk-(?:ant-|proj-|svcacct-|or-v1-|lf-)?[A-Za-z0-9_-]{16,}"),  # OpenAI, Anthropic, OpenRouter, Langfuse
    ("pk-lf-", r"\bpk-lf-[0-9a-f-]{36}"),
    ("lsv2_", r"\blsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),  # LangSmith
    ("gh", r"\bgh[pousr]_[A-Za-z0-9]{36,}"),
    ("github_pat_", r"\bgithub_pat_[A-Za-z0-9_]{22,}"),
    ("glpat-", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("AKIA", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("ASIA", r"\bASIA[A-Z0-9]{16}\b"),
    ("xox", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("AIza", r"\bAIza[A-Za-z0-9_-]{35}"),
    ("ya29.", r"\bya29\.[A-Za-z0-9_-]{20,}"),
    ("_live_", r"\b(?:sk|rk|pk)_live_[A-Za-z0-9]{10,}"),  # Stripe
    ("_test_", r"\b(?:sk|rk)_test_[A-Za-z0-9]{10,}"),
    ("whsec_", r"\bwhsec_[A-Za-z0-9+/=]{20,}"),
    ("hf_", r"\bhf_[A-Za-z0-9]{30,}"),
    ("gsk_", r"\bgsk_[A-Za-z0-9]{40,}"),  # Groq
    ("npm_", r"\bnpm_[A-Za-z0-9]{36}"),
    ("pypi-", r"\bpypi-[A-Za-z0-9_-]{50,}"),
    ("dop_v1_", r"\bdop_v1_[0-9a-f]{64}"),
    ("SG.", r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    ("eyJ", r"\beyJ[A-Za-z0-9_-]{5,}\.eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*"),  # JWT
    ("PRIVATE KEY", r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[\s\S]{0,8192}?-----END [A-Z ]{0,20}PRIVATE KEY-----"),
    ("earer ", r"(?<=[Bb]earer )[A-Za-z0-9._~+/-]{12,}=*"),
    ("://", r"(?<=://)[^/\s:@\"']{1,64}:[^/\s:@\"']{1,128}(?=@)"),  # user:password in a URL
)
MARKERS = tuple(dict.fromkeys(marker for marker, _ in _SHAPES))
"""A text that has none of these has none of the shapes; asking for them is much quicker than the expression."""
SHAPES = re.compile("|".join(f"(?:{shape})" for _, shape in _SHAPES))

PERSONAL = {
    "email": re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}"),
    "phone": re.compile(r"(?<![\w.])\+?\d{1,3}[ .-]?\(?\d{2,4}\)?(?:[ .-]?\d{2,4}){2,4}(?![\w.])"),
    "card": re.compile(r"(?<!\d)(?:\d[ -]?){12,18}\d(?!\d)"),
    "iban": re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b"),
    "ip": re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])"),
}
"""What `--redact kind:NAME` may name."""


def is_card(digits: str) -> bool:
    """Luhn's check (ISO/IEC 7812-1); without it every long number would be a card."""
    numbers = [int(digit) for digit in digits if digit.isdigit()]
    doubled = [2 * n - 9 * (n > 4) if i % 2 else n for i, n in enumerate(reversed(numbers))]
    return 13 <= len(numbers) <= 19 and sum(doubled) % 10 == 0
