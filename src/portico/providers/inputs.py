"""Hand input files on to an upstream, in the first way it takes and this installation can."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Collection, Mapping

from msgspec import structs

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ParamValue
from portico.providers.base import Assignment, Capabilities, HandOver, InputFile

Upload = Callable[[InputFile], Awaitable[str]]


async def hand_over(can: Capabilities, file: InputFile, *, upload: Upload | None = None) -> str:
    """Return the text that stands for a file in a request: a URL, or its bytes as a data URI.

    Raises:
        PorticoError: UNSUPPORTED_OPTION for a kind of file that the upstream does not take,
            MEDIA_REJECTED where it fetches files itself and there is no address for this one.
    """
    for way in can.media[_kind(file)]:
        if way is HandOver.PASS and file.url is not None:
            return file.url
        if way is HandOver.LINK and file.link is not None:
            return file.link
        if way is HandOver.UPLOAD and upload is not None:
            return await upload(file)
        if way is HandOver.DATA and (text := await _data_uri(file, can.data_bytes_max)):
            return text
    raise PorticoError(
        ErrorCode.MEDIA_REJECTED,
        "The upstream has to fetch this file, and PORTICO_PUBLIC_URL is not set",
        param=file.role.value,
    )


def refuse_unsupported(can: Capabilities, assignment: Assignment) -> None:
    """Refuse a job with anything that the upstream would leave out without a word.

    Options that ask for nothing (off, empty) may be left out.

    Raises:
        PorticoError: UNSUPPORTED_OPTION naming the option, the kind, the stage or the input.
    """
    job = assignment.job
    if job.kind not in can.kinds or assignment.stage != "generate":
        wanted = job.kind if assignment.stage == "generate" else assignment.stage
        raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, f"The upstream does no {wanted}")
    for name, value in job.params.items():
        asks = value is not False and value != "" and name != "enhance"  # which is a stage
        if asks and name not in can.params:
            raise PorticoError(
                ErrorCode.UNSUPPORTED_OPTION, f"The upstream has no {name}", param=name
            )
    for file in assignment.inputs:
        if file.role not in can.roles or _kind(file) not in can.media:
            message = f"The upstream takes no {file.role}"
            raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param=file.role.value)


def without_neutral(
    can: Capabilities, assignment: Assignment, neutral: Mapping[str, Collection[ParamValue]]
) -> Assignment:
    """Return an assignment without options that an upstream lacks, at values that ask for nothing.

    Args:
        can: what the upstream honours.
        assignment: stays as it is.
        neutral: an option -> its values that change nothing there, such as the default ratio of a
            video whose shape follows from its first frame.
    """
    job = assignment.job
    params = {
        name: value
        for name, value in job.params.items()
        if name in can.params or value not in neutral.get(name, ())
    }
    return structs.replace(assignment, job=structs.replace(job, params=params))


def file_name(file: InputFile, number: int) -> str:
    """Return a plain name for an upload: by the detected type, never the customer's own."""
    kind = file.media_type.partition("/")[2]
    return f"{file.role}-{number}.{kind.removeprefix('x-')}"


async def _data_uri(file: InputFile, bytes_max: int) -> str | None:
    def read() -> str | None:
        if file.path.stat().st_size > bytes_max:
            return None
        content = base64.b64encode(file.path.read_bytes()).decode()
        return f"data:{file.media_type};base64,{content}"

    return await asyncio.to_thread(read)


def _kind(file: InputFile) -> str:
    return file.media_type.partition("/")[0]
