"""``lowlight models``: the models that are ready to enhance."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


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
    for model in ready:
        size = f"{model.size / 1e6:.1f} MB" if model.size else "-"
        print(f"{model.name:<16}{size:>7}  {model.licence:<14}  {model.about}")
    names = {model.name for model in ready}
    others = ", ".join(name for name in available() if name not in names)
    print(f"\nThe default is {DEFAULT}. To be trained first (lowlight train method=NAME): {others}")


def main() -> None:
    """Run the command."""
    app(prog_name="lowlight models")


if __name__ == "__main__":
    main()
