"""An agent that is instrumented with OpenTelemetry's SDK for Python: it exports spans and logs of the GenAI conventions."""

import sys

from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

base, calls = sys.argv[1], int(sys.argv[2])
resource = Resource.create({"service.name": "airline"})
traces = TracerProvider(resource=resource)
traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=base + "/v1/traces"), max_export_batch_size=16))
tracer = traces.get_tracer("airline")
for number in range(calls):
    with tracer.start_as_current_span("invoke_agent airline", attributes={"gen_ai.operation.name": "invoke_agent"}):
        with tracer.start_as_current_span(
            "chat gpt-5",
            kind=SpanKind.CLIENT,
            attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5", "gen_ai.provider.name": "openai"},
        ):
            pass
        with tracer.start_as_current_span(
            "execute_tool pay",
            attributes={"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay", "error.type": "PaymentError"},
        ) as span:
            span.set_status(Status(StatusCode.ERROR, "payment amount does not add up"))

logs = LoggerProvider(resource=resource)
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint=base + "/v1/logs")))
logs.get_logger("com.openai.codex").emit(
    severity_number=SeverityNumber.INFO,
    event_name="codex.tool_result",
    body="codex.tool_result",
    attributes={
        "event.name": "codex.tool_result",
        "conversation.id": "c1",
        "tool_name": "shell",
        "call_id": "call_1",
        "success": "false",
        "output": "Exit code: 1",
    },
)
flushed = traces.force_flush(60_000) and logs.force_flush(60_000)
traces.shutdown()
logs.shutdown()
print("flushed" if flushed else "not flushed")
