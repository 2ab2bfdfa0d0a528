"""Attributes that are not there, and what to use in their place."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast

from sklearn.utils.validation import check_is_fitted

T = TypeVar("T")


class Absent(Generic[T]):
    """An attribute that is not set, or not always: a fit that sets it hides this.

    To read it is an AttributeError, as of any that is missing, so that `hasattr` is False; the
    error says what to use.

    Parameters
    ----------
    reason : str
        Why it is not there, and the remedy.
    """

    name: str

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> T:
        if instance is None:
            return cast(T, self)
        check_is_fitted(instance)
        raise AttributeError(
            f"{owner.__name__!r} object has no attribute {self.name!r}, which {self.reason}",
            name=self.name,
            obj=instance,
        )
