"""``lowlight demo``: a web page that enhances photographs."""

from typing import Annotated

import typer

from lowlight.cli._errors import errors_in_one_line
from lowlight.cli._options import AllowHost, Debug, Host, MaxUpload, Runs, Trust
from lowlight.cli._sizes import parse_pixels, parse_size
from lowlight.cli._verb import Verb

app = Verb("demo")


@app.command()
def demo(
    runs: Runs = None,
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 7860,
    max_upload: MaxUpload = "20MB",
    max_pixels: Annotated[float, typer.Option(help="Largest image to accept, in pixels.")] = 25e6,
    allow_host: AllowHost = None,
    trust: Trust = None,
    debug: Debug = False,
) -> None:
    """Serve a web page that enhances photographs.

    By default only this machine can open the page, under its address or as localhost. It loads nothing from
    other servers and sends them nothing. Ctrl-C stops it and deletes the uploads.
    """

    def announce(address: str) -> None:
        print(f"The page is {address} (Ctrl-C ends it)", flush=True)

    with errors_in_one_line("demo", debug):
        size = parse_size(max_upload, "--max-upload", kilo=1024)  # as Gradio counts
        pixels = parse_pixels(max_pixels)
        from lowlight.demo.page import serve  # imports torch, which no mistake need wait for

        serve(runs, host, port, size, pixels, trust or (), allow_host or (), announce)


main = app.main

if __name__ == "__main__":
    main()
