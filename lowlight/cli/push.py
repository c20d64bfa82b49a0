"""`lowlight push`: share a trained model on the Hugging Face hub."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from lowlight.cli._errors import errors_in_one_line
from lowlight.cli._options import Debug, Trust
from lowlight.cli._verb import Verb
from lowlight.files import check_folder

app = Verb("push")


@app.command()
def push(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="Folder of a finished training, or of its evaluation.", show_default=False
        ),
    ],
    repo_id: Annotated[
        str, typer.Argument(metavar="REPO_ID", help="Repository, as organisation/name.", show_default=False)
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Write the folder here, and hand nothing over.", show_default=False),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the files and the card, and hand nothing over.")
    ] = False,
    licence: Annotated[
        str | None,
        typer.Option(
            "--license",
            help="Identifier of the hub, such as cc-by-nc-4.0. By default mit where only the embedded "
            "photographs were learnt from, and research-only otherwise.",
            show_default=False,
        ),
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Hide the repository from others.")] = False,
    half: Annotated[bool, typer.Option("--half", help="Store weights in 16 bits.")] = False,
    trust: Trust = None,
    debug: Debug = False,
) -> None:
    """Share a run's best weights on the Hugging Face hub, with a model card made from the run.

    The folder holds weights, recipe, card, scores and, for research-only, the licence. The hub's client takes
    your token (`hf auth login`, or HF_TOKEN), and another address from HF_ENDPOINT.
    """
    from lowlight.sharing.hub import check_repository, client, upload

    with errors_in_one_line("push", debug), tempfile.TemporaryDirectory() as temporary:
        check_repository(repo_id)
        if out:
            check_folder(out)
        api = None if dry_run or out else client()
        from lowlight.sharing.folder import (  # imports torch, which --help need not wait for
            CARD,
            write_folder,
        )

        folder = out or Path(temporary) / "model"
        used = write_folder(run, folder, repo_id, licence=licence, half=half, trust=trust or ())
        if dry_run:
            print((folder / CARD).read_text(encoding="utf-8"))
        for path in sorted(folder.iterdir()):
            print(f"{path.name}: {path.stat().st_size:,} bytes")
        if api is not None:
            address = upload(api, folder, repo_id, f"lowlight push: {run.resolve().name}", private=private)
    print(f"Licence: {used}" + ("" if licence else ", which follows from the data; --license changes it"))
    print(f"Wrote {out}" if out else f"Handed to {address}" if api is not None else "Nothing was handed over")


main = app.main

if __name__ == "__main__":
    main()
