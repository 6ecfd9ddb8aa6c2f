"""`takt models ...`: the commands of this room. Each lives beside what it calls; this is where they are named."""

from __future__ import annotations

import typer

from models.datasets.command import dataset_app
from models.evaluation.command import evaluate
from models.importing.command import import_model
from models.packaging.command import export, threshold
from models.smaller.commands import distil, prune, quantize, sensitivity
from models.training.command import train

app = typer.Typer(help="Train, export and evaluate models.", no_args_is_help=True)
app.add_typer(dataset_app, name="dataset")
for command in (train, distil, prune, export, quantize, sensitivity, evaluate, threshold):
    app.command()(command)
app.command("import")(import_model)
