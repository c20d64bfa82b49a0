"""Options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]

Trust = Annotated[
    list[str] | None,
    typer.Option(help="Package that a checkpoint may use, beyond torch and lowlight; repeatable."),
]

As = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="METHOD",
        help='Read a file of published weights, as retinexformer, or as "nafnet width=64".',
        show_default=False,
    ),
]

Runs = Annotated[
    Path | None,
    typer.Option(
        help="Folder whose runs, checkpoints and exports are offered, besides the built-in methods.",
        show_default=False,
    ),
]

Host = Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")]

AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        help="Further name under which the server is reached, such as a proxy's; repeatable.",
        show_default=False,
    ),
]

MaxUpload = Annotated[str, typer.Option(help="Largest file to accept.")]

MaxMemory = Annotated[
    str | None, typer.Option(help="Memory limit of the process, such as 1500MB; by default 2GB or more.")
]

Device = Annotated[str, typer.Option(help="cpu, cuda, mps, xpu; auto uses CUDA if it can.")]

Precision = Annotated[
    str, typer.Option(help="auto, fp32, bf16, fp16, int8; auto keeps within a level of 255 of fp32.")
]

Runtime = Annotated[
    str | None,
    typer.Option(
        help="What computes the network: torch, openvino, onnx.", show_default="torch; openvino for int8"
    ),
]
