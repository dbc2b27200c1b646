"""Real data as labeled images, texts or token sequences, parsed defensively.

No file can run code: CIFAR's pickles are read without unpickling, by a machine that knows lists,
dictionaries, strings and plain arrays only, and archives are read without pickles. Every shape,
type and range is checked, and sizes before anything of that size is made. A truncated or foreign
file is a `DataError` of one line that names it.
"""

from motsim.realdata.archive import read_archive, write_archive
from motsim.realdata.cifar import load_cifar
from motsim.realdata.packaged import load_packaged
from motsim.realdata.records import DataError, Images, Sequences, Texts
from motsim.realdata.text import load_texts

__all__ = [
    "DataError",
    "Images",
    "Sequences",
    "Texts",
    "load_cifar",
    "load_packaged",
    "load_texts",
    "read_archive",
    "write_archive",
]
