"""What the pages of moviola share: templates (`templates/`, Jinja2), and clips that stand inside a page."""
