"""hostile.py layers DIR OUTSIDE | tars DIR OUTSIDE | context DIR OUTSIDE TOKEN: images and a build context that try to reach OUTSIDE, a folder with
the file `file`. `layers` writes for each case an OCI archive DIR/NAME.oci.tar, and DIR/NAME.docker.tar; DIR/cases lists the names.
Whatever a case manages to create outside has `plim-got-out` in its name, or `escaped` as content."""

import gzip
import hashlib
import io
import json
import os
import socket
import stat
import sys
import tarfile
from pathlib import Path

REG, LNK, SYM, CHR, BLK, DIR, FIFO = (tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE,
                                      tarfile.DIRTYPE, tarfile.FIFOTYPE)


def entry(name, kind=REG, link="", content=b"escaped", mode=0o644, uid=0, device=(0, 0), pax=None):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.uid = kind, link, mode, uid
    info.devmajor, info.devminor = device
    info.size = len(content) if kind == REG else 0
    info.pax_headers = pax or {}
    return info, content


def layer(*entries):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in entries:
            tar.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def cases(outside):
    """Name of the case -> its layers, the lowest first."""
    up = "../" * 40
    file = f"{outside}/file"
    yield "absolute", [layer(entry(f"{outside}/plim-got-out-absolute"))]
    yield "dotdot", [layer(entry(f"{up}{outside}/plim-got-out-dotdot"), entry("a/../../../plim-got-out-dotdot2"))]
    yield "link-then-write", [layer(entry("way", SYM, str(outside)), entry("way/plim-got-out-link")),
                              layer(entry("way/plim-got-out-link2"), entry("way/file"))]
    yield "link-up-then-write", [layer(entry("way", SYM, up + str(outside)[1:]), entry("way/plim-got-out-up"))]
    yield "link-chain", [layer(entry("a", SYM, "b"), entry("b", SYM, "c"), entry("c", SYM, str(outside)), entry("a/plim-got-out-chain"))]
    yield "link-below-link", [layer(entry("d", SYM, "."), entry("d/d/way", SYM, str(outside)), entry("d/way/plim-got-out-below"))]
    yield "link-to-file", [layer(entry("way", SYM, file)), layer(entry("way", content=b"escaped through a link"))]
    yield "link-as-directory", [layer(entry("way", SYM, str(outside)), entry("way", DIR, mode=0o777)),
                                layer(entry("way/plim-got-out-dir"))]
    yield "hardlink-outside", [layer(entry("mine", LNK, file), entry("mine", content=b"escaped through a hard link"))]
    yield "hardlink-dotdot", [layer(entry("mine", LNK, up + file[1:]), entry("mine", content=b"escaped", mode=0o777))]
    yield "hardlink-through-link", [layer(entry("way", SYM, str(outside)), entry("mine", LNK, "way/file"),
                                          entry("mine", content=b"escaped"))]
    yield "hardlink-to-link", [layer(entry("way", SYM, file), entry("mine", LNK, "way"), entry("mine", content=b"escaped"))]
    yield "hardlink-to-itself", [layer(entry("mine", LNK, "mine"))]
    yield "hardlink-missing", [layer(entry("mine", LNK, "nowhere"))]
    yield "devices", [layer(entry("dev/disk", BLK, device=(254, 0), mode=0o666), entry("null", CHR, device=(1, 3), mode=0o666),
                            entry("mem", CHR, device=(1, 1), mode=0o666), entry("wait", FIFO, mode=0o666))]
    yield "overlay-marks", [layer(entry("etc/passwd", CHR, device=(0, 0)),
                                  entry("opaque", DIR, mode=0o755, pax={"SCHILY.xattr.trusted.overlay.opaque": "y"}),
                                  entry("redirected", DIR, mode=0o755, pax={"SCHILY.xattr.trusted.overlay.redirect": str(outside)}),
                                  entry("user", DIR, mode=0o755, pax={"SCHILY.xattr.user.overlay.redirect": str(outside)}),
                                  entry("metacopy", pax={"SCHILY.xattr.trusted.overlay.metacopy": "",
                                                         "SCHILY.xattr.trusted.overlay.redirect": file}))]
    for name, whiteout in [("dotdot", ".wh..."), ("dot", ".wh.."), ("nothing", ".wh."), ("opaque-root", ".wh..wh..opq"),
                           ("aufs", ".wh..wh.plnk"), ("aufs-orphan", ".wh..wh.orph/plim-got-out"), ("slash", ".wh.a/b")]:
        yield f"whiteout-{name}", [layer(entry("way", SYM, str(outside)), entry("d", DIR, mode=0o755), entry("d/x")),
                                   layer(entry(whiteout, content=b"")), layer(entry(f"d/{whiteout}", content=b""))]
    yield "whiteout-up", [layer(entry(f"{up}{str(outside)[1:]}/.wh.file", content=b""))]
    yield "whiteout-through-link", [layer(entry("way", SYM, str(outside))), layer(entry("way/.wh.file", content=b""))]
    yield "opaque-through-link", [layer(entry("way", SYM, str(outside))), layer(entry("way/.wh..wh..opq", content=b""))]
    yield "whiteout-and-link-at-once", [layer(entry("way", SYM, str(outside)), entry("way/.wh.file", content=b""),
                                              entry("way/.wh..wh..opq", content=b""))]
    yield "whiteout-link", [layer(entry(".wh.x", SYM, file), entry(".wh.y", LNK, file), entry(".wh.z", DIR, mode=0o777))]
    yield "file-over-directory", [layer(entry("d", DIR, mode=0o755), entry("d/x")), layer(entry("d")), layer(entry("d/x"))]
    yield "directory-over-file", [layer(entry("d")), layer(entry("d", DIR, mode=0o755), entry("d/x"))]
    yield "link-over-directory", [layer(entry("d", DIR, mode=0o755), entry("d/x")), layer(entry("d", SYM, str(outside))),
                                  layer(entry("d/plim-got-out-over"), entry("d/file"))]
    yield "cyclic", [layer(entry("a", SYM, "b"), entry("b", SYM, "a"), entry("a/plim-got-out-cycle"), entry("self", SYM, "self"),
                           entry("self/plim-got-out-cycle"))]
    yield "root-is-a-file", [layer(entry("./", REG), entry(".", SYM, str(outside)), entry("", REG), entry("/", SYM, str(outside)))]
    yield "proc-is-a-link", [layer(entry("proc", SYM, str(outside)), entry("sys", SYM, "/"), entry("dev", SYM, str(outside)),
                                   entry("etc/hosts", SYM, file), entry("etc/resolv.conf", SYM, file), entry("tmp", SYM, str(outside)))]
    yield "passwd-is-a-link", [layer(entry("etc/passwd", SYM, file), entry("etc/group", SYM, up + file[1:]))]
    yield "setuid", [layer(entry("bin/suid", mode=0o6755), entry("bin/caps", mode=0o755, pax={
        "SCHILY.xattr.security.capability": "\x01\x00\x00\x02\xff\x00\x00\x00"}))]
    yield "long-names", [layer(entry("n" * 255), entry("d" * 255 + "/" + "e" * 255), entry("n" * 256))]
    yield "deep", [layer(entry("/".join(["d" * 20] * 300)))]
    yield "strange-names", [layer(entry("new\nline"), entry("bell\x07\x1b[2Jescape"), entry("back\\slash"), entry("a//b/./c"))]
    yield "negative-owner", [layer(entry("owned", uid=2**31 + 7), entry("huge", pax={"uid": str(2**40), "mtime": "-99999999999999"}))]
    yield "size-lies", [layer(entry("lies", pax={"size": "99999999999"}))]
    yield "bomb", [layer(entry("zeros", content=bytes(64 << 20)))]
    broken = layer(entry("a"), entry("b"))
    yield "cut-off", [broken[:700]]
    yield "no-tar", [b"escaped, but this is no archive\n" * 100]


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def add(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def config_of(tars):
    return json.dumps({"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"]},
                       "rootfs": {"type": "layers", "diff_ids": [sha(t) for t in tars]}}).encode()


