"""``lowlight models``: the models that are ready to enhance."""

from dataclasses import asdict
from typing import Annotated

import typer

from lowlight.cli._errors import errors_in_one_line
from lowlight.cli._tables import print_table
from lowlight.cli._verb import Verb
from lowlight.files import json_text

app = Verb("models")


@app.command()
def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the models that enhance without training, for --method and lowlight.load."""
    from lowlight.config import available, read_recipe
    from lowlight.inference.models import DEFAULT, models
    from lowlight.shipped import SCORES

    with errors_in_one_line("models", debug=False):
        ready = models()
    if as_json:
        print(json_text([asdict(model) for model in ready]))
        return
    rows = [
        [
            model.name,
            f"{model.size / 1e6:.1f} MB" if model.size else "-",
            f"{model.milliseconds:.0f}" if model.milliseconds else "-",
            model.licence,
            model.about,
        ]
        for model in ready
    ]
    print_table(["model", "size", "ms", "licence", "about"], rows, right=["size", "ms"])
    for model in ready:
        if model.milliseconds:
            print(f"\n{model.name}: {model.milliseconds:.0f} ms per 600x400 image on {model.machine}")
    scored = [
        [model.name, score.source, score.split, f"{score.images} of {score.scenes} scenes"]
        + [score.cell(metric) for metric in SCORES]
        for model in ready
        for score in model.scores
    ]
    if scored:
        headings = [heading for heading, _ in SCORES.values()]
        print("\nScores, mean over images with its 95 % interval over scenes:\n")
        print_table(["model", "source", "split", "images", *headings], scored, right=headings)
    _print_measured()
    names = {model.name for model in ready}
    recipes = {name: read_recipe(name) for name in available()}
    learnt = [name for name, recipe in recipes.items() if {"optimizer", "defaults"} & recipe.keys()]
    others = ", ".join(name for name in learnt if recipes[name]["name"] not in names)
    print(f"\nThe default is {DEFAULT}. To be trained first (lowlight train method=NAME): {others}")


def _print_measured() -> None:
    """Print what was measured of each method after training all for the same time."""
    from lowlight.methods.measured import measured
    from lowlight.shipped import SCORES

    field = measured()
    rows = [
        [
            one.name,
            f"{one.parameters:,}" if one.parameters else "-",
            f"{one.gmac:.2f}" if one.gmac else "-",
            f"{one.milliseconds:.1f}",
            *(one.score.cell(metric) for metric in SCORES),
        ]
        for one in field.methods
    ]
    headings = ["parameters", "GMAC", "ms", *(heading for heading, _ in SCORES.values())]
    images = f"{field.methods[0].score.images} of {field.methods[0].score.scenes} scenes"
    print(f"\nMethods compared: {field.about}; LOL pairs held out, {images};")
    print(f"GMAC and ms per 600x400 image on {field.machine}:\n")
    print_table(["method", *headings], rows, right=headings)


main = app.main


if __name__ == "__main__":
    main()
