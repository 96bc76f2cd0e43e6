"""What of the core many applications never use: `late.name` imports its module when it is first asked for.

This keeps `import micropie` quick, and is the only place where the core imports late. The order of the folders holds
for `late.name` as for an import. What a class asks for is imported when its application is made, as conversion is for
typed parameters; what only a request can ask for with the first such request, as streams are, uploads and WebSockets.
In the one-file form nothing is left to import, and `late.name` is written as the name alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_MODULES = {
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
}


def __getattr__(name: str) -> Any:
    """The value of one of the names, which from then on this module has."""
    if name not in _MODULES:
        raise AttributeError(f"module 'micropie.core.late' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value