def oci(path, tars):
    config, layers = config_of(tars), [gzip.compress(t, 1, mtime=0) for t in tars]
    kind = "application/vnd.oci.image"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": f"{kind}.manifest.v1+json",
                           "config": {"mediaType": f"{kind}.config.v1+json", "digest": sha(config), "size": len(config)},
                           "layers": [{"mediaType": f"{kind}.layer.v1.tar+gzip", "digest": sha(blob), "size": len(blob)}
                                      for blob in layers]}).encode()
    index = json.dumps({"schemaVersion": 2, "manifests": [{"mediaType": f"{kind}.manifest.v1+json", "digest": sha(manifest),
                                                           "size": len(manifest)}]}).encode()
    with tarfile.open(path, "w") as tar:
        add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        add(tar, "index.json", index)
        for blob in [config, manifest, *layers]:
            add(tar, "blobs/sha256/" + sha(blob)[7:], blob)


def docker(path, tars):
    config = config_of(tars)
    names = [f"{number}/layer.tar" for number in range(len(tars))]
    with tarfile.open(path, "w") as tar:
        add(tar, "config.json", config)
        for name, data in zip(names, tars):
            add(tar, name, data)
        add(tar, "manifest.json", json.dumps([{"Config": "config.json", "RepoTags": ["hostile:1"], "Layers": names}]).encode())


