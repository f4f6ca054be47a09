"""Data sets from the internet: https only, checked against a known checksum before they get their name."""

from __future__ import annotations

import hashlib
import os
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ei_brian.data.idx import IDX_FILES
from ei_brian.errors import DataError, unknown_name

__all__ = ["SOURCES", "VARIABLE", "Source", "data_folder", "fetch"]

VARIABLE = "EI_BRIAN_DATA"
TIMEOUT_SECONDS = 60
LARGEST_DOWNLOAD = 2**30
BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Source:
    """Where a data set is published.

    Parameters
    ----------
    address : str
        Of the folder, https.
    md5 : mapping of str to str
        File names and the published checksums (they find damage in transit; the address vouches for the rest).
    licence, reference : str
        Terms, and what to cite.
    """

    address: str
    md5: Mapping[str, str]
    licence: str
    reference: str


def _md5(*sums: str) -> dict[str, str]:
    return dict(zip(IDX_FILES, sums, strict=True))


SOURCES: dict[str, Source] = {
    "fashion-mnist": Source(
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        _md5("8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe",
             "bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310"),
        "MIT, Zalando SE", "Xiao, Rasul & Vollgraf 2017, arXiv 1708.07747",
    ),
    "mnist": Source(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        _md5("f68b3c2dcbeaaa9fbdd348bbdeb94873", "d53e105ee54ea40749a09fcbcd1e9432",
             "9fb629c4189551a2d022fa330f9573f3", "ec29112dd5afa0611ce80d1b7f02629c"),
        "CC BY-SA 3.0", "LeCun, Bottou, Bengio & Haffner 1998, Proc. IEEE 86:2278",
    ),
}  # fmt: skip


def data_folder(name: str, root: Path | None = None) -> Path:
    """Return where a data set is kept: below ``root``, else ``$EI_BRIAN_DATA``, else ``~/.local/share/ei_brian``."""
    if root is None:
        set_by_user = os.environ.get(VARIABLE)
        share = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
        root = Path(set_by_user) if set_by_user else Path(share, "ei_brian")
    return root.expanduser() / name


def fetch(
    name: str, root: Path | None = None, *, report: Callable[[str], None] | None = None,
    open_address: Callable[[str], Any] | None = None,
) -> Path:  # fmt: skip
    """Download the files of a data set that are not there yet and return their folder.

    Parameters
    ----------
    name : str
        One of `SOURCES`.
    root : Path, optional
        See `data_folder`.
    report : callable, optional
        Called with a line per file.
    open_address : callable, optional
        Opens an https address for reading.

    Raises
    ------
    DataError
        For an unknown name, a download that fails, is too large or has another checksum; nothing is then left under its name.
    """
    if name not in SOURCES:
        raise DataError(unknown_name("data set", name, SOURCES))
    source, folder = SOURCES[name], data_folder(name, root)
    folder.mkdir(parents=True, exist_ok=True)
    for file_name, md5 in source.md5.items():
        path = folder / file_name
        if path.is_file() and _md5_of(path) == md5:
            continue
        if report is not None:
            report(f"{source.address}{file_name} → {path}")
        _download(source.address + file_name, path, md5, open_address or _open)
    return folder


def _open(address: str) -> Any:
    return urllib.request.build_opener(_HttpsOnly).open(address, timeout=TIMEOUT_SECONDS)


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows no redirect that leaves https."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not newurl.startswith("https://"):
            raise urllib.error.URLError(f"refuses to be sent to {newurl[:100]!r}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _download(address: str, path: Path, md5: str, open_address: Callable[[str], Any]) -> None:
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with closing(open_address(address)) as answer, open(aside, "xb") as file:
            found = _copy(answer, file)
        if found != md5:
            raise DataError(f"{address}: md5 {found}, published is {md5}. It was not kept; try again, or another network.")
        os.replace(aside, path)
    except (OSError, ValueError) as error:  # URLError and timeouts are OSErrors
        raise DataError(
            f"{address}: {error}. Check the network, or put the published files into {path.parent} by hand."
        ) from error
    finally:
        with suppress(OSError):
            aside.unlink()


def _copy(answer: Any, file: IO[bytes]) -> str:
    """Copy an answer into a file and return its MD5."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    while block := answer.read(BLOCK):
        size += len(block)
        if size > LARGEST_DOWNLOAD:
            raise ValueError(f"more than {LARGEST_DOWNLOAD} bytes")
        digest.update(block)
        file.write(block)
    file.flush()
    os.fsync(file.fileno())
    return digest.hexdigest()


def _md5_of(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
