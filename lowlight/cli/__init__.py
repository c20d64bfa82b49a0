"""The command line: one thin file a verb, and this dispatcher."""

import os
import sys
from importlib import import_module

VERBS = {
    "train": "fit a method, then test its best checkpoint (Hydra overrides; -m sweeps)",
    "evaluate": "score a checkpoint, or a method that learns nothing (Hydra overrides)",
    "compare": "write the report of several runs: tables, curves, pictures, HTML",
    "benchmark": "time methods in turn, count parameters, multiply-accumulates and memory",
    "export": "write a method's network for ONNX Runtime, OpenVINO or torch.export, and check it",
    "sweep": "tell what became of a sweep's jobs, the best first",
    "enhance": "make dark photographs and videos bright",
    "demo": "show a web page that enhances photographs",
    "data": "check a set of pairs for leaks and damage, download LOL, write the no-learning control",
}
HYDRA_VERBS = ("train", "evaluate")


def main() -> None:
    """Run ``lowlight VERB ...``.

    The Hydra verbs replace this process by their own script: Lightning starts the other processes of a
    distributed run by repeating the command line, which must be one that Hydra understands.
    """
    verb, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("--help", [])
    if verb in HYDRA_VERBS:
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-m", f"lowlight.cli.{verb}", *arguments])
    elif verb in VERBS:
        sys.argv = [f"lowlight {verb}", *arguments]
        import_module(f"lowlight.cli.{verb}").main()
    elif verb in ("--version", "-V"):
        from lowlight import __version__

        print(f"lowlight {__version__}")
    elif verb in ("--help", "-h"):
        print(_help())
    else:
        sys.exit(f"lowlight: no verb {verb!r}; there are {', '.join(VERBS)} (lowlight --help)")


def _help() -> str:
    verbs = "\n".join(f"  {verb:<10} {what}" for verb, what in VERBS.items())
    return f"usage: lowlight VERB ...\n\n{verbs}\n\nlowlight VERB --help tells more of each."
