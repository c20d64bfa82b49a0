"""``python -m lowlight VERB ...``, for where the command is not on the PATH."""

from lowlight.cli import main

if __name__ == "__main__":
    main()
