"""The queue: one picture is enhanced at a time."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import Request

from lowlight.inference.settings import Settings
from lowlight.runtimes.enhancer import Enhancer
from lowlight.serving.pictures import Answer, RefusedError

_ENDING = "The server is ending."
_PATIENCE = 5  # seconds that the server may take to tell whether a client is there


@dataclass
class Service:
    """What the server enhances with, one picture at a time, in the order of their arrival.

    Args:
        models: File or folder of each model by its name; None for a built-in one.
        load: Loads a model by name.
        default: Name of the model that is used where a request names none.
        settings: Limits on pixels and memory.
        folder: Temporary folder for the pictures.

    Attributes:
        is_busy: Whether a picture is being enhanced.
    """

    models: Mapping[str, Path | None]
    load: Callable[[str], Enhancer]
    default: str
    settings: Settings
    folder: Path
    _worker: ThreadPoolExecutor = field(init=False, default_factory=lambda: ThreadPoolExecutor(1))
    is_busy: bool = field(init=False, default=False)

    async def enhance(self, request: Request, work: Callable[[], Answer]) -> Answer | None:
        """Call a function once all earlier ones have returned; return None if the client leaves before.

        Raises:
            RefusedError: As raised by the function, and 503 if the server ends before.
        """
        loop = asyncio.get_running_loop()

        def unless_gone() -> Answer | None:
            is_gone = asyncio.run_coroutine_threadsafe(request.is_disconnected(), loop)
            if is_gone.result(_PATIENCE):
                return None
            self.is_busy = True
            try:
                return work()
            finally:
                self.is_busy = False

        try:
            job = self._worker.submit(unless_gone)
        except RuntimeError:
            raise RefusedError(503, _ENDING) from None
        try:
            return await asyncio.wrap_future(job)
        except asyncio.CancelledError:  # by end(), or by the server after its grace
            raise RefusedError(503, _ENDING) from None

    def end(self) -> None:
        """Take no more pictures, and refuse those that wait."""
        self._worker.shutdown(wait=False, cancel_futures=True)
