"""Objects of Skupper v2 from a file or a directory, and the documents that they mean."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from router.documents.skupper2 import V2Object, V2Translation, read_objects, translate
from router.documents.skupper2.objects import holds_v2
from router.documents.skupper2.translate import Place
from router.model.errors import ConfigError
from sitectl.base import output, texts
from sitectl.base.failure import usage

ENDINGS: Final = (".yaml", ".yml", ".json")


def v2_texts(file: str) -> list[tuple[str, str]] | None:
    """The texts of ``file`` with their names, if they hold objects of v2; None: they do not.

    Of the directory of a namespace of Skupper v2, or its ``input``, the ``resources`` count.
    Failure: a directory without such objects.
    """
    if file == "-" or not Path(file).is_dir():
        return None
    inner = (Path(file) / part for part in ("input/resources", "resources", "."))
    directory = next(path for path in inner if path.is_dir())
    paths = sorted(path for path in directory.iterdir() if path.suffix in ENDINGS)
    found = [(texts.text_of(path), str(path)) for path in paths]
    if not any(holds_v2(text) for text, _ in found):
        raise usage(
            f"{file} is a directory without objects of Skupper v2",
            "Give a file, or a directory such as v2's input/resources",
        )
    return found


def translated(found: Iterable[tuple[str, str]], place: Place) -> V2Translation:
    """The documents that the texts mean. Failure: a part is unusable, and nothing was applied."""
    objects: list[V2Object] = []
    errors: list[ConfigError] = []
    for text, source in found:
        taken, wrong = read_objects(text, source)
        objects += taken
        errors += wrong
    result = translate(objects, place)
    errors += result.errors
    if errors:
        raise texts.config_failure(errors, f"{len(errors)} errors, nothing was applied")
    for note in result.notes:
        output.note(f"{note.code} {note}")
    return result
