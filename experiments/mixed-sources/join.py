"""Join the coarse stage of one run of coarse_to_fine with the fine stage of another: join.py RUN RUN OUT.

The fine stage is trained under the references' exposure, so it hardly depends on the coarse stage beside it.
The coarse stage is taken from the run's last checkpoint, without the moving average, which lags behind it
until the first stage has been over for some epochs.
"""

import argparse
from pathlib import Path

from lowlight.checkpoints import save_pretrained
from lowlight.checkpoints.checkpoint import read
from lowlight.checkpoints.load import load_method


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("coarse", type=Path, help="Run folder, stopped after its first stage or later")
    parser.add_argument("fine", type=Path, help="Run folder or pretrained folder")
    parser.add_argument("out", type=Path, help="Pretrained folder to write")
    arguments = parser.parse_args()
    weights = read(arguments.coarse / "last.ckpt")["current_model_state"]
    method = load_method(arguments.fine)
    part = "net.coarse."
    own = {key: weights[key] for key in method.state_dict() if key.startswith(part)}
    method.load_state_dict(own, strict=False)
    save_pretrained(method, arguments.out)


if __name__ == "__main__":
    main()
