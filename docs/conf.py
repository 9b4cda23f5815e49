"""How the documentation becomes a site: ``./lockstep docs``."""

from lockstep import __version__

project = "Lockstep"
copyright = "the Lockstep authors"
release = version = __version__

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["conf.py"]
# Headings may be linked to as they are on a forge: #a-heading-in-lower-case.
myst_heading_anchors = 4
nitpicky = True

html_theme = "furo"
html_title = "Lockstep"
# Nothing is fetched from elsewhere: the site works from a folder, without a network.
html_theme_options = {"navigation_with_keys": True}
html_show_sourcelink = False
html_copy_source = False
