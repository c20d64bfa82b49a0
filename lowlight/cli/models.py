"""``lowlight models``: the models that are ready to enhance."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from lowlight.cli._tables import print_table
from lowlight.cli._verb import Verb

app = Verb("models")


@app.command()
def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the models that enhance without training, for --method and lowlight.load."""
    from lowlight.config import available
    from lowlight.inference.models import DEFAULT, models

    ready = models()
    if as_json:
        print(json.dumps([asdict(model) for model in ready], indent=2))
        return
    rows = [
        [model.name, f"{model.size / 1e6:.1f} MB" if model.size else "-", model.licence, model.about]
        for model in ready
    ]
    print_table(["model", "size", "licence", "about"], rows, right=["size"])
    names = {model.name for model in ready}
    others = ", ".join(name for name in available() if name not in names)
    print(f"\nThe default is {DEFAULT}. To be trained first (lowlight train method=NAME): {others}")


main = app.main


if __name__ == "__main__":
    main()
