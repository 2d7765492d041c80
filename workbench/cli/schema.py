"""`workbench schema`"""

from __future__ import annotations

import click


@click.command()
def command() -> int:
    """Print the JSON Schema of pipeline files, for editors."""
    from workbench.cli.printing import print_json
    from workbench.schema import json_schema

    print_json(json_schema())
    return 0
