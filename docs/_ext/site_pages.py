"""What the site is made of beside its pages: the public names, the findings, and the files that pages link to.

`{public}` and `{findings}` blocks become Markdown before the parser sees them. A link that leaves docs/ leads to the
page that includes the file it names, or to a page that shows that file.
"""

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import findings
import public_names
from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r"^```\{include\} (\S+)$", re.MULTILINE)
BLOCK = re.compile(r"^```\{(public|findings)\} ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

MADE = ("__pycache__", "node_modules")
BEFORE_THE_THEME = 400
SCHEME = "file-of-the-repository"
FOLDERS = {"tutorial/index", "how-to/index"}
"""Pages that all pages of their folder stand below in the list of contents, without being named there."""
PAGES_OF_FOLDER = "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"
NAME = re.compile(r'<span class="n[cf]">(\w+)</span>')


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", expand)
    app.add_lexer("haproxy", TextLexer)  # Pygments has none
    app.add_transform(LinksOut)
    app.connect("doctree-resolved", write_uris)
    app.connect("env-purge-doc", forget_files)
    app.connect("env-merge-info", merge_files)
    app.connect("html-collect-pages", pages_of_files)
    app.connect("html-page-context", SharedNavigation(), priority=BEFORE_THE_THEME)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": 1}


# Blocks.


def expand(app: Sphinx, docname: str, source: list[str]) -> None:
    """Write out the blocks of a page, and what stands below it."""

    def written(block: re.Match[str]) -> str:
        kind, argument, body = block.groups()
        if kind == "findings":
            return findings.markdown(ROOT / "findings")
        return "\n".join(described(argument, name) for name in body.split())

    if docname in FOLDERS:
        source[0] += PAGES_OF_FOLDER
    if BLOCK.search(source[0]):
        source[0] = BLOCK.sub(written, source[0])
        for path in (
            *ROOT.glob("src/micropie/**/*.py"),
            *ROOT.glob("findings/*.sh"),
            *Path(__file__).parent.glob("*.py"),
        ):
            app.env.note_dependency(str(path), docname=docname)


def described(module: str, name: str) -> str:
    """A public name as a directive of the Python domain, with its members in it."""
    public = public_names.read(module, name)
    shown = [member for member in public.members if member.doc or member.annotation]
    members = "\n".join(_directive(_kind(member), member, "`" * 6, name) for member in shown)
    options = [f":canonical: {public.canonical}"] if public.canonical else []
    return _directive(public.kind, public, "`" * 8, "", f":module: {module}", *options, inside=members)


def _kind(member: public_names.Member) -> str:
    if member.signature is None:
        return "attribute"
    return {"classmethod": "classmethod", "staticmethod": "staticmethod"}.get(member.prefix, "method")


def _directive(kind: str, member: public_names.Member, fence: str, owner: str, *options: str, inside: str = "") -> str:
    name = f"{owner}.{member.name}" if owner else member.name
    lines = [*options]
    if member.is_async:
        lines.append(":async:")
    if member.signature is None and member.annotation:
        lines.append(f":type: {member.annotation}")
    text = "\n".join([*lines, "", markdown(member.doc), "", inside])
    return f"{fence}{{py:{kind}}} {name}{member.signature or ''}\n{text}\n{fence}\n"


def markdown(doc: str) -> str:
    """A docstring as a page has it: code in fences, public names as links."""
    blocks = public_names.blocks_of(doc)
    return "\n\n".join(f"```python\n{block.text}\n```" if block.is_code else linked(block.text) for block in blocks)


def linked(prose: str) -> str:
    """Prose with the public names in it as links to what is said of them."""
    return re.sub(r"`([A-Za-z]\w+)(\(\))?`", lambda found: _link(found[1]) or found[0], prose)


def _link(name: str) -> str:
    module = next((module for module in public_names.MODULES if name in public_names.names_of(module)), None)
    return f"{{py:obj}}`{name} <{module}.{name}>`" if module is not None and name[0].isupper() else ""


# Links.


class LinksOut(SphinxTransform):
    """Links to files outside docs/, which a reader of the repository follows, lead to pages of the site."""

    default_priority = 5  # before what looks for pages and images

    def apply(self, **_: Any) -> None:
        """Find them by what they name on the disk."""
        pages = {**includes(Path(self.env.srcdir)), **_pages_of(self.env)}
        for node in list(self.document.findall(_names_a_file)):
            target, _, anchor = node["reftarget"].partition("#")
            if node.get("refdomain") == "doc":  # the name of a page, or the whole path of what might be one
                target, anchor = f"/{target.removeprefix('/')}.md", node.get("reftargetid") or ""
            path = Path(os.path.normpath(self._folder() / target))
            if path.exists() and path.is_relative_to(ROOT):
                node.replace_self(self._link(node, pages, path, anchor))
        for image in self.document.findall(nodes.image):
            self._move(image)

    def _folder(self) -> Path:
        """Where a relative link begins: at the file that the page includes, or at the page."""
        page = Path(self.env.doc2path(self.env.docname))
        included = INCLUDE.search(page.read_text("utf-8"))
        return (page.parent / included[1]).resolve().parent if included else page.parent

    def _link(self, node: nodes.Element, pages: dict[Path, str], path: Path, anchor: str) -> nodes.Node:
        children = [child.deepcopy() for child in node.children]
        if path in pages:
            return addnodes.pending_xref(
                "",
                *children,
                refdomain="doc",
                reftarget=pages[path],
                reftargetid=anchor or None,
                refdoc=self.env.docname,
                reftype="myst",
                refexplicit=True,
            )
        name = path.relative_to(ROOT).as_posix()
        linked_files(self.env).setdefault(self.env.docname, set()).add(name)
        return nodes.reference("", "", *children, refuri=f"{SCHEME}:{name}#{anchor}".rstrip("#"), internal=True)

    def _move(self, image: nodes.image) -> None:
        uri = image["uri"]
        path = Path(os.path.normpath(self._folder() / uri))
        if "://" not in uri and path.is_relative_to(self.env.srcdir):
            image["uri"] = "/" + path.relative_to(self.env.srcdir).as_posix()


def _names_a_file(node: nodes.Node) -> bool:
    is_link = isinstance(node, (addnodes.pending_xref, addnodes.download_reference)) and node.get("reftype") == "myst"
    return is_link and bool(node["reftarget"].partition("#")[0])


@cache
def includes(folder: Path) -> dict[Path, str]:
    """The files outside docs/ that are pages of the site, each with the page that includes it."""
    found = {}
    for page in folder.glob("**/*.md"):
        for path in INCLUDE.findall(page.read_text("utf-8")):
            found[(page.parent / path).resolve()] = page.relative_to(folder).with_suffix("").as_posix()
    return found


def _pages_of(env: Any) -> dict[Path, str]:
    return {Path(env.doc2path(name)): name for name in env.found_docs}


def linked_files(env: Any) -> dict[str, set[str]]:
    """The files and folders that each page links to, by their names in the repository."""
    if not hasattr(env, "linked_files"):
        env.linked_files = {}
    files: dict[str, set[str]] = env.linked_files
    return files


def forget_files(_app: Sphinx, env: Any, docname: str) -> None:
    """Forget what a page links to, as it is read anew."""
    linked_files(env).pop(docname, None)


def merge_files(_app: Sphinx, env: Any, _docnames: set[str], other: Any) -> None:
    """Add what the pages link to that another process has read."""
    linked_files(env).update(linked_files(other))


def write_uris(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Give links to files the addresses of the pages that show them."""
    for node in doctree.findall(nodes.reference):
        scheme, _, name = node.get("refuri", "").partition(":")
        if scheme == SCHEME:
            name, _, anchor = name.partition("#")
            node["refuri"] = app.builder.get_relative_uri(docname, page_of(name)) + (f"#{anchor}" if anchor else "")


# Pages of files.


def page_of(name: str) -> str:
    """The name of the page that shows a file."""
    return f"files/{name}"


def pages_of_files(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """A page for each file that a page links to, and for each in a folder that one does."""
    names = {name for linked in linked_files(app.env).values() for name in linked}
    for name in sorted(_with_what_is_in(names)):
        path = ROOT / name
        body = _listing(name) if path.is_dir() else _code(path)
        above = name.rpartition("/")[0]
        up = f'<p><a href="../{above.rpartition("/")[2]}.html">{above}/</a></p>' if above in names else ""
        yield page_of(name), {"title": name, "body": f"<h1>{name}</h1>{up}{body}", "no_search": True}, "page.html"


class SharedNavigation:
    """The list of all pages, shared by the files of one depth: made for each, it takes half of the build."""

    def __init__(self) -> None:
        self.made: dict[int, str] = {}

    def __call__(self, _app: Sphinx, name: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
        """Put it into the context of a page."""
        if name.startswith(page_of("")):
            depth, make = name.count("/"), context["toctree"]
            context["toctree"] = lambda **options: self.made.get(depth) or self.made.setdefault(depth, make(**options))


def _with_what_is_in(names: set[str]) -> set[str]:
    found = set(names)
    for name in names:
        if (ROOT / name).is_dir():
            found |= {path.relative_to(ROOT).as_posix() for path in files_in(ROOT / name)}
            found |= {
                path.relative_to(ROOT).as_posix()
                for path in (ROOT / name).iterdir()
                if path.is_dir() and is_shown(path)
            }
    return found


def is_shown(path: Path) -> bool:
    """True for what somebody has written."""
    made = any(part.startswith((".", *MADE)) for part in path.relative_to(ROOT).parts)
    return not made and not path.name.endswith((".db", ".pyc"))


def files_in(folder: Path) -> list[Path]:
    """The files of a folder, and of those below it."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and is_shown(path))


def _listing(name: str) -> str:
    base = name.rpartition("/")[2]
    paths = [path.relative_to(ROOT / name).as_posix() for path in files_in(ROOT / name)]
    return (
        "<ul>" + "".join(f'<li><a href="{base}/{path}.html"><code>{path}</code></a></li>' for path in paths) + "</ul>"
    )


def _code(path: Path) -> str:
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        return f"<p>{path.stat().st_size:,} bytes that are no text.</p>"
    try:
        lexer = get_lexer_for_filename(path.name)
    except ClassNotFound:
        lexer = TextLexer()
    code = with_anchors(highlight(text, lexer, HtmlFormatter()))
    return f'<div class="highlight-{lexer.aliases[0]} notranslate">{code}</div>'


def with_anchors(code: str) -> str:
    """Highlighted code in which each class and function can be linked to by its name, of several the first."""
    seen: set[str] = set()

    def anchored(name: re.Match[str]) -> str:
        if name[1] in seen:
            return name[0]
        seen.add(name[1])
        return name[0].replace(" class", f' id="{name[1]}" class', 1)

    return NAME.sub(anchored, code)
