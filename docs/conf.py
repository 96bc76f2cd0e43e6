"""How the site is built: scripts/docs. The pages are Markdown that reads as well on a forge."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent / "src")]

project = "MicroPie"
version = release = re.findall(
    r'^__version__ = "(.*)"$', (HERE.parent / "src/micropie/__init__.py").read_text("utf-8"), re.MULTILINE
)[0]
language = "en"
copyright = ""  # noqa: A001 - Sphinx calls it so

extensions = ["myst_parser", "site_pages", "markup"]
exclude_patterns = ["_ext"]
myst_heading_anchors = 4  # the anchors of a forge
suppress_warnings = [
    "myst.header"
]  # a page may begin below its first level, as the README's sections do when they are included

toc_object_entries_show_parents = "hide"
add_module_names = False
python_maximum_signature_line_length = 88
python_display_short_literal_types = True
modindex_common_prefix = ["micropie."]

html_theme = "furo"
html_title = f"MicroPie {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": ""})]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False
html_domain_indices = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
html_logo = html_favicon = "_static/pie.svg"
html_theme_options = {
    "top_of_page_buttons": [],
    "light_css_variables": {
        "color-brand-primary": "#8a4b12",
        "color-brand-content": "#8a4b12",
        "color-brand-visited": "#6b4a7e",
    },
    "dark_css_variables": {
        "color-brand-primary": "#f0b266",
        "color-brand-content": "#f0b266",
        "color-brand-visited": "#d3a7e8",
    },
}
