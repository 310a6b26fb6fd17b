"""What the services share that sell the models of others, as Portico does itself.

Most of them have few codes and say the rest in words. Words are no contract, so a pattern may
only make a refusal more exact; one that nobody knows stays what its status says.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ParamValue
from portico.core.upstreams import Call, Trouble, UpstreamError
from portico.providers.base import Assignment, Capabilities, OutputFile, Save
from portico.providers.http import Api, Refusals, at, read_url

# Patterns of words in lower case, most special first.
WORDS: Mapping[str, Trouble] = {
    "*e_direct_media_url*": Trouble.MEDIA,
    "*safety guideline*": Trouble.CONTENT,
    "*content polic*": Trouble.CONTENT,
    "*content violat*": Trouble.CONTENT,
    "*sensitive content*": Trouble.CONTENT,
    "*insufficient credit*": Trouble.CREDIT,
    "*insufficient balance*": Trouble.CREDIT,
    "*unknown model*": Trouble.MODEL,
    "*model not found*": Trouble.MODEL,
    "*cannot use an input file*": Trouble.MEDIA,
}
FILE_S = 600.0
_WORDS_LENGTH_MAX = 1_000


class Worded(Refusals, frozen=True, kw_only=True):
    """How one of them says no: by codes, and in words where a code says too little.

    Args:
        words_at: where its words stand in an answer.
        words: its own patterns, in lower case; those of `WORDS` come after them.
    """

    words_at: tuple[str, ...]
    words: Mapping[str, Trouble] = {}

    def of(self, status: int, body: object) -> Trouble:
        """Return what an answer with an error means; words tell one bad request from another."""
        trouble = super().of(status, body)
        if trouble is not Trouble.REQUEST:
            return trouble
        return self.of_words(at(body, *self.words_at)) or trouble

    def of_words(self, words: object) -> Trouble | None:
        """Return what words mean, None for all that no pattern knows."""
        if not isinstance(words, str):
            return None
        text = words[:_WORDS_LENGTH_MAX].lower()
        known = {**self.words, **WORDS}
        return next((known[each] for each in known if fnmatchcase(text, each)), None)


def failed_in_words(refusals: Worded, words: object) -> UpstreamError:
    """Return the error of a job that failed, where only words tell why."""
    return UpstreamError(refusals.of_words(words) or Trouble.FAILED).of_job()


def kept_file(api: Api, path: str) -> Save:
    """Return how to fetch a result that only our key opens; safe to repeat."""

    async def save(to: Path, size_max_bytes: int) -> int:
        call = Call(method="GET", path=path, headers=api.headers, timeout_s=FILE_S)
        return await api.upstream.save(call, to, size_max_bytes=size_max_bytes)

    return save


def files_at(urls: object) -> tuple[OutputFile, ...]:
    """Return the results that a list of addresses names; whatever is no address is left out."""
    found = urls if isinstance(urls, list) else []
    return tuple(OutputFile("output", url=url) for each in found if (url := read_url(each)))


def lacking(*, param: str) -> PorticoError:
    """Return the error for a parameter that this model has not, or not with this value."""
    message = f"The upstream's model has no such {param}"
    return PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param=param)


def without_neutral(
    assignment: Assignment, neutral: Mapping[str, Sequence[ParamValue]]
) -> Assignment:
    """Return a job without the values that ask for what the upstream does by itself."""
    job = assignment.job
    params = {
        name: value for name, value in job.params.items() if value not in neutral.get(name, ())
    }
    return msgspec.structs.replace(assignment, job=msgspec.structs.replace(job, params=params))


def renamed(can: Capabilities, assignment: Assignment) -> dict[str, Any]:
    """Return a job's parameters under the upstream's names, without those that it has not."""
    given = assignment.job.params.items()
    return {can.params[name]: value for name, value in given if name in can.params}
