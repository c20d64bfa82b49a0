"""Starting and ending the server."""

import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lowlight.inference.settings import Settings

_GRACE = 3  # seconds that running requests have to end
_NEEDED = ("fastapi", "python_multipart", "uvicorn")


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address, once the packages of the server are found.

    Nothing heavy is imported, so that a mistake is told at once. Requests wait until they are answered.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 for any.

    Raises:
        ValueError: If a package is missing, or the address is not available.
    """
    try:
        for name in _NEEDED:
            import_module(name)
    except ModuleNotFoundError as error:
        raise ValueError(f"the server needs {error.name}: pip install 'lowlight[serve]'") from None
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError:
        raise ValueError(f"cannot listen on {host}, port {port}; give another --port or --host") from None


def serve(
    listening: socket.socket,
    host: str,
    runs: Path | None,
    default: str,
    options: Mapping[str, Any],
    settings: "Settings",
    max_upload: int,
    allow_hosts: Sequence[str] = (),
    announce: Callable[[str, str | None], None] = lambda *_: None,
) -> None:
    """Answer requests until the process is interrupted.

    Args:
        listening: Socket of :func:`listen`.
        host: Address that it listens on.
        runs: Folder of runs, checkpoints and exports to offer.
        default: Name of the model that is used where a request names none.
        options: Further arguments of :func:`lowlight.inference.load.choose`, such as ``device``.
        settings: Limits on pixels and memory.
        max_upload: Largest picture in bytes.
        allow_hosts: Further names under which the server is reached, such as a proxy's.
        announce: Called with the server's address once it is ready, and what is to be known of the model, if
            anything.

    Raises:
        ValueError: If the folder holds no model, or the default model cannot be loaded.
    """
    import uvicorn

    from lowlight.serving.app import build
    from lowlight.serving.models import find_models, loader
    from lowlight.serving.service import Service
    from lowlight.spelling import did_you_mean

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            service.end()
            await super().shutdown(sockets)

    models = find_models(runs)
    if default not in models:
        raise ValueError(
            f"no model {default!r}{did_you_mean(default, models)}; there are {', '.join(models)}"
        )

    load = loader(models, **options)
    _ = load(default).bytes_per_pixel  # a first pass, which no request waits for then
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="lowlight-serve-", ignore_cleanup_errors=True) as folder:
        service = Service(models, load, default, settings, Path(folder))
        config = uvicorn.Config(
            build(service, host, allow_hosts, max_upload),
            http="h11",
            ws="none",
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE,
        )
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # requests are still logged
        name, port = listening.getsockname()[:2]
        announce(f"http://{f'[{name}]' if ':' in name else name}:{port}", load(default).note)
        try:
            Server(config).run([listening])
        except KeyboardInterrupt:
            pass  # uvicorn has ended by it
        finally:
            listening.close()
    if service.is_busy:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)  # a pass cannot be interrupted, and may take minutes
