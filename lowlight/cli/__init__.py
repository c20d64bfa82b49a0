"""The command line: this dispatcher and one thin file per verb."""

import os
import sys
from importlib import import_module

from lowlight.cli._streams import keep_streams

VERBS = {
    "train": "train a method, then test its best checkpoint (Hydra overrides; -m sweeps)",
    "evaluate": "score a checkpoint, saved images or a classical method (Hydra overrides)",
    "compare": "compare finished runs: tables, curves, pictures and an HTML report",
    "benchmark": "measure the speed, parameters, multiply-accumulates and memory of methods",
    "export": "export a method to ONNX, OpenVINO, torch.export, weights or the published names, and check it",
    "push": "share a trained model on the Hugging Face hub, with a model card",
    "sweep": "list the jobs of a sweep, the best first",
    "detect": "detect faces or other objects before and after enhancement",
    "enhance": "enhance dark photographs and videos",
    "gallery": "compare methods over photographs on one page, and rank them by blind votes",
    "models": "list the models that enhance without training",
    "demo": "serve a web page that enhances photographs",
    "serve": "answer other programs: POST a picture, get it enhanced",
    "data": "audit a paired dataset, download LOL, write the no-learning control",
}
HYDRA_VERBS = ("train", "evaluate")
_OPTIONS = ("--help", "--version", "--install-completion", "--show-completion")


def main() -> None:
    """Run ``lowlight VERB ...``.

    The Hydra verbs replace this process by their own script: Lightning launches the other processes of a
    distributed run by repeating the command line, which Hydra must be able to parse.
    """
    keep_streams()
    verb, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("--help", [])
    is_completing = "_LOWLIGHT_COMPLETE" in os.environ
    if verb in HYDRA_VERBS and not is_completing:
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-m", f"lowlight.cli.{verb}", *arguments])
    elif verb in ("--install-completion", "--show-completion") or is_completing:
        from lowlight.cli._completion import complete

        complete(VERBS, HYDRA_VERBS)
    elif verb in VERBS:
        sys.argv = [f"lowlight {verb}", *arguments]
        import_module(f"lowlight.cli.{verb}").main()
    elif verb in ("--version", "-V"):
        from lowlight import __version__

        print(f"lowlight {__version__}")
    elif verb in ("--help", "-h"):
        print(_help())
    else:
        sys.exit(f"lowlight: {_about(verb)}")


def _about(word: str) -> str:
    """Say what was meant by a first argument that is no verb."""
    from lowlight.spelling import did_you_mean

    if "=" in word:
        return f"settings belong to a verb: lowlight train {word} ..."
    meant = did_you_mean(word, [*VERBS, *_OPTIONS]) or f"; choose one of {', '.join(VERBS)} (lowlight --help)"
    return f"no verb {word!r}{meant}"


def _help() -> str:
    verbs = "\n".join(f"  {verb:<10} {what}" for verb, what in VERBS.items())
    return (
        f"usage: lowlight VERB ...\n\n{verbs}\n\nlowlight VERB --help shows the options of a verb, "
        "lowlight --install-completion lets the shell complete them."
    )
