"""Hosts known to answer with a page about a file instead of the file (S11).

Names are compared label by label from the right; the longest entry decides, so that the
content hosts of a company pass although its pages do not. `*` stands for any letters within
the leftmost label of an entry. The list is a courtesy: whatever passes, the bytes decide.
"""

from fnmatch import fnmatchcase
from urllib.parse import parse_qs

from portico.outbound.address import Target

PAGE_HOSTS = (
    # shared folders and drives
    "drive.google.com docs.google.com photos.google.com sites.google.com photos.app.goo.gl",
    "mega.nz mega.io mega.co.nz mega.app",
    "dropbox.com db.tt",
    "onedrive.live.com onedrive.com 1drv.ms sharepoint.com sharepoint.cn",
    "icloud.com icloud.com.cn box.com mediafire.com wetransfer.com we.tl sendspace.com 4shared.com",
    "pcloud.link my.pcloud.com e.pcloud.com u.pcloud.com www.pcloud.com files.fm gofile.io",
    "pan.baidu.com yun.baidu.com alipan.com aliyundrive.com pan.quark.cn drive.uc.cn",
    "lanzou*.com lanzn.com weiyun.com 115.com 115cdn.com anxia.com jianguoyun.com ctfile.com",
    "123pan.com 123pan.cn 123684.com 123865.com 123912.com cowtransfer.com wenshushu.cn",
    "disk.yandex.ru disk.yandex.com disk.yandex.kz disk.yandex.by disk.yandex.ua disk.yandex.uz",
    "disk.yandex.com.tr disk.yandex.net disk.360.yandex.ru yadi.sk cloud.mail.ru fshare.vn",
    "terabox.com terabox.app teraboxapp.com 1024tera.com 1024terabox.com freeterabox.com",
    "teraboxlink.com terasharelink.com terafileshare.com 4funbox.com mirrobox.com nephobox.com",
    "momerybox.com tibibox.com dubox.com",
    # pages about pictures and videos
    "youtube.com youtu.be youtube-nocookie.com vimeo.com dailymotion.com dai.ly twitch.tv",
    "tiktok.com douyin.com iesdouyin.com bilibili.com b23.tv kuaishou.com xiaohongshu.com",
    "xhslink.com weibo.com weibo.cn facebook.com fb.watch fb.com instagram.com threads.net",
    "twitter.com x.com t.co reddit.com redd.it pinterest.com pin.it tumblr.com flickr.com flic.kr",
    "imgur.com imgbb.com ibb.co postimg.cc postimages.org prnt.sc gyazo.com imgflip.com",
    "giphy.com gph.is tenor.com streamable.com deviantart.com artstation.com behance.net",
    "unsplash.com pexels.com pixabay.com freepik.com shutterstock.com canva.com figma.com",
)
FILE_HOSTS = (
    "dl.dropbox.com download.wetransfer.com download*.mediafire.com store*.gofile.io",
    "downloader.disk.yandex.ru downloader.disk.yandex.com cloclo*.cloud.mail.ru",
    "download*.fshare.vn data.terabox.com d.terabox.com d.terabox.app",
    "i.imgur.com i.ibb.co i.postimg.cc i.gyazo.com i.imgflip.com i.redd.it v.redd.it",
    "preview.redd.it images.unsplash.com plus.unsplash.com images.pexels.com videos.pexels.com",
    "cdn.pixabay.com img.freepik.com media*.giphy.com i.giphy.com c.tenor.com media*.tenor.com",
    "cdn*.streamable.com media.tumblr.com va.media.tumblr.com cdn*.artstation.com",
    "player.vimeo.com image.shutterstock.com img.youtube.com",
)

_Entry = tuple[str, ...]  # labels, rightmost first


def is_share_page(target: Target) -> bool:
    """Whether a URL has the shape of a share or preview page."""
    labels = tuple(reversed(target.host.split(".")))
    page, direct = _longest(_PAGES, labels), _longest(_FILES, labels)
    return page > direct and not _says_download(target)


def _says_download(target: Target) -> bool:
    """Whether a page host was asked for the bytes, in the way it documents."""
    match ".".join(target.host.split(".")[-2:]):
        case "dropbox.com":
            asked = parse_qs(target.query)
            is_asked = asked.get("dl") == ["1"] or asked.get("raw") == ["1"]
            return is_asked or target.path.startswith("/s/dl/")
        case "box.com":
            return target.path.startswith("/shared/static/")
        case _:
            return False


def _longest(table: dict[str, list[_Entry]], labels: _Entry) -> int:
    entries = table.get(labels[0], [])
    return max((len(entry) for entry in entries if _is_under(labels, entry)), default=0)


def _is_under(labels: _Entry, entry: _Entry) -> bool:
    return len(labels) >= len(entry) and all(map(fnmatchcase, labels, entry))


def _by_last_label(lines: tuple[str, ...]) -> dict[str, list[_Entry]]:
    table: dict[str, list[_Entry]] = {}
    for name in " ".join(lines).split():
        entry = tuple(reversed(name.split(".")))
        table.setdefault(entry[0], []).append(entry)
    return table


_PAGES = _by_last_label(PAGE_HOSTS)
_FILES = _by_last_label(FILE_HOSTS)
