"""The documents as a site: `make docs` builds it into site/. A link that leads nowhere is an error."""

project = "Nine Chapters"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "Nine Chapters"
exclude_patterns = ["site"]
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath"]
suppress_warnings = ["myst.header"]
