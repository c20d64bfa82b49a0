"""The server's interface, built with FastAPI."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect

from lowlight import __version__
from lowlight.files import printable
from lowlight.serving.guard import RETRY_AFTER, Guard
from lowlight.serving.models import size_of
from lowlight.serving.pictures import NAMES, RefusedError, answer, source_in
from lowlight.serving.schema import BODY, FIELD, RESPONSES, Health, Models, Offered, Parameters
from lowlight.serving.service import Service
from lowlight.spelling import did_you_mean

QUEUED = 100
"""Greatest number of pictures that are received, wait or are enhanced at a time."""

_PAGE = Path(__file__).with_name("page.html")
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src blob: data:"
)
_GONE = 499  # nobody reads it


def build(
    service: Service, host: str, allow_hosts: Sequence[str], max_upload: int, queued: int = QUEUED
) -> Guard:
    """Lay out the interface behind its guard.

    Args:
        service: What enhances.
        host: Address that the server listens on.
        allow_hosts: Further names under which it is reached, such as a proxy's.
        max_upload: Largest picture in bytes.
        queued: Greatest number of pictures at a time.

    Returns:
        An ASGI application.
    """
    app = FastAPI(
        title="lowlight",
        version=__version__,
        description="Dark pictures in, well-exposed pictures out.",
        docs_url=None,
        redoc_url=None,
    )

    async def own_folder() -> AsyncIterator[Path]:
        with tempfile.TemporaryDirectory(dir=service.folder) as folder:
            yield Path(folder)

    @app.post(
        "/enhance", response_class=FileResponse, responses=RESPONSES, openapi_extra={"requestBody": BODY}
    )
    async def enhance(
        request: Request,
        given: Annotated[Parameters, Query()],
        folder: Annotated[Path, Depends(own_folder)],
    ) -> Response:
        """Enhance a picture.

        The answer has the picture's own format, with its metadata.
        """
        model = given.model or service.default
        if model not in service.models:
            raise RefusedError(
                404, f"no model {model!r}{did_you_mean(model, service.models) or '; see /models'}"
            )
        if given.format not in (None, *NAMES):
            raise RefusedError(400, f"format={given.format!r} is none of {', '.join(NAMES)}")
        chosen = given.model_dump(exclude={"model", "format"})
        settings = replace(service.settings, **chosen)
        try:
            source = await receive(request, folder)
            work = partial(answer, source, model, service.load, settings, given.format)
            made = await service.enhance(request, work)
        except ClientDisconnect:
            made = None
        if made is None:
            return Response(status_code=_GONE)
        headers = {
            "X-Lowlight-Status": "unchanged" if made.reason else "enhanced",
            "X-Lowlight-Model": in_header(model),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        headers |= {"X-Lowlight-Reason": made.reason} if made.reason else {}
        headers |= {"X-Lowlight-Notes": in_header("; ".join(made.notes))} if made.notes else {}
        return FileResponse(made.path, headers=headers, media_type=made.media_type)

    @app.get("/models")
    def models() -> Models:
        """List the models."""
        offered = [
            Offered(name=name, shipped=path is None, bytes=size_of(name, path))
            for name, path in service.models.items()
        ]
        return Models(default=service.default, models=offered)

    @app.get("/health")
    async def health() -> Health:
        """Tell whether the server is ready, and how busy."""
        return Health(model=service.default, queue=guard.uploads, queue_limit=guard.at_once)

    @app.get("/docs", include_in_schema=False)
    def page() -> Response:
        return HTMLResponse(_PAGE.read_text(encoding="utf-8"), headers={"Content-Security-Policy": _POLICY})

    @app.get("/", include_in_schema=False)
    async def root() -> Response:
        return RedirectResponse("docs")

    @app.exception_handler(RefusedError)
    async def refuse(_: Request, error: RefusedError) -> Response:
        headers = {"Retry-After": str(RETRY_AFTER)} if error.status == 503 else None
        return JSONResponse({"detail": printable(error.text)}, error.status, headers)

    @app.exception_handler(RequestValidationError)
    async def refuse_parameters(_: Request, error: RequestValidationError) -> Response:
        return JSONResponse({"detail": printable(what_is_wrong(error))}, 400)

    @app.exception_handler(Exception)
    async def fail(*_: object) -> Response:
        return JSONResponse({"detail": "The server failed; its log says where."}, 500)

    guard = Guard(app, host, allow_hosts, max_upload, path="/enhance", at_once=queued, as_json=True)
    return guard


async def receive(request: Request, folder: Path) -> Path:
    """Write a request's picture to a folder and return its path; little of it is in memory at any time.

    Raises:
        RefusedError: If a form holds anything but one picture.
        starlette.requests.ClientDisconnect: If the client leaves before the end.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        source = source_in(folder)
        with source.open("wb") as file:
            async for chunk in request.stream():
                file.write(chunk)
        return source
    async with request.form(max_files=1, max_fields=4) as form:
        others = sorted(set(form) - {FIELD})
        if others:
            raise RefusedError(
                400, f"unknown field {others[0]!r}: settings belong to the address, ?strength=0.5"
            )
        upload = form.get(FIELD)
        if not isinstance(upload, UploadFile):
            raise RefusedError(400, f"the form has no file {FIELD!r}")
        source = source_in(folder, upload.filename or "")
        with source.open("wb") as file:
            await asyncio.to_thread(shutil.copyfileobj, upload.file, file)
    return source


def what_is_wrong(error: RequestValidationError) -> str:
    """Return the first problem of a request's parameters in one line."""
    first = error.errors()[0]
    name = str(first["loc"][-1])
    if first["type"] == "extra_forbidden":
        known = list(Parameters.model_fields)
        return f"no parameter {name!r}{did_you_mean(name, known) or '; there are ' + ', '.join(known)}"
    return f"{name}={str(first['input'])[:80]!r}: {first['msg']}"


def in_header(text: str) -> str:
    """Return a text with everything escaped that a header cannot hold."""
    return printable(text).encode("ascii", "backslashreplace").decode()
