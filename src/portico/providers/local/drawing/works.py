"""Do one render request: choose the work by stage, mode and kind."""

from collections.abc import Callable

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, Mode, Role
from portico.providers.local.drawing import picture_works, scene_works
from portico.providers.local.drawing.deliver import Made, Report
from portico.providers.local.drawing.orders import Order
from portico.providers.local.request import COVER_NAME, Rendered, RenderRequest

Work = Callable[[Order, Report], Made]

_WORKS: dict[tuple[Mode, Kind], Work] = {
    (Mode.TEXT, Kind.VIDEO): scene_works.text_to_video,
    (Mode.TEXT, Kind.IMAGE): scene_works.text_to_image,
    (Mode.IMAGE, Kind.VIDEO): picture_works.image_to_video,
    (Mode.IMAGE, Kind.IMAGE): picture_works.image_to_image,
    (Mode.FIRST_LAST, Kind.VIDEO): picture_works.first_to_last,
    (Mode.REFERENCE, Kind.VIDEO): picture_works.reference_to_video,
    (Mode.REFERENCE, Kind.IMAGE): picture_works.reference_to_image,
    (Mode.MOTION, Kind.VIDEO): picture_works.motion_transfer,
    (Mode.WARDROBE, Kind.IMAGE): picture_works.wardrobe,
    (Mode.WARDROBE, Kind.VIDEO): picture_works.wardrobe,
}


def render(request: RenderRequest, report: Report) -> Rendered:
    """Draw what the request asks for into its folder.

    Raises:
        PorticoError: INVALID_REQUEST, UNSUPPORTED_OPTION, or MEDIA_REJECTED when an input
            cannot be decoded.
    """
    made = _work(request)(Order(request), report)
    return Rendered(output=made.name, cover=COVER_NAME, usage=made.usage)


def _work(request: RenderRequest) -> Work:
    if request.stage == "enhance" or request.mode is Mode.ENHANCE:
        video = any(item.role is Role.SOURCE_VIDEO for item in request.inputs)
        return picture_works.enhance_video if video else picture_works.enhance_image
    work = _WORKS.get((request.mode, request.kind))
    if work is None:
        raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, "The local renderer cannot do this")
    return work
