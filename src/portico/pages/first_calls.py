"""A first call for each dialect, as the start page shows it."""

from dataclasses import dataclass

_KEY = '-H "Authorization: Bearer $KEY"'
_JSON = '-H "Content-Type: application/json"'


@dataclass(frozen=True, slots=True)
class FirstCall:
    """One dialect in a few words, and a command that works as it is pasted."""

    dialect: str
    title: str
    about: str
    paths: str
    does: str  # what the command does
    command: str  # `{url}` stands for the server's address


FIRST_CALLS = (
    FirstCall(
        "portico",
        "Portico",
        "Everything in one place: quotes, waiting, exact balances.",
        "/portico/v1/…",
        "Make a video and save it, in one call:",
        f"curl -fsS -o portico.mp4 {_KEY} {_JSON} "
        """-d '{{"model":"portico/scene","""
        """"prompt":"a sailing boat on the sea at sunset, birds"}}' """
        "{url}/portico/v1/generate",
    ),
    FirstCall(
        "xiaoyang",
        "XiaoYang",
        "Image to video, motion control, wardrobe, enhancing.",
        "/api/v1/me, /modals, /tasks",
        "List what can be bought:",
        f"curl -fsS {_KEY} {{url}}/api/v1/modals",
    ),
    FirstCall(
        "xpilot",
        "xPilot",
        "Text, pictures and video, priced in cents.",
        "/api/v1/models, /video/…, /image/…, /text/…",
        "Make a picture:",
        f"curl -fsS {_KEY} {_JSON} "
        """-d '{{"model":"bytedance/seedream-4.5","prompt":"dunes at dawn"}}' """
        "{url}/api/v1/image/generate",
    ),
    FirstCall(
        "apixo",
        "APIXO",
        "Video tasks, to be polled or called back.",
        "/api/v1/generateTask/…, /api/v1/statusTask/…",
        "Submit a video:",
        f"curl -fsS {_KEY} {_JSON} "
        """-d '{{"request_type":"async","input":{{"mode":"text-to-video","""
        """"prompt":"waves at sunset","resolution":"720p","duration":5}}}}' """
        "{url}/api/v1/generateTask/wan-2-5",
    ),
    FirstCall(
        "yuanjing",
        "Yuanjing",
        "Chat as OpenAI's clients speak it, and video.",
        "/llmage/v1/chat/completions, /llmage/video, /llmage/tasks",
        "Say hello:",
        f"curl -fsS {_KEY} {_JSON} "
        """-d '{{"model":"qwen3-max","messages":[{{"role":"user","content":"Hello"}}]}}' """
        "{url}/llmage/v1/chat/completions",
    ),
    FirstCall(
        "openai",
        "OpenAI",
        "For OpenAI's own clients: chat, pictures, videos.",
        "/v1/chat/completions, /v1/images/…, /v1/videos",
        "Make a picture:",
        f"curl -fsS {_KEY} {_JSON} "
        """-d '{{"model":"portico/picture","prompt":"a lake at dawn"}}' """
        "{url}/v1/images/generations",
    ),
)
