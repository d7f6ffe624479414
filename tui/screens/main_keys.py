"""The keys of the main screen, and what the palette says of them: whatever can be done is in one of the two."""

from __future__ import annotations

from textual.binding import Binding

from ..bindings import named

KEYS = named(
    [
        Binding("n", "crossing(1)", "Crossing", key_display="n"),
        Binding("question_mark", "app.help", "Help", key_display="?"),
        Binding("q", "app.quit", "Quit"),
        Binding("N", "crossing(-1)", "Crossing back", show=False),
        Binding("enter", "open", "Open"),
        Binding("i", "inspect", "Inspect", show=False),
        Binding("r", "replay", "Replay"),
        Binding("c", "choose", "Choose lane"),
        Binding("b", "breakpoints", "Breakpoints", show=False),
        Binding("f", "continue(1)", "Continue", show=False),
        Binding("F", "continue(-1)", "Continue back", show=False),
        Binding("t", "tried", "Interleavings"),
        Binding("d", "compare", "Compare with the run before", show=False),
        Binding("u", "before", "Run before", show=False),
        Binding("a", "findings", "All findings"),
        Binding("m", "minimise", "Minimise", show=False),
        Binding("o", "edit", "Edit the source", show=False),
        Binding("w", "watch", "Watch"),
        Binding("e", "export", "Export"),
        Binding("slash", "search", "Search", show=False),
        Binding("y", "copy", "Copy", show=False),
        Binding("P", "pause", "Pause", show=False),
        Binding("x", "cancel", "Stop", show=False),
        Binding("escape", "back", "Back", show=False),
        Binding("tab", "app.focus_next", "Next panel", show=False),
    ]
)

COMMANDS = (
    ("Replay", "Run the trace again: lockstep, serial, random, the finding's schedule", "replay"),
    ("All findings", "In a table, the most telling first", "findings"),
    ("Minimise the finding", "Looks for fewer requests and switches that still show it", "minimise"),
    ("Edit the source", "The line under the cursor, in $VISUAL or $EDITOR", "edit"),
    ("Watch the handler's files", "After each edit, the repro and the search again; once more stops", "watch"),
    ("Export the repro", "Write a script that needs Python and the handler alone", "export"),
    ("Inspect the step", "Request, response and output of the step under the cursor", "inspect"),
    ("Copy the finding", "As text, to the clipboard", "copy"),
    ("Pause the search, or go on with it", "It waits between two executions, and its budget with it", "pause"),
    ("Stop the replay", "Keeps what was found", "cancel"),
    ("Choose another lane here", "Runs the interleaving in which another lane goes on at this step", "choose"),
    ("Interleavings", "What was tried, as a tree; compare two", "tried"),
    ("Compare with the run before", "The run in the lanes and the one before it, side by side", "compare"),
    ("Run before", "Shows the run again that was in the lanes before", "before"),
    ("Breakpoints", "On a line, an await, a request or a value", "breakpoints"),
    ("Continue", "To the next row that a breakpoint hits", "continue(1)"),
    ("Search the lanes", "A text in the rows that are shown; n and N go on, esc ends it", "search"),
    ("Next crossing", "Moves the cursor", "crossing(1)"),
)
"""Title, help text and action of each command."""
