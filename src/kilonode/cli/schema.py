"""`kilonode schema [experiment|stages]`: the JSON Schema of the files that people write, for editors."""

from typing import Annotated, Literal

import typer

from kilonode.cli.output import give_json


def schema(
    what: Annotated[
        Literal["experiment", "stages"],
        typer.Argument(metavar="[experiment|stages]", help="Experiment files, or stage profiles of emulated clouds."),
    ] = "experiment",
) -> None:
    """Print the JSON Schema of experiment files, or of stage profiles.

    Editors with a YAML language server complete and check files with it: save it (kilonode schema stages >
    stages.schema.json) and begin the file with:  # yaml-language-server: $schema=stages.schema.json
    """
    if what == "stages":
        from kilonode.cloud.openstack.application import operations
        from kilonode.cloud.stage_schema import stage_schema

        give_json(stage_schema(operations()))
        return
    from kilonode.run.schema import experiment_schema

    give_json(experiment_schema())
