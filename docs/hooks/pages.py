"""What the site shows besides the pages in docs/: cards, examples and the command, never copied.

MkDocs calls the functions of this module while it builds; see ``hooks`` in mkdocs.yml.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from command_page import command_page
from links import turn_links
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
ELSEWHERE = {  # path in the repository, and in the site's sources
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
    "examples/plugin_package/README.md": "examples/plugin-package.md",
    "examples/train/README.md": "examples/train.md",
    **{
        path.relative_to(ROOT).as_posix(): f"models/{path.parent.name}.md"
        for path in sorted(ROOT.glob("models/*/README.md"))
    },
}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that lie elsewhere in the repository, and the one on the command."""
    for path, uri in ELSEWHERE.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    files.append(File.generated(config, "command-reference.md", content=command_page()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Turn the links of a page, which are written for the repository."""
    pages = {f"docs/{file.src_uri}": file.src_uri for file in files} | ELSEWHERE
    path = {uri: path for path, uri in pages.items()}[page.file.src_uri]
    return turn_links(markdown, path, pages, ROOT)
