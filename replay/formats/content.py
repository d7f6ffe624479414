"""What a span was given and what it gave, in whichever attributes its instrumentation wrote them.

Three eras of OpenTelemetry's GenAI attributes are read at once (numbered `gen_ai.prompt.0.content`, message events, and
`gen_ai.input.messages`), with OpenInference's, Traceloop's, MLflow's, Langfuse's and the Vercel AI SDK's.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from .found import keep_json
from .messages import Message, last_text, messages_in
from .spans import under

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..trace.model import Json
    from .spans import Event, Span

Role: TypeAlias = Literal["server", "agent", "llm", "tool", ""]

_OPERATIONS: dict[str, Role] = {
    "chat": "llm", "text_completion": "llm", "completion": "llm", "generate_content": "llm", "embeddings": "llm",
    "execute_tool": "tool", "invoke_agent": "agent", "invoke_workflow": "agent",
}  # fmt: skip
_TYPES: dict[str, Role] = {
    "llm": "llm", "chat_model": "llm", "embedding": "llm", "generation": "llm", "completion": "llm", "chat": "llm",
    "tool": "tool", "retriever": "tool", "reranker": "tool", "agent": "agent", "workflow": "agent",
}  # fmt: skip
_TYPED_BY = ("openinference.span.kind", "traceloop.span.kind", "langfuse.observation.type", "mlflow.spanType",
             "langsmith.span.kind", "llm.request.type")  # fmt: skip
_INPUT = ("input.value", "traceloop.entity.input", "mlflow.spanInputs", "langfuse.observation.input",
          "langfuse.trace.input", "gen_ai.prompt", "ai.prompt")  # fmt: skip
_OUTPUT = ("output.value", "traceloop.entity.output", "mlflow.spanOutputs", "langfuse.observation.output",
           "langfuse.trace.output", "gen_ai.completion", "ai.response.text")  # fmt: skip
_SENT = ("gen_ai.input.messages", "llm.input_messages", "gen_ai.prompt", "ai.prompt.messages", "llm.prompts")
_ANSWERED = ("gen_ai.output.messages", "llm.output_messages", "gen_ai.completion", "ai.response.text")
_ARGUMENTS = ("gen_ai.tool.call.arguments", "tool.parameters", "ai.toolCall.args", "input.value")
_RESULT = ("gen_ai.tool.call.result", "ai.toolCall.result", "output.value", "retrieval.documents")
_MODEL = ("gen_ai.request.model", "gen_ai.response.model", "llm.model_name", "ai.model.id")
_STREAMING = ("llm.is_streaming", "gen_ai.is_streaming", "gen_ai.request.stream")
_FIRST_CHUNK = ("gen_ai.response.time_to_first_chunk", "ai.response.msToFirstChunk",
                "langfuse.observation.completion_start_time")  # fmt: skip
_CHUNK_EVENTS = ("First Token Stream Event", "new_token", "gen_ai.content.completion.chunk")
_CONTENT_TYPE = ("http.response.header.content-type", "http.response.header.content_type")
_EVENT_ROLES = {
    "gen_ai.system.message": "system", "gen_ai.user.message": "user", "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}  # fmt: skip
_DETAILS = "gen_ai.client.inference.operation.details"


def role_of(span: Span) -> Role:
    """What a span is: an inbound request, an agent's turn, a call to a model, or to a tool."""
    attributes = span.attributes
    if span.kind in ("server", "agent", "llm", "tool"):
        return span.kind
    operation = attributes.get("gen_ai.operation.name")
    if isinstance(operation, str) and operation in _OPERATIONS:
        return _OPERATIONS[operation]
    for name in _TYPED_BY:
        if name in attributes and str(attributes[name]).lower() in _TYPES:
            return _TYPES[str(attributes[name]).lower()]
    if "gen_ai.request.model" in attributes or "llm.model_name" in attributes:
        return "llm"
    return ""


def input_of(span: Span) -> Json:
    """What an agent, a chain or a whole trace was given: a JSON value or a text, None where it was not recorded."""
    found = recorded_input(span)
    return (sent_messages(span) or None) if found is None else found


def recorded_input(span: Span) -> Json:
    """As `input_of`, without the messages of a model that the span itself may be."""
    return _unwrapped(_first(span.attributes, _INPUT), ("inputs", "kwargs"))


def output_of(span: Span) -> Json:
    """What it answered: as recorded, or the text of the last message where that is messages."""
    found = _unwrapped(_first(span.attributes, _OUTPUT), ("outputs",))
    if isinstance(found, list) or found is None:
        messages = messages_in(found, "assistant") or answered_messages(span)
        return last_text(messages, "assistant") or found or messages or None
    return found


