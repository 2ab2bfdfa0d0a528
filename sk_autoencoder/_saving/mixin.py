"""`save` and `load`: estimators as files that hold no code."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any, Self

from sk_autoencoder._saving.estimators import CLASSES, Reader, find_class, plain_estimator
from sk_autoencoder._saving.file import FileError, Written, dump, read_file
from sk_autoencoder._saving.pickles import PicklingMixin
from sk_autoencoder._saving.versions import versions
from sk_autoencoder._utils.facts import FactError, choice, fact
from sk_autoencoder._utils.files import write_whole


class SavingMixin(PicklingMixin):
    """Methods that write an estimator to a file, and read it again."""

    def save(self, path: str | PathLike[str]) -> None:
        """Write the estimator to a file that is loaded without running code.

        It is one of `safetensors`: the tensors of `model_`, and as JSON metadata the class, the
        parameters, the other fitted attributes and the versions of the libraries. What only
        training needs, `net_` and its optimizer, is not in it. Parameters that are code, such as
        a function as `loss` or a `module`, are named in it, and are given again to `load`. The
        file is written whole or not at all.

        Parameters
        ----------
        path : str or path-like
            File to write, by habit with the ending ``.safetensors``. One that is there is replaced.

        Raises
        ------
        OSError
            If the file cannot be written. One that was there stays as it was.
        TypeError
            If a part is of another package, as a pipeline inside of a detector, or if `module` or
            `history_` holds what is neither number nor text.

        See Also
        --------
        sk_autoencoder.load : Loads a file of any class.
        """
        content = content_of(self)
        write_whole(Path(path).resolve(), lambda file: file.write(content))

    @classmethod
    def load(cls, path: str | PathLike[str], **params: Any) -> Self:
        """Load an estimator of this class that `save` has written.

        Nothing in the file is run, and all of it is checked: files of others may be loaded, as far
        as one trusts the numbers.

        Parameters
        ----------
        path : str or path-like
            File to read.
        **params : dict
            Parameters that are code, which the file only names, and `device`, which takes the place
            of that in the file. Those of the autoencoder of a detector begin with
            ``autoencoder__``.

        Returns
        -------
        estimator : object
            An estimator as the one that was saved. `fit` fits it anew; `partial_fit`, and `fit`
            with `warm_start`, cannot go on from it.

        Raises
        ------
        OSError
            If the file cannot be read.
        TypeError
            If `params` has a parameter that is no code in the file.
        ValueError
            If the file is none of an estimator of this class, is damaged, or of a later version,
            if a parameter that is code is missing or does not suit the weights, or if the device of
            the fit is not there.
        """
        return loaded(Path(path), params, cls)


def content_of(estimator: Any) -> bytes:
    """Return the content of the file of an estimator."""
    return dump(Written(plain_estimator(estimator), versions()))


def loaded(path: Path, params: dict[str, Any], cls: type | None) -> Any:
    """Return the estimator in a file, of a class or of whatever class that was."""
    return estimator_of(path, read_file(path), params, cls)


def estimator_of(
    path: Path, written: Written, params: dict[str, Any], cls: type | None = None
) -> Any:
    """Return the estimator that a file holds, of a class or of whatever class that was."""
    plain = written.plain
    try:
        name = fact(plain.facts, "class", str)
        cls = cls or _class_of(name, plain.facts)
        if name != cls.__name__:
            raise FactError(f"it holds {name:.60}. Call the method load of that class")
        reader = Reader(params)
        reader.check(plain)
        return reader.estimator(plain, cls)
    except (FactError, RecursionError) as error:
        told = "it is nested too deep" if isinstance(error, RecursionError) else error
        raise FileError(f"{path} cannot be loaded: {told}.") from error


def _class_of(name: str, facts: dict[str, Any]) -> type:
    """Return the class of a name; a subclass of the user's has to say so itself."""
    if name not in CLASSES:
        raise FactError(
            f"it holds {name:.60}, a subclass of {choice(facts, 'kind', CLASSES)}. Call "
            "the method load of that class"
        )
    return find_class(name)
