"""Which file system a folder is on: SQLite's write-ahead log is unsafe over a network."""

import os
import re
from pathlib import Path

__all__ = ["file_system", "network_file_system"]

TABLE = Path("/proc/self/mountinfo")
NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "davfs", "fuse.ceph", "fuse.gcsfuse",
    "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "glusterfs", "gpfs", "lustre",
    "ncpfs", "nfs", "nfs4", "panfs", "pvfs2", "smb3", "smbfs",
}  # fmt: skip


def network_file_system(folder: Path) -> str | None:
    """Return the type of the network file system that holds a folder; None if it is local.

    Also None where the system does not say (no ``/proc/self/mountinfo``).
    """
    kind = file_system(folder)
    return kind if kind in NETWORK else None


def file_system(folder: Path) -> str | None:
    """Return the type of the file system that holds a folder; None where nothing tells."""
    try:
        lines = TABLE.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    real = os.path.realpath(folder)
    best, kind = "", None
    for line in lines:
        mount, _, source = line.partition(" - ")
        fields = mount.split(" ")
        if len(fields) < 5 or not source:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):  # the last of equals lies on top
            best, kind = point, source.split(" ")[0]
    return kind