def sent_messages(span: Span) -> list[Message]:
    """The conversation that a model was sent, its instructions first."""
    details = _details(span)
    system = messages_in(_parts(_first({**span.attributes, **details}, ("gen_ai.system_instructions",))), "system")
    for attributes in (span.attributes, details):
        for name in _SENT:
            found = messages_in(_listed(under(attributes, name)))
            if found:
                return [*system, *found]
    told = [message for event in span.events if (message := _told(event)) is not None]
    return [*system, *told]


def answered_messages(span: Span) -> list[Message]:
    """What a model answered."""
    details = _details(span)
    for attributes in (span.attributes, details):
        for name in _ANSWERED:
            value = under(attributes, name)
            found = messages_in(_listed(value), "assistant")
            if not found and isinstance(value, str) and value:
                found = [{"role": "assistant", "content": value}]
            if found:
                return found
    choices = [event for event in span.events if event.name in ("gen_ai.choice", "gen_ai.content.completion")]
    return [message for event in choices for message in messages_in(_body(event), "assistant")]


def sent_of(span: Span, role: Role) -> Json:
    """What went out in a call to a model (`{"model", "messages"}`) or a tool (its arguments)."""
    if role == "tool":
        return _first(span.attributes, (*_ARGUMENTS, *_INPUT))
    messages = sent_messages(span)
    if not messages:
        given = _first(span.attributes, _INPUT)
        messages = messages_in(given)
        if not messages:
            return given
    model = _first(span.attributes, _MODEL)
    return {**({"model": model} if isinstance(model, str) else {}), "messages": messages}


def answered_of(span: Span, role: Role) -> Json:
    """What came back from it."""
    if role == "tool":
        return _first(span.attributes, (*_RESULT, *_OUTPUT))
    messages = answered_messages(span)
    if not messages:
        gave = _first(span.attributes, _OUTPUT)
        messages = messages_in(gave, "assistant")
        if not messages:
            return gave
    return {"messages": messages}


def was_streamed(span: Span) -> bool:
    """Whether the span says that its answer was a stream."""
    attributes = span.attributes
    return (
        any(str(attributes.get(name)).lower() == "true" for name in _STREAMING)
        or any(name in attributes for name in _FIRST_CHUNK)
        or any("text/event-stream" in str(attributes.get(name)) for name in _CONTENT_TYPE)
        or any(event.name in _CHUNK_EVENTS for event in span.events)
    )


def _first(attributes: Mapping[str, Json], names: tuple[str, ...]) -> Json:
    """The first of the named attributes that holds something, decoded where it is a JSON text."""
    for name in names:
        value = keep_json(under(attributes, name))
        if value is not None and value != "":
            return value
    return None


def _unwrapped(value: Json, names: tuple[str, ...]) -> Json:
    """What decorators wrap around the arguments of a function (`{"args": […], "kwargs": {…}}`) taken off."""
    if not isinstance(value, dict) or not value.keys() <= {"inputs", "outputs", "args", "kwargs", "tags", "metadata"}:
        return value
    for name in names:
        if value.get(name):
            return value[name]
    arguments = value.get("args")
    return arguments[0] if isinstance(arguments, list) and len(arguments) == 1 else value


def _listed(value: Json) -> Json:
    """Numbered attributes with gaps come back as an object; messages are its values."""
    value = keep_json(value)
    return list(value.values()) if isinstance(value, dict) and value and all(k.isdigit() for k in value) else value


def _parts(value: Json) -> Json:
    """Instructions are a text or a list of parts rather than messages."""
    if isinstance(value, str):
        return {"content": value}
    return {"parts": value} if isinstance(value, list) and value else None


def _details(span: Span) -> dict[str, Json]:
    return {k: v for event in span.events if event.name == _DETAILS for k, v in event.attributes.items()}


def _told(event: Event) -> Message | None:
    if event.name == "gen_ai.content.prompt":
        return next(iter(messages_in(_body(event))), None)
    role = _EVENT_ROLES.get(event.name)
    return next(iter(messages_in(_body(event), role)), None) if role else None


def _body(event: Event) -> Json:
    """The message in an event: its body, or one of the attributes that carried it before bodies did."""
    for name in ("body", "gen_ai.event.content", "gen_ai.prompt", "gen_ai.completion"):
        value = keep_json(under(event.attributes, name))
        if isinstance(value, (dict, list)) and value:
            return value
        if isinstance(value, str) and value:
            return {"content": value}
    names = ("role", "content", "message", "tool_calls", "id")
    return {name: value for name in names if (value := keep_json(under(event.attributes, name))) is not None}
