"""S11: share and preview pages by the shape of the URL."""

import pytest

from portico.outbound.address import parse_target
from portico.outbound.hosts import is_share_page


@pytest.mark.parametrize(
    "url",
    [
        "https://drive.google.com/file/d/1/view",
        "https://DRIVE.google.com./uc?export=download&id=1",
        "https://docs.google.com/document/d/1",
        "https://photos.app.goo.gl/x",
        "https://mega.nz/file/x#y",
        "https://www.dropbox.com/s/x/a.png?dl=0",
        "https://www.dropbox.com/scl/fi/x/a.png?rlkey=1",
        "https://onedrive.live.com/?id=1",
        "https://1drv.ms/i/s!x",
        "https://tenant-my.sharepoint.com/:i:/g/x",
        "https://www.icloud.com/iclouddrive/x",
        "https://app.box.com/s/x",
        "https://www.mediafire.com/file/x/a.png/file",
        "https://u.pcloud.link/publink/show?code=x",
        "https://we.tl/t-x",
        "https://pan.baidu.com/s/1x",
        "https://www.alipan.com/s/x",
        "https://pan.quark.cn/s/x",
        "https://wwx.lanzoui.com/x",
        "https://share.weiyun.com/x",
        "https://115.com/s/x",
        "https://www.123pan.com/s/x",
        "https://disk.yandex.ru/i/x",
        "https://yadi.sk/i/x",
        "https://cloud.mail.ru/public/x/y",
        "https://www.fshare.vn/file/x",
        "https://www.terabox.com/sharing/link?surl=x",
        "https://gofile.io/d/x",
        "https://imgur.com/a/x",
        "https://www.youtube.com/watch?v=x",
        "https://ibb.co/x",
    ],
)
def test_share_page_is_seen_by_its_host(url):
    assert is_share_page(parse_target(url))


@pytest.mark.parametrize(
    "url",
    [
        "https://drive.google.com.example.com/file",
        "https://example.com/drive.google.com/x?u=https://mega.nz/file/x",
        "https://notmega.nz/x",
        "https://mybox.com/x",
        "https://drive.usercontent.google.com/download?id=1",
        "https://lh3.googleusercontent.com/d/1",
        "https://storage.googleapis.com/bucket/a.png",
        "https://www.dropbox.com/s/x/a.png?dl=1",
        "https://www.dropbox.com/scl/fi/x/a.png?rlkey=1&raw=1",
        "https://dl.dropboxusercontent.com/s/x/a.png",
        "https://app.box.com/shared/static/x.png",
        "https://public.boxcloud.com/d/1/x",
        "https://download2390.mediafire.com/x/y/a.png",
        "https://download.wetransfer.com/x",
        "https://bucket.oss-cn-beijing.aliyuncs.com/a.png",
        "https://downloader.disk.yandex.ru/disk/x",
        "https://cloclo3.cloud.mail.ru/weblink/view/x",
        "https://store4.gofile.io/download/x/a.png",
        "https://i.imgur.com/x.png",
        "https://images.unsplash.com/photo-1",
        "http://93.184.216.34/a.png",
    ],
)
def test_content_host_and_lookalike_are_ordinary_urls(url):
    assert not is_share_page(parse_target(url))
