"""The reference model: small programs over shared variables, and brute force over all of their interleavings.

A program is a list of lanes, a lane a list of blocks, a block the operations between two awaits. The model runs them
without Crosslane; `source` writes the same program as a handler.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Operation = tuple[Literal["write", "append", "read", "clear"], str]
Lane = tuple[tuple[Operation, ...], ...]
NAMES = ("alice", "bobby", "carol")


@dataclass(frozen=True)
class SmallProgram:
    """`variables` are the shared ones. Each lane writes its own secret and puts what it reads into its answer."""

    lanes: tuple[Lane, ...]

    def interleavings(self) -> Iterator[tuple[int, ...]]:
        """Every order in which the lanes' blocks can run."""

        def extend(left: tuple[int, ...], done: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
            if not any(left):
                yield done
            for lane, count in enumerate(left):
                if count:
                    yield from extend((*left[:lane], count - 1, *left[lane + 1 :]), (*done, lane))

        yield from extend(tuple(len(lane) for lane in self.lanes), ())

    def run(self, order: tuple[int, ...]) -> list[str]:
        """The answers, when the blocks run in this order on fresh state."""
        state: dict[str, str] = {}
        answers = ["" for _ in self.lanes]
        at = [0 for _ in self.lanes]
        for lane in order:
            for operation, variable in self.lanes[lane][at[lane]]:
                if operation == "write":
                    state[variable] = secret(lane)
                elif operation == "append":
                    state[variable] = f"{state.get(variable, '')} {secret(lane)}"
                elif operation == "clear":
                    state[variable] = ""
                else:
                    answers[lane] += f" {state.get(variable, '')}"
            at[lane] += 1
        return answers

    def leaks(self, order: tuple[int, ...]) -> set[tuple[int, int]]:
        """(source, sink) of every secret that another lane was shown."""
        answers = self.run(order)
        lanes = range(len(self.lanes))
        return {(a, b) for a in lanes for b in lanes if a != b and secret(a) in answers[b]}

    def source(self) -> str:
        """The same program as a handler, one module global a variable."""
        variables = sorted({variable for lane in self.lanes for block in lane for _, variable in block})
        lines = ["import asyncio", *(f"{variable} = ''" for variable in variables), "async def handle(user, message):"]
        if variables:
            lines.append(f"    global {', '.join(variables)}")
        lines.append("    answer = ''")
        for number, lane in enumerate(self.lanes):
            lines.append(f"    if user == {NAMES[number]!r}:")
            for position, block in enumerate(lane):
                if position:
                    lines.append("        await asyncio.sleep(0)")
                for operation, variable in block:
                    lines.append(
                        {
                            "write": f"        {variable} = message",
                            "append": f"        {variable} = f'{{{variable}}} {{message}}'",
                            "clear": f"        {variable} = ''",
                            "read": f"        answer += f' {{{variable}}}'",
                        }[operation]
                    )
            lines.append("        pass")
        lines.append("    return answer")
        return "\n".join(lines) + "\n"


def secret(lane: int) -> str:
    return ("qwzalice71", "xkvbobby82", "jfpcarol93")[lane]