def archives(folder, outside):
    """Archives and layouts that are hostile themselves: name -> place, as `plim copy` takes it."""
    good = layer(entry("a"))
    file = f"{outside}/file"
    up = "../" * 40 + file[1:]

    def archive(name, config, layers, extra=()):
        with tarfile.open(folder / f"{name}.tar", "w") as tar:
            add(tar, "config.json", config_of([good]))
            add(tar, "0.tar", good)
            for info, content in extra:
                tar.addfile(info, io.BytesIO(content))
            add(tar, "manifest.json", json.dumps([{"Config": config, "RepoTags": ["hostile:1"], "Layers": layers}]).encode())
        return f"docker-archive:{folder}/{name}.tar"

    yield archive("names-outside", file, [file])
    yield archive("names-up", up, [up])
    yield archive("link-in-archive", "config.json", ["l.tar"], [entry("l.tar", SYM, file)])
    yield archive("hardlink-in-archive", "config.json", ["l.tar"], [entry("l.tar", LNK, file)])
    yield archive("writes-outside", "config.json", ["0.tar"], [entry(f"{outside}/plim-got-out-archive"), entry(f"../../{up}-plim-got-out")])
    for name, digest in [("up", "sha256:" + up), ("file", "sha256:" + file), ("algorithm", up + ":x"), ("empty", "sha256:")]:
        place = folder / f"layout-{name}"
        (place / "blobs/sha256").mkdir(parents=True)
        (place / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        (place / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [
            {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": os.path.getsize(file)}]}))
        yield f"oci:{place}"


def write_layers(folder, outside):
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "cases", "w") as names:
        for name, tars in cases(outside):
            oci(folder / f"{name}.oci.tar", tars)
            docker(folder / f"{name}.docker.tar", tars)
            print(name, file=names)
    (folder / "archives").write_text("".join(f"{place}\n" for place in archives(folder, outside)))


def write_context(folder, outside, token):
    """What a build context can hold. A part may be missing where this user cannot make it (devices)."""
    folder.mkdir(parents=True)
    os.chdir(folder)
    os.symlink(f"{outside}/file", "to-file")
    os.symlink("..", "up")
    os.symlink("../" * 40 + f"{outside}/file"[1:], "up-to-file")
    os.symlink(outside, "to-outside")
    os.symlink("loop", "loop")
    os.mkfifo("fifo")
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket")
    if os.geteuid() == 0:
        os.mknod("zero", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
        os.mknod("disk", 0o666 | stat.S_IFBLK, os.makedev(254, 0))
    os.link(f"{outside}/hard", "hard")
    Path("new\nline").write_text(token)
    Path("bell\x07\x1b[2J").write_text(token)
    Path(os.fsdecode(b"no-utf8-\xff\xfe")).write_text(token)
    Path("n" * 255).write_text(token)
    Path("suid").write_text(token)
    os.chmod("suid", 0o6755)
    here = os.open(".", os.O_DIRECTORY)
    for _ in range(300):
        os.mkdir("d" * 20, dir_fd=here)
        below = os.open("d" * 20, os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = below
    with open(os.open("bottom", os.O_WRONLY | os.O_CREAT, dir_fd=here), "w") as file:
        file.write(token)


def write_tars(folder, outside):
    """The lowest layer of each case that is about links, as an archive for ADD."""
    for name, tars in cases(outside):
        if name.startswith(("absolute", "dotdot", "link", "hardlink", "devices", "cyclic", "root")):
            (folder / f"{name}.tar").write_bytes(tars[0])


if __name__ == "__main__":
    if sys.argv[1] == "layers":
        write_layers(Path(sys.argv[2]), Path(sys.argv[3]))
    elif sys.argv[1] == "tars":
        write_tars(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        write_context(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
