"""What an import learns about who was named by what, without keeping the requests.

Requests that make the same claims say the same about identity, so one of each kind is kept with how many there were.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..trace.identity import Claim, Role, chosen, disagreements, used_places
from ..trace.model import Json, Request

if TYPE_CHECKING:
    from collections.abc import Iterable

_TOKENS = ("authorization", "x-api-key", "api-key", "cookie")
_MOST_NAMED = 3


@dataclass(slots=True)
class Census:
    """Counts, filled by `add`."""

    requests: int = 0
    sessions: set[str] = field(default_factory=set[str])
    users: set[str] = field(default_factory=set[str])
    _kinds: Counter[tuple[Claim, ...]] = field(default_factory=Counter[tuple[Claim, ...]])
    _tokens: dict[tuple[str, bytes], set[str]] = field(default_factory=lambda: defaultdict(set))
    _session_users: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, request: Request) -> None:
        self.requests += 1
        self.sessions.add(request.session)
        self._kinds[request.claims] += 1
        user = chosen(request.claims, "user")
        if user is None:
            return
        self.users.add(user.value)
        if any(claim.role == "session" for claim in request.claims):
            self._session_users[request.session].add(user.value)
        # What the token itself says cannot contradict the token.
        if not user.place.startswith(("jwt:", "cookie:")):
            for name, value in _headers(request.request):
                if name in _TOKENS:
                    self._tokens[name, hashlib.blake2b(value.encode("utf-8", "replace"), digest_size=12).digest()].add(
                        user.value
                    )

    def places(self) -> dict[Role, dict[str, int]]:
        """For each role how many requests were named by which place, most first; `none` where nothing named it."""
        counts: dict[Role, Counter[str]] = {"session": Counter(), "user": Counter()}
        for request, times in self._representatives():
            for role, of in used_places([request]).items():
                for place in of:
                    counts[role][place] += times
        return {role: dict(of.most_common()) for role, of in counts.items()}

    def disagreements(self) -> int:
        """How many requests have places that contradict each other."""
        times = {request.id: count for request, count in self._representatives()}
        found = disagreements(request for request, _ in self._representatives())
        return sum(times[identity] for identity in {each.request for each in found})

    def shared(self) -> tuple[str, ...]:
        """Tokens and session names that several users have in common, a line each; no value of a token is shown."""
        said: list[str] = []
        by_header: dict[str, list[set[str]]] = defaultdict(list)
        for (name, _), users in self._tokens.items():
            if len(users) > 1:
                by_header[name].append(users)
        for name, groups in by_header.items():
            most = max(map(len, groups))
            said.append(f"the same {name} header comes from several users ({len(groups)} such, up to {most} users)")
        mixed = {session: users for session, users in self._session_users.items() if len(users) > 1}
        if mixed:
            some = ", ".join(sorted(session[:40] for session in mixed)[:_MOST_NAMED])
            more = f" and {len(mixed) - _MOST_NAMED} more" if len(mixed) > _MOST_NAMED else ""
            said.append(f"the same session id comes from several users: {some}{more}")
        return tuple(said)

    def _representatives(self) -> Iterable[tuple[Request, int]]:
        for number, (claims, times) in enumerate(self._kinds.items()):
            yield Request(str(number), "", None, 0, None, None, 0, claims), times


def _headers(request: Json) -> list[tuple[str, str]]:
    pairs: Json = request.get("headers") if isinstance(request, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if not isinstance(pairs, list):
        return []
    return [(str(pair[0]).lower(), str(pair[1])) for pair in pairs if len(pair) == 2]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
