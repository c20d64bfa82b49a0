"""What requests and answers hold, as OpenAPI describes it."""

from typing import Any

from pydantic import BaseModel, Field

from lowlight import __version__
from lowlight.inference.photos.fail_safe import REASONS
from lowlight.inference.settings import DEFAULTS, RANGES
from lowlight.serving.pictures import NAMES

FIELD = "image"
"""Name of the picture in a form."""


def _ranged(name: str, description: str) -> Any:
    """Return the field of one of :class:`.Settings`, with its default and range."""
    low, high = RANGES[name]
    return Field(getattr(DEFAULTS, name), ge=low, le=high, description=description)


class Parameters(BaseModel, extra="forbid"):
    """Parameters of a request."""

    model: str | None = Field(None, description="Name of one of /models; by default the server's.")
    strength: float = _ranged("strength", "Weight of the enhancement, 0 for none.")
    exposure: float = _ranged("exposure", "Change of the result's exposure in stops.")
    brightness: float | None = _ranged(
        "brightness", "Mean luma of the result; by default the method decides."
    )
    saturation: float = _ranged("saturation", "Factor of the result's saturation, 0 for grey.")
    fail_safe: bool = Field(
        True, description="Leave the picture unchanged if it is not dark, or if the result fails a check."
    )
    format: str | None = Field(
        None,
        description="Format of the answer; by default the picture's own, PNG where that is not written.",
        json_schema_extra={"enum": list(NAMES)},
    )


class Problem(BaseModel):
    """What is wrong, in one line."""

    detail: str


class Offered(BaseModel):
    """A model to choose."""

    name: str
    shipped: bool = Field(description="Whether it comes with lowlight.")
    bytes: int = Field(description="Size of its files; 0 for a method without weights.")


class Models(BaseModel):
    """The models to choose from."""

    default: str
    models: list[Offered]


class Health(BaseModel):
    """The server's state; it answers once the default model is loaded."""

    status: str = "ready"
    version: str = __version__
    model: str = Field(description="Name of the default model.")
    queue: int = Field(description="Pictures that are received, wait or are enhanced now.")
    queue_limit: int = Field(description="Greatest number of them; more are answered with 503.")


STATUSES: dict[int | str, str] = {
    400: "An unreadable picture, or an unknown parameter.",
    404: "An unknown model.",
    413: "A larger picture than the server accepts, in bytes or in pixels.",
    415: "No picture, or of an unknown format.",
    500: "The model failed.",
    503: "As many pictures as the server takes are waiting; Retry-After says when to try again.",
    "default": "Any other error.",
}
"""What each status of an error means."""

HEADERS = {
    "X-Lowlight-Status": "`enhanced` or `unchanged`",
    "X-Lowlight-Reason": "why it is unchanged: " + ", ".join(f"`{reason}`" for reason in REASONS),
    "X-Lowlight-Model": "name of the model",
    "X-Lowlight-Notes": "what could not be kept",
}
"""What the headers of an answer say."""

RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The enhanced picture, or the unchanged one.",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
        "headers": {
            name: {"description": text, "schema": {"type": "string"}} for name, text in HEADERS.items()
        },
    },
    **{status: {"description": text, "model": Problem} for status, text in STATUSES.items()},
}
"""Answers to a picture, as OpenAPI describes them."""

BODY = {
    "required": True,
    "description": f"The file itself, or a form that holds it as `{FIELD}`; its content tells the format.",
    "content": {
        "image/*": {"schema": {"type": "string", "format": "binary"}},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [FIELD],
                "properties": {FIELD: {"type": "string", "format": "binary"}},
            }
        },
    },
}
"""A request's picture, as OpenAPI describes it."""
