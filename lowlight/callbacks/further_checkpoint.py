"""Checkpoints beside the best and the last."""

from pytorch_lightning.callbacks import ModelCheckpoint


class FurtherCheckpoint(ModelCheckpoint):
    """Lightning's ``ModelCheckpoint`` with a state of its own for each ``filename``.

    Lightning tells the states of such callbacks apart by what they monitor and how often, not by their files,
    and refuses a second one that is like ``best`` or ``last`` in this.
    """

    @property
    def state_key(self) -> str:
        """Key of the state in checkpoints."""
        return self._generate_state_key(filename=self.filename)
