"""A resource's verbs: which handler answers each, below the resource's path and on it."""

from typing import TYPE_CHECKING

from micropie.core.handlers.endpoint import Endpoint
from micropie.core.routing.controller import INDEX
from micropie.core.routing.targets import ByVerb

if TYPE_CHECKING:
    from micropie.core.routing.tree import Branch

Verbs = dict[str, Endpoint]


def resource_choices(branch: "Branch") -> tuple[ByVerb, ByVerb]:
    """The choice below a resource's path, as for `/notes/7`, and the one on it, where `index` comes before `get`."""
    verbs, index = branch.verbs, _index_by_verb(branch)
    below = {verb: endpoint for verb, endpoint in {**index, **verbs}.items() if endpoint.takes_segments}
    # What can't do without a segment is not allowed on the path itself.
    on_path = {verb: endpoint for verb, endpoint in verbs.items() if not endpoint.needs_segment(verb)} | index
    others = {verb: endpoint for verb, endpoint in verbs.items() if verb not in on_path}
    by_query = {verb: endpoint for verb, endpoint in others.items() if not endpoint.needs_path}
    return _choice(branch, below, {}), _choice(branch, on_path, by_query)


def _index_by_verb(branch: "Branch") -> Verbs:
    """The verbs that `index` answers, GET if it declares none."""
    index = branch.methods.get(INDEX)
    if index is None:
        return {}
    return dict(index.verbs) if isinstance(index, ByVerb) else {"GET": index}


def _choice(branch: "Branch", verbs: Verbs, by_query: Verbs) -> ByVerb:
    rules, is_nested = branch.rules, bool(branch.path)
    return ByVerb(INDEX, verbs, rules.guards, by_query, error_handlers=rules.error_handlers, is_nested=is_nested)
