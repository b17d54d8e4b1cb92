"""`kilonode schema`: the JSON Schema of experiment files, for editors."""

from kilonode.cli.output import give_json


def schema() -> None:
    """Print the JSON Schema of experiment files.

    Editors with a YAML language server complete and check experiment files with it: save it (kilonode schema >
    kilonode.schema.json) and begin the file with:  # yaml-language-server: $schema=kilonode.schema.json
    """
    from kilonode.run.schema import experiment_schema

    give_json(experiment_schema())
