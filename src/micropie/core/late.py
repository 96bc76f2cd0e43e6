"""What of the core many applications never use: `late.name` imports its module when it is first asked for.

This keeps `import micropie` quick, and is the only place where the core imports late. The order of the folders holds
for `late.name` as for an import. What a class asks for is imported when its application is made, as conversion is for
typed parameters; what only a request can ask for with the first such request, as streams are, uploads and WebSockets.
In the one-file form nothing is left to import, and `late.name` is written as the name alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from micropie.core.basics.charsets import codec_of as codec_of
    from micropie.core.basics.charsets import decoded as decoded
    from micropie.core.basics.core_schemas import has_private as has_private
    from micropie.core.basics.core_schemas import serializer as serializer
    from micropie.core.basics.core_schemas import without_private as without_private
    from micropie.core.basics.service import Service as Service
    from micropie.core.conversion.compiler import Compiler as Compiler
    from micropie.core.conversion.converter import UnknownTypeError as UnknownTypeError
    from micropie.core.conversion.records import aliased as aliased
    from micropie.core.conversion.records import is_collection as is_collection
    from micropie.core.conversion.records import strip_wrappers as strip_wrappers
    from micropie.core.handlers.faults import Faults as Faults
    from micropie.core.handlers.providers import Providers as Providers
    from micropie.core.handlers.results import result_filter as result_filter
    from micropie.core.handlers.results import with_filtered_result as with_filtered_result
    from micropie.core.handlers.signature_annotations import read_annotations as read_annotations
    from micropie.core.handlers.typed_arguments import guard_arguments as guard_arguments
    from micropie.core.handlers.typed_arguments import is_typed as is_typed
    from micropie.core.handlers.typed_arguments import outstanding_values as outstanding_values
    from micropie.core.handlers.typed_arguments import providers_of as providers_of
    from micropie.core.handlers.typed_arguments import slots_of as slots_of
    from micropie.core.handlers.typed_arguments import typed_arguments as typed_arguments
    from micropie.core.lifespan.lifespan import GRACE_IN_SCOPE as GRACE_IN_SCOPE
    from micropie.core.lifespan.lifespan import serve_lifespan as serve_lifespan
    from micropie.core.lifespan.lifespan import shutdown as shutdown
    from micropie.core.lifespan.lifespan import startup as startup
    from micropie.core.pipeline.mounts import mounted_subapp as mounted_subapp
    from micropie.core.pipeline.mounts import serve_subapp as serve_subapp
    from micropie.core.pipeline.mounts import subapp_of_hook as subapp_of_hook
    from micropie.core.pipeline.provide import provide as provide
    from micropie.core.pipeline.streamed_reply import send_streamed as send_streamed
    from micropie.core.pipeline.websocket import serve_websocket as serve_websocket
    from micropie.core.replies.redirects import redirect as redirect
    from micropie.core.requests.locality import is_local as is_local
    from micropie.core.requests.multipart import MultipartForm as MultipartForm
    from micropie.core.requests.upload import Upload as Upload
    from micropie.core.requests.uploaded_file import PIECE as PIECE
    from micropie.core.routing.addressing import path_template as path_template
    from micropie.core.routing.handler_identities import give_identities as give_identities
    from micropie.core.routing.query_records import QueryRecord as QueryRecord
    from micropie.core.routing.resource_verbs import resource_choices as resource_choices
    from micropie.core.routing.url_for import form_action as form_action
    from micropie.core.routing.url_for import url_for as url_for
    from micropie.core.sessions.flash import flashes as flashes
    from micropie.core.sessions.rotations import Rotations as Rotations
    from micropie.core.sessions.writer import SessionWriter as SessionWriter
    from micropie.core.templates.lean_code import compile_lean as compile_lean
    from micropie.core.templates.templates import shared_context as shared_context
    from micropie.core.websockets.closing import close_reason as close_reason

_MODULES = {
    "codec_of": "micropie.core.basics.charsets",
    "decoded": "micropie.core.basics.charsets",
    "has_private": "micropie.core.basics.core_schemas",
    "serializer": "micropie.core.basics.core_schemas",
    "without_private": "micropie.core.basics.core_schemas",
    "Service": "micropie.core.basics.service",
    "Compiler": "micropie.core.conversion.compiler",
    "UnknownTypeError": "micropie.core.conversion.converter",
    "aliased": "micropie.core.conversion.records",
    "is_collection": "micropie.core.conversion.records",
    "strip_wrappers": "micropie.core.conversion.records",
    "Faults": "micropie.core.handlers.faults",
    "Providers": "micropie.core.handlers.providers",
    "result_filter": "micropie.core.handlers.results",
    "with_filtered_result": "micropie.core.handlers.results",
    "read_annotations": "micropie.core.handlers.signature_annotations",
    "guard_arguments": "micropie.core.handlers.typed_arguments",
    "is_typed": "micropie.core.handlers.typed_arguments",
    "outstanding_values": "micropie.core.handlers.typed_arguments",
    "providers_of": "micropie.core.handlers.typed_arguments",
    "slots_of": "micropie.core.handlers.typed_arguments",
    "typed_arguments": "micropie.core.handlers.typed_arguments",
    "GRACE_IN_SCOPE": "micropie.core.lifespan.lifespan",
    "serve_lifespan": "micropie.core.lifespan.lifespan",
    "shutdown": "micropie.core.lifespan.lifespan",
    "startup": "micropie.core.lifespan.lifespan",
    "mounted_subapp": "micropie.core.pipeline.mounts",
    "serve_subapp": "micropie.core.pipeline.mounts",
    "subapp_of_hook": "micropie.core.pipeline.mounts",
    "provide": "micropie.core.pipeline.provide",
    "send_streamed": "micropie.core.pipeline.streamed_reply",
    "serve_websocket": "micropie.core.pipeline.websocket",
    "redirect": "micropie.core.replies.redirects",
    "is_local": "micropie.core.requests.locality",
    "MultipartForm": "micropie.core.requests.multipart",
    "Upload": "micropie.core.requests.upload",
    "PIECE": "micropie.core.requests.uploaded_file",
    "path_template": "micropie.core.routing.addressing",
    "give_identities": "micropie.core.routing.handler_identities",
    "QueryRecord": "micropie.core.routing.query_records",
    "resource_choices": "micropie.core.routing.resource_verbs",
    "form_action": "micropie.core.routing.url_for",
    "url_for": "micropie.core.routing.url_for",
    "flashes": "micropie.core.sessions.flash",
    "Rotations": "micropie.core.sessions.rotations",
    "SessionWriter": "micropie.core.sessions.writer",
    "compile_lean": "micropie.core.templates.lean_code",
    "shared_context": "micropie.core.templates.templates",
    "close_reason": "micropie.core.websockets.closing",
}


if not TYPE_CHECKING:  # to a type checker it would mean that any name may be there

    def __getattr__(name: str) -> Any:
        """The value of one of the names, which from then on this module has."""
        if name not in _MODULES:
            raise AttributeError(f"module 'micropie.core.late' has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_MODULES[name]), name)
        return value
