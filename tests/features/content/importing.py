"""What tests send to be imported."""

import io
import tarfile

from aiohttp import FormData


def archive(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            data = text.encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def form(content, name="posts.tar.gz", **values):
    data = FormData()
    data.add_field("file", content, filename=name)
    for key, value in values.items():
        data.add_field(key, value)
    return data
